"""`unbraid train`: a recipe and changes to it in, a run folder out."""

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unbraid.cli.console import guarded, notice, say, train_extra
from unbraid.cli.options import OUT
from unbraid.cli.progress import clock, watched
from unbraid.cli.set_aside import warnings_told
from unbraid.errors import Cancelled, UnbraidError
from unbraid.files.printable import printable

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from unbraid.training import Recipe, Rehearsal, Score, Standing

_MaxMinutes = Annotated[
    float | None,
    typer.Option(
        "--max-minutes",
        metavar="N",
        min=0,
        help="Stop after N minutes, also within an epoch or the scoring of dev; the same command goes on. Same as "
        "trainer.max_minutes=N. (default: no limit)",
    ),
]


def train(
    recipe: Annotated[
        Path,
        typer.Argument(metavar="RECIPE", help="A recipe by its name, such as speech, or a TOML file of values."),
    ],
    changes: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY=VALUE", help="Values to change: optimizer.rate=3e-4 data.folder=/data/x"),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(*OUT, metavar="DIR", help="The run's folder. (default: runs/NAME)")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Build everything, run two steps, print time and memory; write nothing.")
    ] = False,
    export: Annotated[
        Path | None, typer.Option("--export", metavar="FOLDER", help="Export the best weights as a model folder.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the model folder of --export.")] = False,
    max_minutes: _MaxMinutes = None,
) -> None:
    """Train a model by a recipe; the same command again resumes. Needs the train extra."""
    with guarded():
        with train_extra("Training"):
            from unbraid.training import check_export, export_run, find_recipe, is_chief, look, read_recipe, rehearse
            from unbraid.training import train as run
        for name in ("lightning.fabric", "lightning.pytorch"):
            logging.getLogger(name).setLevel(logging.WARNING)
        limit = [] if max_minutes is None else [f"trainer.max_minutes={max_minutes}"]
        values = read_recipe(find_recipe(recipe), [*(changes or ()), *limit])
        if export is not None:
            check_export(values, export, overwrite=overwrite)
        place = out or Path("runs") / values.name
        start = look(values, place)
        if dry_run:
            with troubles_told(), warnings_told():
                say(*describe(values, rehearse(values)))
            return
        if is_chief():
            if start.step:
                notice(f"{values.name}: going on in {place} at step {start.step} of {values.steps}")
            for change in start.changes:
                notice(f"changed since: {change}")
        with (
            Teller(values.name, values.task.score, quiet=not is_chief()) as teller,
            troubles_told(),
            warnings_told(),
        ):
            run(values, place, teller)
        if is_chief():
            say(f"{values.name}: {teller.summary}; the run is in {place}")
            if teller.is_stopped:
                again = "" if export is None else " with --overwrite, to replace the model,"
                notice(f"the time limit is over; the same command{again} goes on from here")
            if export is not None:
                export_run(values, place, export, overwrite=overwrite)
                say(f"{values.name} is at {export}")


@contextmanager
def troubles_told() -> Iterator[None]:
    """Turn errors of PyTorch about memory and workers into sentences.

    Raises:
        UnbraidError: a worker met one, there is not enough memory, or a worker is dead.
        Cancelled: whoever stopped this process stopped its workers first.
    """
    try:
        yield
    except UnbraidError as error:  # with the worker's traceback for a message
        name = f"{type(error).__module__}.{type(error).__qualname__}: "
        before, _, told = str(error).rpartition(name)
        if not before:
            raise
        raise type(error)(told.strip()) from error
    except RuntimeError as error:
        text = str(error)
        if "out of memory" in text or "can't allocate memory" in text:
            raise UnbraidError(
                "There is not enough memory to train this; set trainer.batch lower and trainer.accumulate higher, "
                "mixing.crop_seconds shorter, or choose a smaller [model]."
            ) from error
        if "DataLoader worker" not in text:
            raise
        if "Terminated" in text or "Interrupt" in text:
            raise Cancelled("Training was interrupted.") from error
        raise UnbraidError(
            "A process that reads data is dead, most likely for lack of memory; set data.workers lower, and give the "
            "same command again to go on."
        ) from error


class Teller:
    """Reports the progress of training: a bar on a terminal, else a line for each scored epoch."""

    def __init__(self, name: str, score: "Score", *, quiet: bool) -> None:
        self._name, self._score, self._quiet = name, score, quiet
        self._skipped: int | None = None
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._told_unscored = False
        self.summary = "nothing was left to do"
        self.is_stopped = False  # before the end of the recipe

    def __call__(self, now: "Standing") -> None:
        """Show progress."""
        if self._skipped is not None and now.skipped > self._skipped and not self._quiet:
            notice(f"warning: step {now.step} had gradients that are not finite and was skipped ({now.skipped} so far)")
        self._skipped = now.skipped
        measure = self._score.measure
        best = f", best {self._score.shown(now.best)}" if math.isfinite(now.best) else ""
        scores = "" if math.isnan(now.score) else f" · dev {measure} {self._score.shown(now.score)}{best}"
        self.summary = f"step {now.step} of {now.steps}, epoch {now.epoch:.4g}{scores}"
        self.is_stopped = now.step < now.steps
        if now.is_unscored and not self._told_unscored and not self._quiet:
            self._told_unscored = True
            notice(
                f"warning: dev has no {measure}: every target is silent, or its source is the same sound already. "
                "best.pt holds the latest weights instead of the best."
            )
        if now.part_over and not watched() and not self._quiet:
            notice(f"{self._name}: {self.summary} · loss {now.loss:.2f}")
        if self._bar is not None and self._task is not None:
            text = f"loss {now.loss:6.2f}{scores}"
            if now.dev_batches:
                text = "scoring dev: {} of {}{}".format(*now.dev_batches, best)
            self._bar.update(self._task, completed=now.step, total=now.steps, text=text)

    def __enter__(self) -> "Teller":
        if watched() and not self._quiet:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (
                *(TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn()),
                *(TimeRemainingColumn(), TextColumn("{task.fields[text]}", markup=False)),
            )
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task(printable(self._name), total=None, text="")
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()


def describe(recipe: "Recipe", seen: "Rehearsal") -> list[str]:
    """The lines about a dry run."""
    steps = recipe.part_steps * recipe.trainer.parts
    rows = {
        "device": seen.device,
        "parameters": f"{seen.parameters:,}",
        **seen.rows,
        "loss": ", ".join(f"{loss:.2f}" for loss in seen.losses),
        f"first dev {recipe.task.item}": f"{recipe.task.score.shown(seen.score)} {recipe.task.score.measure}",
        "peak memory": f"{seen.memory_bytes / 1e6:,.0f} MB",
        "an epoch": f"{steps} steps, about {clock(seen.epoch_seconds)}",
        "all epochs": f"{recipe.steps} steps, about {clock(seen.epoch_seconds * recipe.trainer.epochs)}, scoring aside",
    }
    wide = max(map(len, rows))
    lines = [f"{name:{wide}}  {value}" for name, value in rows.items()]
    return [f"{recipe.name}: {recipe.description}".rstrip(": "), *lines, "nothing was written"]
