"""The wire format of protocol buffers, as far as TensorFlow's checkpoints and ONNX graphs need it.

Source: protobuf.dev/programming-guides/encoding.
"""

from collections.abc import Iterator

Value = int | bytes


def varint(data: bytes, at: int) -> tuple[int, int]:
    """A number in groups of seven bits, lowest first, and the place after it."""
    value = shift = 0
    while shift < 64:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
    raise ValueError("a number in it has no end")


def fields(data: bytes) -> Iterator[tuple[int, Value]]:
    """(field number, value) of a protocol buffer: numbers as int, everything else as bytes."""
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        field, wire = tag >> 3, tag & 7
        if wire == 0:
            value, at = varint(data, at)
            yield field, value
            continue
        if wire == 2:
            length, at = varint(data, at)
        elif wire in (1, 5):
            length = {1: 8, 5: 4}[wire]
        else:
            raise ValueError(f"it has a field of unknown type {wire}")
        if at + length > len(data):
            raise ValueError("a field reaches beyond its end")
        yield field, data[at : at + length]
        at += length


def number(found: dict[int, Value], field: int) -> int:
    """A number; absent means zero."""
    value = found.get(field, 0)
    return value if isinstance(value, int) else int.from_bytes(value, "little")
