"""The commands as a group: invalid options are reported as JSON too, where --json was given."""

from contextlib import suppress
from inspect import cleandoc
from typing import Any

from typer.core import TyperGroup

from unbraid.cli.console import interruption_told, json_text, say
from unbraid.errors import UnbraidError


class Group(TyperGroup):
    """Commands whose help reads well in a terminal of any width.

    Flags are listed without a value: `--json <bool>` would look as if a word followed it. Paragraphs lose the line
    breaks of the source, which would stay beside those of the terminal.
    """

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of that name, or None."""
        command = super().get_command(ctx, cmd_name)
        if command is None:
            return None
        options: list[Any] = [*command.params, command.get_help_option(ctx)]
        for option in options:
            if getattr(option, "is_flag", False):
                option.metavar = ""
        paragraphs = cleandoc(command.help or "").split("\n\n")
        command.help = "\n\n".join(paragraph.replace("\n", " ") for paragraph in paragraphs)
        return command


class Commands(Group):
    """All commands of the program."""

    def make_context(self, *args: Any, **options: Any) -> Any:
        """Parse the words; commands are `guarded` only once they run."""
        with interruption_told():
            return super().make_context(*args, **options)

    def invoke(self, ctx: Any) -> Any:
        """Run the command that the words name."""
        words = list(ctx.args)  # after the command's name; words after `--` are no options
        try:
            with interruption_told():
                return super().invoke(ctx)
        except Exception as error:
            tell = getattr(error, "format_message", None)  # typer's own errors have it, whoever defines them
            if tell and "--json" in words[: words.index("--") if "--" in words else None]:
                with suppress(UnbraidError):  # standard output takes nothing; standard error gets its sentence
                    say(json_text({"error": tell()}))
            raise
