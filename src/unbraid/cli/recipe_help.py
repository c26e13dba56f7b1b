"""`unbraid train --help` lists the recipes, and `unbraid train RECIPE --help` tells what one of them needs."""

from typing import Any

import typer
from typer.core import TyperCommand

from unbraid.cli.console import guarded, say
from unbraid.hub.recipes import GIVEN, Outline, find_recipe, known_recipes, outline

HELP = {"--help", "-h"}
ALWAYS = object()  # every recipe sets it
OFTEN = {  # values that are often changed: (default where the recipe sets none, meaning)
    "trainer.epochs": (ALWAYS, "epochs in all"),
    "trainer.batch": (1, "items in a batch; fewer need less memory"),
    "trainer.accumulate": (1, "batches in a step"),
    "optimizer.rate": (ALWAYS, "the highest learning rate"),
    "data.workers": (0, "processes that prepare batches; 0: none but the training itself"),
    "trainer.accelerator": ("auto", "cpu, gpu, or a GPU where there is one"),
    "trainer.devices": (1, "GPUs of this machine"),
    "trainer.precision": ("32", "bf16 is faster on recent GPUs"),
    "trainer.max_minutes": (0.0, "the time limit, as --max-minutes; 0: none"),
    "trainer.init": ("", "a model or a best.pt to start from"),
}
IF_SET = {  # values that are told only where the recipe sets them
    "mixing.crop_seconds": "length of the excerpts",
    "mixing.noise_probability": "share of the mixtures with noise; 0: data.noise is not needed",
    "data.sample_rate": "in Hz",
}


class TrainCommand(TyperCommand):
    """The command, whose help depends on the recipe."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words; help about a recipe ends the command here."""
        words = args[: args.index("--")] if "--" in args else args
        if HELP & set(words) and (name := _recipe_in(words)):
            with guarded():
                say(*recipe_help(name))
            raise typer.Exit
        return super().parse_args(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """The help of all options, then the recipes with a line each."""
        super().format_help(ctx, formatter)
        with guarded():
            say(*recipe_list())


def _recipe_in(words: list[str]) -> str:
    """The word that names a recipe; a first word that names none is taken for one, so that it is refused."""
    known = known_recipes()
    named = [word for word in words if word in known or word.endswith(".toml")]
    first = words[0]
    return named[0] if named else "" if first.startswith("-") or "=" in first else first


def recipe_list() -> list[str]:
    """The recipes with a line each."""
    outlines = [outline(path) for path in known_recipes().values()]
    wide = max(len(recipe.name) for recipe in outlines)
    lines = [f"  {recipe.name:{wide}}  {recipe.description}" for recipe in outlines]
    return ["Recipes (`unbraid train RECIPE --help` tells which data one needs):", *lines, ""]


def recipe_help(name: str) -> list[str]:
    """What a recipe needs and what is often changed, as lines."""
    recipe = outline(find_recipe(name))
    given = recipe.given
    words = [f"{key}={GIVEN[key][0]}" for key in given]
    told = [
        f"Usage: unbraid train {name} [KEY=VALUE]... [OPTIONS]",
        "",
        f"{recipe.name}: {recipe.description}",
        *(f"  {line}" for line in recipe.comment),
        "",
        "To be given, unless it is here under the recipe's own name:",
        *_aligned([(key, value, GIVEN[key][1]) for key, value in given.items()]),
        "",
        "Example:",
        f"  unbraid train {name} {' '.join(words)} --max-minutes 60 --export my-{recipe.name}",
        "  and the same with --dry-run first, which runs two steps and writes nothing",
        "",
        "Often changed:",
        *_often(recipe),
        "",
        "Every value of the recipe can be changed like these; `unbraid train --help` has the options.",
    ]
    return told


def _often(recipe: Outline) -> list[str]:
    epoch = next((key for key in recipe.tables.get("data", {}) if key.startswith("epoch_")), "")
    rows = [(key, value, meaning) for key, meaning in IF_SET.items() if (value := recipe.value(key)) is not None]
    if epoch:
        rows.append((f"data.{epoch}", recipe.value(f"data.{epoch}"), "items in an epoch, after which dev is scored"))
    for key, (default, meaning) in OFTEN.items():
        value = recipe.value(key)
        if (shown := default if value is None else value) is not ALWAYS:
            rows.append((key, shown, meaning))
    return _aligned(rows)


def _aligned(rows: list[tuple[str, Any, str]]) -> list[str]:
    """Keys, values and meanings as lines with two columns."""
    words = [f"{key}={_shown(value)}" for key, value, _ in rows]
    wide = max(map(len, words))
    return [f"  {word:{wide}}  {meaning}" for word, (_, _, meaning) in zip(words, rows, strict=True)]


def _shown(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
