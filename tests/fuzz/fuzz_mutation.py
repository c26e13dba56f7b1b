"""Mutations of bytes: what a file becomes that is damaged, or that somebody made to do damage."""

import random
import struct

NUMBERS = (0, 1, 2, 7, 127, 128, 255, 256, 32767, 65535, 65536, 10**6, 2**31 - 1, 2**31, 2**32 - 1, 2**53, 2**63 - 1)
WORDS = (
    "0", "-1", "1e999", "NaN", "Infinity", "null", "true", "[]", "{}", '""', "1" * 400, "[" * 500, '{"a":' * 200,
    "\\u0000", "\x1b[2J", "../../x", "/dev/zero", "é", "\ufeff", "<<: *a", "&a", "*a", "!!int ''", "2001-99-99",
)  # fmt: skip


def mutate(source: random.Random, data: bytes, others: list[bytes]) -> bytes:
    """One to six changes; `others` are files of the same kind, of which pieces may be taken."""
    changed = bytearray(data)
    for _ in range(source.choice((1, 1, 1, 2, 3, 6))):
        changed = source.choice(_CHANGES)(source, changed, others)
    return bytes(changed)


def _place(source: random.Random, data: bytearray) -> int:
    """Headers are where sizes are: half of all changes are made in the first 256 bytes or the last."""
    near = source.randrange(min(256, len(data)) or 1)
    return source.choice((near, max(0, len(data) - 1 - near), source.randrange(len(data) or 1)))


def _flip(source: random.Random, data: bytearray, _: list[bytes]) -> bytearray:
    if data:
        data[_place(source, data)] ^= 1 << source.randrange(8)
    return data


def _byte(source: random.Random, data: bytearray, _: list[bytes]) -> bytearray:
    if data:
        data[_place(source, data)] = source.choice((0, 1, 0x7F, 0x80, 0xFF, source.randrange(256)))
    return data


def _number(source: random.Random, data: bytearray, _: list[bytes]) -> bytearray:
    width, order = source.choice((1, 2, 4, 8)), source.choice("<>")
    raw = struct.pack(f"{order}{'BHIQ'[(1, 2, 4, 8).index(width)]}", source.choice(NUMBERS) % 2 ** (8 * width))
    at = _place(source, data)
    data[at : at + width] = raw
    return data


def _cut(source: random.Random, data: bytearray, _: list[bytes]) -> bytearray:
    at = _place(source, data)
    del data[at : at + source.choice((1, 4, 64, len(data)))]
    return data


def _repeat(source: random.Random, data: bytearray, _: list[bytes]) -> bytearray:
    at = _place(source, data)
    piece = data[at : at + source.choice((1, 4, 32, 256))]
    data[at:at] = piece * source.choice((1, 2, 16, 200))
    return data


def _word(source: random.Random, data: bytearray, _: list[bytes]) -> bytearray:
    at = _place(source, data)
    data[at : at + source.choice((0, 0, 1, 4))] = source.choice(WORDS).encode()
    return data


def _digits(source: random.Random, data: bytearray, _: list[bytes]) -> bytearray:
    """Another number in place of one in a text."""
    digits = [i for i, byte in enumerate(data[:20_000]) if 48 <= byte <= 57]
    if digits:
        first = last = source.choice(digits)
        while last + 1 < len(data) and 48 <= data[last + 1] <= 57:
            last += 1
        value = source.choice(("-1", "0", "1e9", "0.5", "99999999999999999999", str(source.choice(NUMBERS)), "null"))
        data[first : last + 1] = value.encode()
    return data


def _splice(source: random.Random, data: bytearray, others: list[bytes]) -> bytearray:
    other = source.choice(others)
    at, start = _place(source, data), source.randrange(len(other) or 1)
    piece = other[start : start + source.choice((4, 32, 512))]
    data[at : at + source.choice((0, len(piece)))] = piece
    return data


_CHANGES = (_flip, _byte, _byte, _number, _number, _cut, _repeat, _word, _digits, _digits, _splice)
