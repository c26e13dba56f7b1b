"""Tags around recordings, coded sound inside WAV and AVI, and names that say something else: content decides."""

import io
import struct
import time
from pathlib import Path

import numpy as np
import pytest
from wrapped_files import ID3V1, KINDS, LYRICS3, RATE, ape, check, encoded, id3v2, muxed, signal

from unbraid import audio
from unbraid.errors import AudioError

IN_FRONT = {"one": id3v2(), "two": id3v2(77) + id3v2(1000), "footer": id3v2(50, footer=True), "large": id3v2(200_000)}


@pytest.mark.parametrize("front", IN_FRONT)
@pytest.mark.parametrize("kind", KINDS)
def test_tags_in_front(tmp_path: Path, kind: str, front: str) -> None:
    rate = 48000 if kind == "opus" else RATE
    data = encoded(kind, signal(9001), rate)
    expected = audio.read(io.BytesIO(data))[0]
    for behind in (b"", ID3V1):
        assert check(tmp_path / "tagged", IN_FRONT[front] + data + behind, expected, rate) == ()


@pytest.mark.parametrize("behind", [ID3V1, ape(), ape() + ID3V1, LYRICS3 + ID3V1, b"TAG+" + bytes(223) + ID3V1])
@pytest.mark.parametrize("kind", KINDS)
def test_tags_behind(tmp_path: Path, kind: str, behind: bytes) -> None:
    rate = 48000 if kind == "opus" else RATE
    data = encoded(kind, signal(9001), rate)
    assert check(tmp_path / "tagged", data + behind, audio.read(io.BytesIO(data))[0], rate) == ()


CODED = [
    ("libmp3lame", 22050),
    ("libmp3lame", 44100),
    ("mp2", 16000),
    ("pcm_mulaw", 8000),
    ("pcm_alaw", 8000),
    ("adpcm_ms", 8000),
    ("adpcm_ima_wav", 8000),
    ("g722", 16000),
    ("g726", 8000),
    ("ac3", 48000),
    ("adpcm_yamaha", 8000),
    ("wmav2", 44100),
]


@pytest.mark.parametrize("container", ["wav", "avi"])
@pytest.mark.parametrize(("codec", "rate"), CODED)
def test_coded_sound_in_wav_and_avi(tmp_path: Path, container: str, codec: str, rate: int) -> None:
    import av

    tone = (0.3 * np.sin(2 * np.pi * 440 / rate * np.arange(rate))).astype(np.float32)[None]
    file = tmp_path / f"a.{container}"
    layout = "mono"
    with av.open(str(file), "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate, layout=layout)
        stream.bit_rate = 32000 if codec == "g726" else 64000
        frame = av.AudioFrame.from_ndarray(tone, format="fltp", layout=layout)
        frame.sample_rate, frame.pts = rate, 0
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    for source in (file, io.BytesIO(file.read_bytes())):
        samples, found = audio.read(source)
        assert found == rate
        assert 0.9 * rate < samples.shape[1] < 1.2 * rate
        peak = np.argmax(np.abs(np.fft.rfft(samples[0]))) * rate / samples.shape[1]
        assert 435 < peak < 445
        part, _ = audio.read(source, audio.Excerpt(start=0.5, duration=0.25))
        np.testing.assert_allclose(part, samples[:, rate // 2 : rate // 2 + rate // 4], atol=1e-6)


@pytest.mark.parametrize(
    "extension", [".wav", ".mp3", ".snd", ".au", ".flac", ".ogg", ".m4a", ".ul", ".raw", ".vox", ".gsm", ""]
)
@pytest.mark.parametrize("kind", [*KINDS, "m4a", "adts", "mka", "avi", "mp3 without a table"])
def test_names_that_say_something_else(tmp_path: Path, kind: str, extension: str, capfd) -> None:  # type: ignore[no-untyped-def]
    data = {
        "m4a": lambda: muxed("ipod", "aac", signal(9001)),
        "adts": lambda: muxed("adts", "aac", signal(9001)),
        "mka": lambda: muxed("matroska", "aac", signal(9001)),
        "avi": lambda: muxed("avi", "pcm_mulaw", signal(9001)),
        "mp3 without a table": lambda: muxed("mp3", "libmp3lame", signal(9001), write_xing="0", id3v2_version="0"),
    }.get(kind, lambda: encoded(kind, signal(9001), 48000 if kind == "opus" else RATE))()
    path = tmp_path / ("sound" + extension)
    path.write_bytes(data)
    samples, rate = audio.read(path)
    np.testing.assert_array_equal(samples, audio.read(io.BytesIO(data))[0])
    assert rate == (48000 if kind == "opus" else RATE)
    assert 9001 <= samples.shape[1] < 14000
    assert capfd.readouterr().err == ""


HOSTILE = {
    "zeros": b"RIFF\0\0\0\0WAVE" + bytes(60_000_000),
    "chunks without a body": b"RIFF\0\0\0\0WAVE" + b"JUNK\0\0\0\0" * 2_000_000,
    "small chunks": b"RIFF\0\0\0\0WAVE" + (b"LIST\4\0\0\0abcd") * 1_000_000,
    "a chunk of 4 GiB": b"RIFF\0\0\0\0WAVEJUNK\xff\xff\xff\xff" + bytes(1000),
    "chunks of AIFF": b"FORM\0\0\0\0AIFF" + b"NAME\0\0\0\0" * 1_000_000,
    "zeros of AIFF": b"FORM\0\0\0\0AIFF" + bytes(30_000_000),
    "zeros of CAF": b"caff\0\1\0\0" + bytes(30_000_000),
    "chunks of CAF": b"caff\0\1\0\0" + b"free\0\0\0\0\0\0\0\0" * 1_000_000,
    "a negative length": b"caff\0\1\0\0" + b"free" + struct.pack(">q", -(1 << 62)) + bytes(1000),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_files_without_samples_are_refused_soon(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(HOSTILE[name])
    started = time.process_time()
    with pytest.raises(
        AudioError, match=r"has the header of an? \w+ file, but no samples behind it\. Get an intact copy"
    ):
        audio.Reader(path)
    assert time.process_time() - started < 2  # a bound that is promised


def test_boxes_inside_boxes_are_not_followed_without_end() -> None:
    nested = b"".join(struct.pack(">I4s", 8 * depth, b"moov") for depth in range(20_000, 0, -1))
    with pytest.raises(AudioError, match="is not audio"):
        audio.read(io.BytesIO(struct.pack(">I4s8x", 16, b"ftyp") + nested))


def test_many_small_tags_and_tables(tmp_path: Path) -> None:
    for data in (id3v2(0) * 300_000, ID3V1 * 100_000, b"OggS\0\2" * 200_000, b"\xff\xfb\x90\0" * 300_000):
        path = tmp_path / "a.mp3"
        path.write_bytes(data)
        started = time.process_time()
        with pytest.raises(AudioError):
            audio.read(path)
        assert time.process_time() - started < 4


@pytest.mark.parametrize("kind", ["wav", "aiff", "flac", "vorbis"])
def test_a_header_behind_other_bytes(tmp_path: Path, kind: str) -> None:
    """MacBinary, and dictation machines with a header of their own."""
    data = encoded(kind, signal(9001))
    macbinary = b"\0\4song".ljust(128, b"\0")
    notices = check(tmp_path / "song", macbinary + data, audio.read(io.BytesIO(data))[0])
    assert notices == ("it begins with 128 bytes of other data, which are skipped",)


def test_archives_are_no_recordings(tmp_path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(tmp_path / "songs.zip", "w") as archive:
        archive.writestr("a.wav", encoded("wav", signal(9001)))
    with pytest.raises(AudioError, match="is not audio"):
        audio.read(tmp_path / "songs.zip")


def test_mp3_behind_other_bytes(tmp_path: Path) -> None:
    data = encoded("mp3", signal(16000))
    path = tmp_path / "a.mp3"
    path.write_bytes(b"junk of a server\r\n" * 20 + data)
    assert abs(audio.read(path)[0].shape[1] - 16000) < 2000
    path.write_bytes(id3v2() + bytes(5000) + data)  # a tag with more padding than it says
    assert abs(audio.read(path)[0].shape[1] - 16000) < 2000


def test_ac3_that_calls_itself_pcm(tmp_path: Path) -> None:
    """As it goes to a receiver by cable: as samples it would be loud noise."""
    tone = (0.3 * np.sin(2 * np.pi * 440 / 48000 * np.arange(48000))).astype(np.float32)
    bursts = muxed("spdif", "ac3", np.stack([tone, tone]), 48000)
    head = struct.pack("<IHHIIHH", 16, 1, 2, 48000, 192000, 4, 16)
    data = b"WAVEfmt " + head + b"data" + struct.pack("<I", len(bursts)) + bursts
    (tmp_path / "a.wav").write_bytes(b"RIFF" + struct.pack("<I", len(data)) + data)
    samples, _ = audio.read(tmp_path / "a.wav")
    assert abs(np.argmax(np.abs(np.fft.rfft(samples[0]))) * 48000 / samples.shape[1] - 440) < 2


def test_too_many_recordings(tmp_path: Path) -> None:
    (tmp_path / "many.wav").write_bytes(encoded("wav", signal(1)) * 10_001)
    with pytest.raises(AudioError, match="holds more than 10000 recordings, one after the other"):
        audio.Reader(tmp_path / "many.wav")
