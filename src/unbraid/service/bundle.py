"""Several files as one ZIP, which is made while it is sent."""

import time
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

_PIECE = 1 << 18


class _Pipe:
    """A file that cannot be rewound, and hands on what was written to it."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass

    def taken(self) -> bytes:
        whole = b"".join(self._pieces)
        self._pieces.clear()
        return whole


def zipped(files: Sequence[Path]) -> Iterator[bytes]:
    """The pieces of a ZIP of files, uncompressed, for audio is."""
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w") as archive:
        for path in files:
            size, changed = path.stat().st_size, time.localtime(path.stat().st_mtime)
            entry = zipfile.ZipInfo(path.name, changed[:6])
            with path.open("rb") as source, archive.open(entry, "w", force_zip64=size > zipfile.ZIP64_LIMIT) as packed:
                while piece := source.read(_PIECE):
                    packed.write(piece)
                    yield pipe.taken()
    yield pipe.taken()
