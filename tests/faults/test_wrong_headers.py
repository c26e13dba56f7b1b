"""Headers that state what is not so: all samples are read, and nothing else; a notice says so, or strict reading."""

import io
import re
import struct
from pathlib import Path

import numpy as np
import pytest
from wrapped_files import ID3V1, PLAIN, RATE, ape, check, encoded, id3v2, muxed, signal

from unbraid import audio
from unbraid.audio import ReadOptions
from unbraid.errors import AudioError

FRAMES = 10000
# Where the size of the samples is: (text before it, bytes between, form, bytes that it counts besides the samples)
SIZES = {
    "wav": (b"data", 0, "<I", 0),
    "wavex": (b"data", 0, "<I", 0),
    "float": (b"data", 0, "<I", 0),
    "ulaw": (b"data", 0, "<I", 0),
    "w64": (b"data\xf3\xac\xd3\x11\x8c\xd1\x00\xc0O\x8e\xdb\x8a", 0, "<q", 24),
    "aiff": (b"SSND", 0, ">I", 8),
    "aifc": (b"SSND", 0, ">I", 8),
    "au": (b".snd", 4, ">I", 0),
    "caf": (b"data", 0, ">q", 4),
    "rf64": (b"ds64", 12, "<Q", 0),
}
UNKNOWN = {"<I": 0xFFFFFFFF, ">I": 0xFFFFFFFF, ">q": -1, "<Q": 0, "<q": 24}


def with_size(kind: str, data: bytes, size: int | None) -> bytes:
    """The file with another size of its samples (None: none)."""
    before, skipped, form, more = SIZES[kind]
    at = data.index(before) + len(before) + skipped
    value = UNKNOWN[form] if size is None else size + more
    return data[:at] + struct.pack(form, value) + data[at + struct.calcsize(form) :]


def refused(data: bytes, notices: tuple[str, ...]) -> None:
    """Strict reading says the same as an error."""
    with pytest.raises(AudioError) as caught:
        audio.read(io.BytesIO(data), audio.Excerpt(reading=ReadOptions(strict=True)))
    assert notices[0] in str(caught.value)


class _Pipe(io.RawIOBase):
    """Bytes that come once."""

    def __init__(self, data: bytes) -> None:
        self._bytes = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]
        return self._bytes.readinto(buffer)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.0])
@pytest.mark.parametrize("kind", SIZES)
def test_too_few_samples(tmp_path: Path, kind: str, share: float) -> None:
    samples = signal(FRAMES)
    whole = encoded(kind, samples)
    expected = audio.read(io.BytesIO(whole))[0]
    there = len(whole) - (44 if kind == "wav" else 24)
    data = with_size(kind, whole, int(there * share) // 24 * 24)
    notices = check(tmp_path / "crashed", data, expected)
    assert len(notices) == 1
    assert re.fullmatch(r"its header (states .+ of samples, but .+ are there|does not state .+)", notices[0])
    refused(data, notices)


@pytest.mark.parametrize("kind", [kind for kind in SIZES if kind != "w64"])
def test_no_length(tmp_path: Path, kind: str) -> None:
    """As programs leave it that write into a pipe."""
    whole = encoded(kind, signal(FRAMES))
    data = with_size(kind, whole, None)
    notices = check(tmp_path / "stream", data, audio.read(io.BytesIO(whole))[0])
    assert len(notices) == (kind not in ("au", "caf"))
    if kind != "rf64":  # a pipe cannot come back to its header: nothing odd
        with audio.Reader(_Pipe(data), audio.Excerpt(reading=ReadOptions(strict=True))) as reader:
            assert reader.read().shape[1] == FRAMES
            assert reader.notices == ()


@pytest.mark.parametrize("behind", ["LIST", "id3", "two", "ID3v1", "APE", "cut", "zeros", "text"])
@pytest.mark.parametrize("kind", ["wav", "aiff", "float"])
def test_what_lies_behind_the_samples_is_no_audio(tmp_path: Path, kind: str, behind: str) -> None:
    """Whether the size of the whole file counts it or not."""
    order = ">" if kind == "aiff" else "<"
    chunks = {
        "LIST": b"LIST" + struct.pack(order + "I", 26) + b"INFOINAM" + struct.pack(order + "I", 14) + b"fourteen bytes",
        "id3": b"id3 " + struct.pack(order + "I", 210) + id3v2(),
        "two": (
            b"bext" + struct.pack(order + "I", 602) + bytes(602) + b"xyz " + struct.pack(order + "I", 3) + b"abc\0"
        ),
        "ID3v1": ID3V1,
        "APE": ape() + ID3V1,
        "cut": b"LIST" + struct.pack(order + "I", 9000) + b"INFO",
        "zeros": bytes(500),
        "text": b"<html><body>Some text that a server added</body></html>\n",
    }
    for frames in (FRAMES, FRAMES - 1):
        samples = signal(frames)
        whole = encoded(kind, samples)
        data = whole + chunks[behind]
        check(tmp_path / "more", data, samples)
        counted = data[:4] + struct.pack(order + "I", len(data) - 8) + data[8:]
        assert check(tmp_path / "more", counted, samples) == () or behind == "text"


@pytest.mark.parametrize("behind", [b"", b"LIST" + struct.pack("<I", 4) + b"INFO", ID3V1])
def test_a_stale_size_and_chunks_behind(tmp_path: Path, behind: bytes) -> None:
    samples = signal(FRAMES)
    data = with_size("wav", encoded("wav", samples), 2000) + behind
    check(tmp_path / "stale.wav", data, samples)


def test_an_odd_number_of_bytes(tmp_path: Path) -> None:
    """Chunks begin at even places, whether or not the writer knew."""
    samples = signal(FRAMES - 1)
    fmt = struct.pack("<HHIIHH", 1, 1, RATE, RATE, 1, 8)
    body = np.round(samples[0] * 128 + 128).astype(np.uint8)
    expected = ((body.astype(np.float32) - 128) / 128)[None]
    for pad in (b"\0", b""):
        chunks = (
            b"WAVEfmt " + struct.pack("<I", 16) + fmt + b"data" + struct.pack("<I", len(body)) + body.tobytes() + pad
        )
        for more in (b"", b"LIST" + struct.pack("<I", 4) + b"INFO"):
            data = b"RIFF" + struct.pack("<I", len(chunks + more)) + chunks + more
            assert check(tmp_path / "odd.wav", data, expected) == ()
    data = b"RIFF" + struct.pack("<I", 0) + chunks[:4] + b"JUNK" + struct.pack("<I", 3) + b"abc\0" + chunks[4:]
    check(tmp_path / "odd.wav", data, expected)


def test_more_samples_than_there_are(tmp_path: Path) -> None:
    """Cut off, unless the file ends as a whole one: where its header says, or with the header counted."""
    samples = signal(FRAMES)
    whole = encoded("wav", samples)
    for data in (
        with_size("wav", whole, 2 * FRAMES + 44),
        with_size("wav", whole, 2 * FRAMES + 36),
        with_size("wav", whole, 5 * FRAMES),  # the size of the file is right
    ):
        refused(data, check(tmp_path / "more.wav", data, samples))
    (tmp_path / "cut.wav").write_bytes(whole[:-3000])
    with pytest.raises(AudioError, match="is cut short: its header states 1.250 s, 1.062 s could be read"):
        audio.Reader(tmp_path / "cut.wav")


@pytest.mark.parametrize("size", [0, 100, 0xFFFFFFFF, 10**9, 2 * FRAMES - 500])
def test_the_size_of_the_file(tmp_path: Path, size: int) -> None:
    samples = signal(FRAMES)
    for kind, order in (("wav", "<"), ("aiff", ">")):
        whole = encoded(kind, samples)
        data = whole[:4] + struct.pack(order + "I", size) + whole[8:]
        notices = check(tmp_path / "size", data, samples)
        assert len(notices) == (size != 0xFFFFFFFF)


@pytest.mark.parametrize("at", [28, 32])
@pytest.mark.parametrize("value", [0, 1, 7, 65535])
def test_bytes_of_a_second_or_of_a_frame(tmp_path: Path, at: int, value: int) -> None:
    samples = signal(FRAMES)
    data = bytearray(encoded("wav", samples))
    data[at : at + 2] = struct.pack("<H", value)
    notices = check(tmp_path / "wrong.wav", bytes(data), samples)
    assert len(notices) == 1
    refused(bytes(data), notices)


def test_more_than_four_gigabytes(tmp_path: Path) -> None:
    """The size is what is left of it in 32 bits; chunks may follow. The file is sparse."""
    path = tmp_path / "long.wav"
    true = (1 << 32) + 64000
    for behind in (b"", b"LIST" + struct.pack("<I", 4) + b"INFO"):
        with path.open("wb") as file:
            file.write(encoded("wav", signal(4))[:44])
            file.seek(40)
            file.write(struct.pack("<I", 64000))
            file.seek(44 + 64000)
            file.write(b"\1" * 4000)
            file.seek(44 + true - 2)
            file.write(b"\0\x40" + behind)
        with audio.Reader(path, audio.Excerpt(start=(true - 200) / 2 / RATE)) as reader:
            assert reader.info.frames == true // 2
            assert reader.read()[0, -1] == 0.5
            assert len(reader.notices) == 1


def flac_with(data: bytes, frames: int) -> bytes:
    word = struct.unpack(">Q", data[18:26])[0]
    return data[:18] + struct.pack(">Q", word & ~((1 << 36) - 1) | frames) + data[26:]


@pytest.mark.parametrize("stated", [1, 3000, 8192, 20000, (1 << 36) - 1])
def test_flac(tmp_path: Path, stated: int) -> None:
    samples = signal(FRAMES)
    data = flac_with(encoded("flac", samples), stated)
    for tag in (b"", ID3V1):
        notices = check(tmp_path / "a.flac", data + tag, samples)
        assert len(notices) == 1
        refused(data, notices)


def test_flac_without_a_length(tmp_path: Path) -> None:
    samples = signal(FRAMES)
    assert check(tmp_path / "a.flac", flac_with(encoded("flac", samples), 0), samples) == ()


@pytest.mark.parametrize("kind", ["vorbis", "opus"])
def test_ogg_without_its_last_mark(tmp_path: Path, kind: str) -> None:
    from unbraid.audio import checksums

    rate = 48000
    whole = encoded(kind, signal(5 * rate), rate)
    expected = audio.read(io.BytesIO(whole))[0]
    at = whole.rindex(b"OggS")
    page = bytearray(whole[at:])
    page[5] &= ~4
    page[22:26] = bytes(4)
    page[22:26] = checksums.ogg_page(bytes(page))
    data = whole[:at] + bytes(page)
    notices = check(tmp_path / "a.ogg", data, expected, rate)
    assert notices == ("it has no end-of-stream mark, as in a recording that was never completed",)
    refused(data, notices)
    page[30] ^= 1
    with pytest.raises(AudioError, match="is cut short: its end is missing"):
        audio.read(io.BytesIO(whole[:at] + bytes(page)))


@pytest.mark.parametrize("counted", [3, 1000])
def test_mp3_frames_counted_wrongly(tmp_path: Path, counted: int) -> None:
    """All frames are decoded; the table of the encoder's delay stays good."""
    samples = signal(60000)
    data = bytearray(encoded("mp3", samples, 16000))
    at = data.index(b"Xing")
    data[at + 8 : at + 12] = struct.pack(">I", counted)
    (tmp_path / "a.mp3").write_bytes(data)
    with audio.Reader(tmp_path / "a.mp3") as reader:
        assert abs(reader.read().shape[1] - 60000) < 1200
        assert len(reader.notices) == 1
    refused(bytes(data), reader.notices)


def test_damage_in_an_mp3_is_no_lie(tmp_path: Path) -> None:
    data = bytearray(encoded("mp3", signal(60000), 16000))
    middle = len(data) // 2
    data[middle : middle + 500] = bytes(500)
    with pytest.raises(AudioError, match="is damaged after"):
        audio.read(io.BytesIO(data))
    assert audio.read(io.BytesIO(data), audio.Excerpt(reading=ReadOptions(skip_damage=True)))[0].shape == (1, 60000)


def test_plain_files_have_nothing_to_say(tmp_path: Path) -> None:
    for kind in (*PLAIN, "flac", "vorbis", "mp3", "ima", "gsm", "ulaw"):
        for frames in (10001, 9000, 1):
            (tmp_path / "a").write_bytes(encoded(kind, signal(frames)))
            with audio.Reader(tmp_path / "a", audio.Excerpt(reading=ReadOptions(strict=True))) as reader:
                reader.read()
                assert reader.notices == ()
    for container, codec in (("wav", "pcm_s16le"), ("aiff", "pcm_s16be"), ("caf", "pcm_s16le")):
        (tmp_path / "a").write_bytes(muxed(container, codec, signal(9001)))
        with audio.Reader(tmp_path / "a", audio.Excerpt(reading=ReadOptions(strict=True))) as reader:
            assert reader.read().shape == (1, 9001)
            assert reader.notices == ()


@pytest.mark.parametrize("length", [1 << 50, (1 << 62) + 8, (1 << 63) - 8])
def test_a_chunk_far_beyond_the_end(tmp_path: Path, length: int) -> None:
    """Where file systems cannot even seek."""
    data = bytearray(encoded("w64", signal(100)))
    at = data.index(b"fmt ") + 16
    data[at : at + 8] = struct.pack("<q", length)
    notices = check(tmp_path / "a.w64", bytes(data), signal(100))
    assert notices == ("the size of its fmt chunk does not lead to the next one",)


def test_samples_that_end_far_beyond_the_file(tmp_path: Path) -> None:
    """Where file systems cannot even seek to look for tags."""
    data = bytearray(encoded("w64", signal(100)))
    at = data.index(b"data\xf3\xac") + 16
    data[at : at + 8] = struct.pack("<q", (1 << 62) + 24)
    (tmp_path / "a.w64").write_bytes(data)
    with audio.Reader(tmp_path / "a.w64") as reader:
        assert reader.read().shape == (1, 100)
        assert len(reader.notices) == 1 and reader.notices[0].endswith("s of samples, but 0.013 s are there")
