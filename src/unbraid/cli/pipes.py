"""Inputs that can be read only once, standard input and named pipes: they are copied to disk before anything else."""

import sys
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import Any, BinaryIO, Self

from unbraid.audio import spooled
from unbraid.cli.files.inputs import Item
from unbraid.cli.progress import Meter
from unbraid.errors import UsageError


class Pushback:
    """A pipe, of which bytes that were read can be put back."""

    def __init__(self, pipe: BinaryIO) -> None:
        self._pipe, self._back, self.name = pipe, b"", getattr(pipe, "name", "<stdin>")

    def read(self, size: int) -> bytes:
        """The next bytes; fewer than SIZE only at the end."""
        data, self._back = self._back[:size], self._back[size:]
        return data + self._pipe.read(size - len(data)) if len(data) < size else data

    def unread(self, data: bytes) -> None:
        """Put bytes in front of those to come."""
        self._back = data + self._back


class Sources:
    """The file to read each input from, as often as needed; copies of pipes are deleted at the end."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet, self._copies, self._delete = quiet, dict[Item, Path](), ExitStack()
        self._stdin: Pushback | None = None

    def path(self, item: Item) -> Path:
        """A file with this input's content."""
        if item.path is not None and not _is_pipe(item.path):
            return item.path
        if item not in self._copies:
            with Meter(f"reading {item.label}", "bytes", quiet=self._quiet) as meter, self._opened(item) as pipe:
                self._copies[item] = self._delete.enter_context(spooled(pipe, meter))
        return self._copies[item]

    @property
    def stdin(self) -> Pushback:
        """Standard input, as far as it was not read.

        Raises:
            UsageError: it is closed, or the keyboard.
        """
        self._stdin = self._stdin or Pushback(_standard_input())
        return self._stdin

    def naming(self, item: Item, message: str) -> str:
        """The message, with the input named as the user named it, wherever it was read from."""
        if item in self._copies:
            message = message.replace(str(self._copies[item]), item.label)
        return message if item.path is None or item.label in message else f"{item.label}: {message}"

    def _opened(self, item: Item) -> AbstractContextManager[Any]:
        """The pipe that an input is."""
        return nullcontext(self.stdin) if item.path is None else item.path.open("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._delete.close()


def _standard_input() -> BinaryIO:
    if sys.stdin is None:
        raise UsageError("Standard input is closed; pipe audio into it, or name a file instead of -.")
    if sys.stdin.isatty():
        raise UsageError("Standard input is the keyboard; pipe audio into it, or name a file instead of -.")
    return sys.stdin.buffer


def _is_pipe(path: Path) -> bool:
    try:
        return path.is_fifo()
    except OSError:  # reading it gives the message
        return False
