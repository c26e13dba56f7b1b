"""Inputs that can be read only once, standard input and named pipes: they are copied to disk before anything else."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO

from unbraid.audio import spooled
from unbraid.cli.files.inputs import Item
from unbraid.cli.progress import Meter
from unbraid.errors import UsageError

Place = Callable[[Item], Path]


@contextmanager
def places(*, quiet: bool = False) -> Iterator[Place]:
    """A function that says where an input can be read again and again; the copies it makes are deleted afterwards."""
    with ExitStack() as copies:

        def place(item: Item) -> Path:
            if item.path is not None and not _is_pipe(item.path):
                return item.path
            with Meter(f"reading {item.label}", "bytes", quiet=quiet) as meter, _opened(item) as pipe:
                return copies.enter_context(spooled(pipe, meter))

        yield place


def naming(item: Item, message: str, source: Path | None) -> str:
    """The message, calling the input what the user calls it, wherever it was read from."""
    if source is not None and source != item.path:
        message = message.replace(str(source), item.label)
    return message if item.path is None or item.label in message else f"{item.label}: {message}"


def _opened(item: Item) -> AbstractContextManager[BinaryIO]:
    """The pipe that an input is."""
    if item.path is not None:
        return item.path.open("rb")
    if sys.stdin is None:
        raise UsageError("Standard input is closed; pipe audio into it, or name a file instead of -.")
    if sys.stdin.isatty():
        raise UsageError("Standard input is the keyboard; pipe audio into it, or name a file instead of -.")
    return nullcontext(sys.stdin.buffer)


def _is_pipe(path: Path) -> bool:
    try:
        return path.is_fifo()
    except OSError:  # whoever reads it will say so
        return False
