"""WAV through a pipe: what a recorder writes is read, what is written others read, and damage is told in words."""

import io

import numpy as np
import pytest
import soundfile

from unbraid.audio.live_wav import Coding, LiveFormat, read_header
from unbraid.errors import AudioError

SUBTYPES: dict[str, Coding] = {"PCM_16": "s16", "PCM_32": "s32", "FLOAT": "f32"}


def stream(subtype: str = "PCM_16", channels: int = 2, kind: str = "WAV") -> tuple[io.BytesIO, np.ndarray]:
    x = np.random.default_rng(0).uniform(-0.9, 0.9, (100, channels)).astype(np.float32)
    file = io.BytesIO()
    soundfile.write(file, x, 16000, subtype, format=kind)
    file.seek(0)
    return file, x.T


@pytest.mark.parametrize("subtype", SUBTYPES)
@pytest.mark.parametrize("kind", ["WAV", "WAVEX"])
def test_a_recorders_stream_is_read(subtype: str, kind: str) -> None:
    file, x = stream(subtype, kind=kind)
    found = read_header(file.read)
    assert found == LiveFormat(16000, 2, SUBTYPES[subtype])
    data = file.read()
    np.testing.assert_allclose(found.decoded(data[: 100 * found.frame_bytes]), x, atol=2**-15)


@pytest.mark.parametrize("coding", SUBTYPES.values())
def test_a_written_stream_is_a_wav_file(coding: Coding) -> None:
    written = LiveFormat(8000, 2, coding)
    x = np.array([[0, 0.5, -1, 2], [0.25, -0.25, 1, -2]], np.float32)
    data = written.header() + written.encoded(x)
    assert read_header(io.BytesIO(data).read) == written
    read, rate = soundfile.read(io.BytesIO(data), dtype="float32")
    assert rate == 8000
    np.testing.assert_allclose(read.T, x if coding == "f32" else x.clip(-1, 1), atol=2**-15)


def test_integers_come_back_as_they_were() -> None:
    found = LiveFormat(8000)
    data = np.arange(-32768, 32768, dtype="<i2").tobytes()
    assert found.encoded(found.decoded(data)) == data


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "does not begin with a WAV header; say the rate of raw 16-bit samples with --rate"),
        (b"ID3\x03" + bytes(100), "does not begin with a WAV header"),
        (LiveFormat(8000).header()[:30], "is not a WAV file|ends in its WAV header|format is too short"),
        (b"RIFF\0\0\0\0WAVEdata\0\0\0\0", "has samples before their format"),
        (b"RIFF\0\0\0\0WAVELIST\xff\xff\xff\xff", "has a part of 4294967295 bytes; it is damaged"),
        (b"RIFF\0\0\0\0WAVEfmt \x04\0\0\0abcd", "its format is too short"),
        (LiveFormat(8000, 33).header(), "33 channels at 8000 Hz; live audio takes"),
        (LiveFormat(8000).header().replace(b"\x10\0data", b"\x18\0data"), "a WAV of 24 bits"),
    ],
)
def test_damage_is_told(data: bytes, told: str) -> None:
    with pytest.raises(AudioError, match=told):
        read_header(io.BytesIO(data).read)
