"""Chunks that state a wrong size in front of the samples, and samples in several chunks: all samples are read."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from wrapped_files import ID3V1, check, encoded, muxed, signal

from unbraid import audio
from unbraid.audio import ReadOptions
from unbraid.errors import AudioError

W64 = bytes.fromhex("f3acd3118cd100c04f8edb8a")
TEXT = b"INFOINAM" + struct.pack("<I", 38) + b"A title, and after it more of the same"
KINDS = {  # {kind: (what begins the next chunk, form of a size, what the size counts besides the chunk, alignment)}
    "wav": (b"data", "<I", 0, 2),
    "float": (b"data", "<I", 0, 2),
    "rf64": (b"data", "<I", 0, 2),
    "aiff": (b"SSND", ">I", 0, 2),
    "caf": (b"data", ">q", 0, 1),
    "w64": (b"data" + W64, "<q", 24, 8),
}
NAMES = {"aiff": b"ANNO", "caf": b"info"}


def refused(data: bytes, told: str) -> None:
    with pytest.raises(AudioError, match=told):
        audio.read(io.BytesIO(data), audio.Excerpt(reading=ReadOptions(strict=True)))


def with_chunk(
    kind: str, data: bytes, body: bytes, stated: int, *, is_padded: bool = True, before: bytes = b""
) -> bytes:
    """The file with a chunk of text in front of another one, that of the samples unless said otherwise."""
    samples, form, counted, align = KINDS[kind]
    name = NAMES.get(kind, b"LIST") + (W64 if kind == "w64" else b"")
    at = data.index(before or samples)
    pad = bytes(-len(body) % align) if is_padded else b""
    return sized(kind, data[:at] + name + struct.pack(form, stated + counted) + body + pad + data[at:])


def sized(kind: str, data: bytes) -> bytes:
    """The file with its own size as it is."""
    at, form, less = {"rf64": (20, "<Q", 8), "w64": (16, "<q", 0), "aiff": (4, ">I", 8)}.get(kind, (4, "<I", 8))
    field = struct.pack(form, len(data) - less)
    return data if kind == "caf" else data[:at] + field + data[at + len(field) :]


@pytest.mark.parametrize("more", [-20, -11, 13, 400, 5000, 1 << 30])
@pytest.mark.parametrize("kind", KINDS)
def test_a_wrong_size_in_front_of_the_samples(tmp_path: Path, kind: str, more: int) -> None:
    samples = signal(9000)
    data = with_chunk(kind, encoded(kind, samples), TEXT, len(TEXT) + more)
    right = audio.read(io.BytesIO(encoded(kind, samples)))[0]
    notices = check(tmp_path / "a", data, right)
    told = f"the size of its {NAMES.get(kind, b'LIST').decode()} chunk does not lead to the next one"
    assert notices == (told,)
    refused(data, "does not lead to the next one")


@pytest.mark.parametrize("kind", ["wav", "aiff", "w64"])
def test_no_padding_behind_an_odd_size(tmp_path: Path, kind: str) -> None:
    samples = signal(9000)
    data = with_chunk(kind, encoded(kind, samples), TEXT[:-3], len(TEXT) - 3, is_padded=False)
    notices = check(tmp_path / "a", data, samples)
    assert len(notices) == 1
    refused(data, "does not lead to the next one")


@pytest.mark.parametrize("stated", [0, 14, 18, 40, 5000])
def test_a_wrong_size_of_the_format(tmp_path: Path, stated: int) -> None:
    samples = signal(9000)
    data = encoded("wav", samples)
    data = data[:16] + struct.pack("<I", stated) + data[20:]
    assert check(tmp_path / "a.wav", data, samples) == ("the size of its fmt chunk does not lead to the next one",)


def test_two_wrong_sizes(tmp_path: Path) -> None:
    samples = signal(9000)
    data = with_chunk("wav", encoded("wav", samples), TEXT, len(TEXT) + 9, before=b"fmt ")
    data = with_chunk("wav", data, TEXT, len(TEXT) - 9)
    assert check(tmp_path / "a.wav", data + ID3V1, samples)


def test_it_goes_to_ffmpeg_as_well(tmp_path: Path) -> None:
    samples = signal(16000)
    data = muxed("wav", "libmp3lame", samples, 16000)
    expected, _ = audio.read(io.BytesIO(data))
    wrong = data[:16] + struct.pack("<I", 7) + data[20:]
    assert np.array_equal(audio.read(io.BytesIO(wrong))[0], expected)


def test_no_samples_at_all() -> None:
    data = with_chunk("wav", encoded("wav", signal(900)), TEXT, len(TEXT) - 5)
    with pytest.raises(AudioError, match="has the header of a WAV file, but no samples behind it"):
        audio.read(io.BytesIO(data.replace(b"data", b"DATA")))


@pytest.mark.parametrize("between", [b"", b"LIST"])
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "rf64"])
def test_samples_in_several_chunks(tmp_path: Path, kind: str, between: bytes) -> None:
    """All are read, as those of one recording."""
    name, form = KINDS[kind][:2]
    parts = [signal(9000), signal(200, 1), signal(3000, 2)]
    data = b""
    for part in parts:
        whole = encoded(kind, part)
        at = whole.index(name)
        if data and between and kind in ("wav", "float"):
            data += between + struct.pack(form, len(TEXT)) + TEXT
        data += whole[at : at + len(whole)] if data else whole
    data = sized(kind, data)
    right = np.concatenate([audio.read(io.BytesIO(encoded(kind, part)))[0] for part in parts], axis=1)
    notices = check(tmp_path / "a", data, right)
    assert notices == ("its samples are in 3 chunks, which are read one after the other",)
    refused(data, "its samples are in 3 chunks")
