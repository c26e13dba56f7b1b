"""Parts of a file, with some bytes replaced, as a file object.

A tag before a recording is skipped, a wrong size is corrected, and each of several recordings in one file is
opened alone: decoders see a plain file.
"""

import io
import os
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO

Piece = range | bytes  # bytes of the file between two positions, or these
_BUFFER_BYTES = 1 << 16


class _View(io.RawIOBase):
    """The pieces one after the other; the file below stays open."""

    def __init__(self, file: BinaryIO, pieces: Sequence[Piece]) -> None:
        self._file, self._pieces = file, pieces
        self._starts = [0, *accumulate(len(piece) for piece in pieces)]
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._starts[-1]}[whence]
        self._at = max(base + offset, 0)  # an error would be printed: the callbacks of C code cannot pass it on
        return self._at

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        """As many bytes as the piece at the position holds."""
        number = bisect_right(self._starts, self._at) - 1
        if number >= len(self._pieces) or not len(buffer):
            return 0
        piece, inside = self._pieces[number], self._at - self._starts[number]
        size = min(len(buffer), len(piece) - inside)
        if isinstance(piece, bytes):
            data = piece[inside : inside + size]
        else:
            self._file.seek(piece.start + inside)
            data = self._file.read(size)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


@contextmanager
def opened(source: Path | BinaryIO, pieces: Sequence[Piece] | None = None) -> Iterator[BinaryIO]:
    """A seekable file to read, or the pieces of it as one file; it is closed if it was opened here."""
    with source.open("rb") if isinstance(source, Path) else nullcontext(source) as file:
        yield file if pieces is None else io.BufferedReader(_View(file, pieces), _BUFFER_BYTES)


def patched(whole: range, patches: Mapping[int, bytes]) -> tuple[Piece, ...]:
    """A stretch of a file, with other bytes at some positions of it."""
    pieces: list[Piece] = []
    at = whole.start
    for position, data in sorted(patches.items()):
        pieces += [range(at, position), data]
        at = position + len(data)
    pieces.append(range(at, whole.stop))
    return tuple(piece for piece in pieces if len(piece))
