"""The command line. Each command imports what it needs only when it runs, so that help and errors come at once."""

from typing import Annotated

import typer

from unbraid import __version__
from unbraid.cli.doctor import doctor
from unbraid.cli.export import export
from unbraid.cli.models import models
from unbraid.cli.separate import separate


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"unbraid {__version__}")
        raise typer.Exit


app = typer.Typer(
    name="unbraid",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _unbraid(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Pull recordings apart, without a deep-learning framework: voices out of speech, stems out of music."""


app.command()(separate)
app.add_typer(models, name="models")
app.command()(export)
app.command()(doctor)


def main() -> None:
    """The entry point of the `unbraid` command."""
    app(prog_name="unbraid")
