"""The command line. Each command imports what it needs only when it runs, so that help and errors come at once."""

from typing import Annotated

import typer

from unbraid import __version__
from unbraid.cli.align import align
from unbraid.cli.analyse import analyse
from unbraid.cli.attention import attention
from unbraid.cli.batch import batch
from unbraid.cli.compare import compare
from unbraid.cli.console import EXIT_CODES, guarded, say, stdout_watched
from unbraid.cli.convert import convert
from unbraid.cli.data import data
from unbraid.cli.diarize import diarize
from unbraid.cli.doctor import doctor
from unbraid.cli.enhance import enhance
from unbraid.cli.evaluate import evaluate
from unbraid.cli.export import export
from unbraid.cli.group import Commands
from unbraid.cli.live import live
from unbraid.cli.melody import melody
from unbraid.cli.models import models
from unbraid.cli.notes import notes
from unbraid.cli.offers import ModelCommand
from unbraid.cli.phonemize import phonemize
from unbraid.cli.recipe_help import TrainCommand
from unbraid.cli.run_model import run
from unbraid.cli.separate import separate
from unbraid.cli.serve import serve
from unbraid.cli.singers import singers
from unbraid.cli.synthesize import synthesize
from unbraid.cli.train import train
from unbraid.cli.transcribe import transcribe


def _version(asked: bool) -> None:
    if asked:
        with guarded():
            say(f"unbraid {__version__}")
        raise typer.Exit


app = typer.Typer(
    name="unbraid",
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    epilog="Exit codes: " + "; ".join(f"{code} {meaning}" for code, meaning in EXIT_CODES.items()) + ".",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _unbraid(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Separate recordings without a deep-learning framework: voices of speech, stems of music."""


for command in (
    separate,
    diarize,
    enhance,
    live,
    transcribe,
    align,
    analyse,
    melody,
    notes,
    singers,
    serve,
    batch,
    phonemize,
    synthesize,
    convert,
    run,
    train,
    export,
    evaluate,
    compare,
    attention,
    doctor,
):
    app.command(cls=TrainCommand if command is train else ModelCommand)(command)
app.add_typer(models, name="models")
app.add_typer(data, name="data")


def main() -> None:
    """The entry point of the `unbraid` command."""
    with stdout_watched():
        app(prog_name="unbraid")
