"""Search a file for a pattern of bytes in constant memory."""

import re
from collections.abc import Iterator
from typing import BinaryIO

_BLOCK_BYTES = 1 << 20
LONGEST = 128  # bytes that a pattern may match


def find_all(file: BinaryIO, pattern: re.Pattern[bytes], at: int) -> Iterator[int]:
    """The positions, from `at` on, in order."""
    kept, last = b"", -1
    while True:
        file.seek(at)
        block = file.read(_BLOCK_BYTES)
        if not block:
            return
        data, first = kept + block, at - len(kept)
        for match in pattern.finditer(data):
            if first + match.start() > last:
                last = first + match.start()
                yield last
        kept, at = data[-LONGEST:], at + len(block)
