"""The commands as a group: options that cannot be parsed are told as JSON too, where that was asked for."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import typer
from typer.core import TyperGroup

from unbraid.cli.console import INTERRUPTED, report_error, say
from unbraid.errors import UnbraidError


@contextmanager
def _interruption_told() -> Iterator[None]:
    """Say that the program was interrupted, before a command is `guarded` or after."""
    try:
        yield
    except KeyboardInterrupt:
        report_error("interrupted.")
        raise typer.Exit(INTERRUPTED) from None


class Commands(TyperGroup):
    """All commands of the program."""

    def make_context(self, *args: Any, **options: Any) -> Any:
        """Parse the words."""
        with _interruption_told():
            return super().make_context(*args, **options)

    def invoke(self, ctx: Any) -> Any:
        """Run the command that the words name."""
        words = list(ctx.args)  # behind the command's name; what follows `--` is no option
        try:
            with _interruption_told():
                return super().invoke(ctx)
        except Exception as error:
            tell = getattr(error, "format_message", None)  # typer's own errors have it, whoever defines them
            if tell and "--json" in words[: words.index("--") if "--" in words else None]:
                with suppress(UnbraidError):  # standard output takes nothing; standard error gets its sentence
                    say(json.dumps({"error": tell()}))
            raise
