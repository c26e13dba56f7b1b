"""Search a file for a pattern of bytes in constant memory."""

import re
from collections.abc import Iterator
from typing import BinaryIO

_FIRST_BYTES, _BLOCK_BYTES = 1 << 14, 1 << 20  # read at once; most matches are near
LONGEST = 128  # bytes that a pattern may match


def find_all(file: BinaryIO, pattern: re.Pattern[bytes], at: int) -> Iterator[int]:
    """The positions, from `at` on, in order."""
    kept, last, size = b"", -1, _FIRST_BYTES
    while True:
        file.seek(at)
        block = file.read(size)
        if not block:
            return
        data, first = kept + block, at - len(kept)
        for match in pattern.finditer(data):
            if first + match.start() > last:
                last = first + match.start()
                yield last
        kept, at, size = data[-LONGEST:], at + len(block), min(2 * size, _BLOCK_BYTES)
