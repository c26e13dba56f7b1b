"""`unbraid models`: list, download, import and remove models."""

import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unbraid.cli import completion
from unbraid.cli import options as opt
from unbraid.cli.console import guarded, json_text, notice, say, telling
from unbraid.cli.group import Group
from unbraid.cli.progress import Meter
from unbraid.errors import UnbraidError
from unbraid.files.printable import printable

if TYPE_CHECKING:
    from unbraid.hub.names import ListedModel

models = typer.Typer(
    cls=Group, rich_markup_mode="rich", help="List, describe, recommend, download, import and remove models."
)
_MANY_COLUMNS = 1000  # more than the table takes
_MANY_SCORES = 3  # more are on the model's card, and in --json
_USES = {"commercial": "", "unclear": " (data: see info)", "non-commercial": " (non-commercial)"}
_WHERE = {"packaged": "here, inside unbraid", "cached": "here", "published": "not here"}
_Name = Annotated[
    str,
    typer.Argument(metavar="NAME", help="A name that `unbraid models` lists.", autocompletion=completion.models),
]


@models.callback(invoke_without_command=True)
def list_models(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False,
    licence: Annotated[
        str | None,
        typer.Option(metavar="USE", help="Only models for this use: commercial, unclear or non-commercial."),
    ] = None,
) -> None:
    """List the models: where they are, stems, sample rate, size, licence and scores."""
    if context.invoked_subcommand is not None:
        return
    with guarded(as_json=as_json):
        from unbraid.hub import names as hub
        from unbraid.hub.licences import check_use

        wanted = None if licence is None else check_use(licence)
        entries = [entry for entry in hub.entries() if wanted in (None, entry.use)]
        if as_json:
            say(json_text([_as_json(entry) for entry in entries]))
            return
        _print_list(entries)
        for folder, reason in hub.damaged().items():
            notice(f"damaged, and left out: {folder}: {reason}")
        if any(entry.folder is None for entry in entries):
            say("Download a model that is not on this machine with `unbraid models pull NAME`.")
        if any(entry.use == "unclear" for entry in entries):
            say("(data: see info): commercial use is unclear; see `unbraid models info NAME`.")


@models.command()
def pull(
    name: _Name,
    offline: Annotated[
        bool, typer.Option("--offline", help="Do not download: fail unless the model is on this machine.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Download a published model, at the commit that unbraid pins; resumes an earlier attempt.

    Where none is pinned, the newest is taken and recorded in the model's provenance.
    """
    with guarded():
        from unbraid.hub import licences
        from unbraid.hub import names as hub
        from unbraid.hub.catalogue import catalogue
        from unbraid.hub.spec import read_spec

        entry = catalogue().published.get(name)
        if entry and not quiet:
            say(*licences.lines(entry.licence, entry.terms))
        with Meter(name, "bytes", quiet=quiet) as meter:
            folder = hub.pull(name, progress=meter, offline=offline or None)
        if not quiet:
            spec = read_spec(folder)
            say(f"{name} is at {folder}", f"  {spec.provenance}")
            if entry is None:
                say(f"  Licence of the weights: {spec.licence}")


@models.command("import")
def import_(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR",
            help="A checkpoint of SpeechBrain, 3D-Speaker, WeSpeaker, Spleeter or Demucs, a RoFormer, Whisper, "
            "SpeechT5, Wav2Vec2 or HuBERT.",
        ),
    ],
    to: Annotated[str, typer.Option("--to", metavar="NAME", help="The name of the model.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a model of that name.")] = False,
) -> None:
    """Convert a published checkpoint on this disk to a model."""
    with guarded():
        from unbraid.hub import names as hub

        say(f"{to} is at {hub.import_model(folder, to, overwrite=overwrite)}")


@models.command()
def remove(name: _Name) -> None:
    """Delete a model that was pulled or imported."""
    with guarded():
        from unbraid.hub import names as hub

        hub.remove(name)
        say(f"{name} is removed")


@models.command()
def info(
    name: _Name,
    as_json: Annotated[bool, typer.Option("--json", help="Print the facts as JSON.")] = False,
) -> None:
    """Print the facts about a model: stems, sample rate, size, licence, origin of its weights, scores."""
    with guarded(as_json=as_json):
        from unbraid.cli.model_info import facts_about, lines_about

        facts = facts_about(name)
        say(*([json_text(facts)] if as_json else lines_about(facts)))


@models.command()
def recommend(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The recording to separate, or - for standard input.")],
    threads: opt.Threads = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the estimates as JSON.")] = False,
) -> None:
    """Estimate the time and memory of each model for a recording on this machine, with scores and licences."""
    with guarded(as_json=as_json):
        from unbraid.cli.files.inputs import Item
        from unbraid.cli.pipes import Sources
        from unbraid.cli.recommend import facts_for, lines_for

        item = Item(None if str(file) == "-" else file)
        with Sources(quiet=as_json) as sources:
            source = sources.path(item)
            try:
                with Meter(f"measuring for {item.path.name if item.path else item.label}", quiet=as_json):
                    facts = {"input": item.label, **facts_for(source, threads)}
            except UnbraidError as error:
                raise type(error)(sources.naming(item, str(error))) from error
        say(*([json_text(facts)] if as_json else lines_for(facts)))


@models.command()
def path(name: _Name) -> None:
    """Print the folder of a model."""
    with guarded():
        from unbraid.hub import names as hub

        say(str(hub.resolve(name)))


def _as_json(entry: "ListedModel") -> dict[str, Any]:
    return {name: value for name, value in dataclasses.asdict(entry).items() if name != "writes"}


def _print_list(entries: "list[ListedModel]") -> None:
    """As a table where there is the width for it, else a paragraph per model, so that no name is ever broken."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("Name", "Where", "Gives", "Rate", "Size", "Licence", "Scores"):
        table.add_column(heading, justify="right" if heading in ("Rate", "Size") else "left")
    for entry in entries:
        table.add_row(*(Text(printable(cell, keep="\n")) for cell in _cells(entry)))
    console = Console(width=None if sys.stdout and sys.stdout.isatty() else _MANY_COLUMNS)
    if console.measure(table, options=console.options.update_width(_MANY_COLUMNS)).maximum <= console.width:
        with telling():
            console.print(table)
        return
    for entry in entries:
        name, here, gives, *facts, scores = _cells(entry)
        say(f"{name}  [{here}]")
        for line in filter(None, (gives, ", ".join(filter(None, facts)), *scores.splitlines())):
            say(f"    {line}")


def _cells(entry: "ListedModel") -> tuple[str, ...]:
    """The cells of a model; of its scores, the improvements, where there are any."""
    gains = {what: value for what, value in entry.scores.items() if "improvement" in what}
    shown = [f"{value:g} {what}" for what, value in (gains or entry.scores).items()]
    more = len(shown) - _MANY_SCORES
    late = f", {1000 * entry.latency_seconds:.0f} ms late" if entry.latency_seconds is not None else ""
    return (
        entry.name,
        _WHERE[entry.where],
        (", ".join(entry.stems) or entry.writes) + late,
        f"{entry.sample_rate / 1000:g} kHz" if entry.sample_rate else "",
        f"{entry.bytes / 1e6:.1f} MB",
        entry.licence + _USES[entry.use],
        "\n".join((*shown[:_MANY_SCORES], *([f"and {more} more"] if more > 0 else []))),
    )
