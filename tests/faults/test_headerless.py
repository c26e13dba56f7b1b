"""Samples without a header: by their name, or as it is said; never at a rate that nobody stated."""

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
from wrapped_files import check, encoded, signal

from unbraid import audio
from unbraid.audio import ReadOptions
from unbraid.errors import AudioError, UsageError

CODINGS = {  # {our name: (libsndfile's coding, byte order)}
    "s8": ("PCM_S8", "FILE"),
    "u8": ("PCM_U8", "FILE"),
    "s16le": ("PCM_16", "LITTLE"),
    "s16be": ("PCM_16", "BIG"),
    "s24le": ("PCM_24", "LITTLE"),
    "s24be": ("PCM_24", "BIG"),
    "s32le": ("PCM_32", "LITTLE"),
    "f32le": ("FLOAT", "LITTLE"),
    "f32be": ("FLOAT", "BIG"),
    "f64le": ("DOUBLE", "LITTLE"),
    "ulaw": ("ULAW", "FILE"),
    "alaw": ("ALAW", "FILE"),
}


def raw(coding: str, samples: np.ndarray) -> bytes:
    file = io.BytesIO()
    subtype, order = CODINGS[coding]
    soundfile.write(file, samples.T, 8000, format="RAW", subtype=subtype, endian=order)
    return file.getvalue()


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("coding", CODINGS)
def test_as_it_is_said(tmp_path: Path, coding: str, channels: int) -> None:
    samples = signal(9001, channels=channels)
    data = raw(coding, samples)
    reading = ReadOptions(input_format=f"{coding}:16000:{channels}")
    expected = audio.read(io.BytesIO(data), audio.Excerpt(reading=reading))[0]
    np.testing.assert_allclose(expected, samples, atol=0.02)
    if coding not in ("s8", "u8", "ulaw", "alaw"):
        np.testing.assert_array_equal(expected, samples)
    for name in ("sound.raw", "sound", "sound.wav", "sound.ul"):
        assert check(tmp_path / name, data, expected, 16000, reading) == ()


@pytest.mark.parametrize(
    ("extension", "coding"),
    [(".ul", "ulaw"), (".ulaw", "ulaw"), (".MULAW", "ulaw"), (".al", "alaw"), (".alaw", "alaw"), (".sln", "s16le")],
)
def test_telephone_sound_by_its_name(tmp_path: Path, extension: str, coding: str) -> None:
    data = raw(coding, signal(9001))
    path = tmp_path / f"call{extension}"
    path.write_bytes(data)
    with audio.Reader(path) as reader:
        assert (reader.info.sample_rate, reader.info.channels, reader.info.frames) == (8000, 1, 9001)
        np.testing.assert_allclose(reader.read(), signal(9001), atol=0.02)
        assert reader.notices == (
            f"it has no header, and is read as {coding}:8000:1 by its extension; --input-format changes that",
        )
    with path.open("rb") as file:
        assert audio.probe(file).sample_rate == 8000
    strict = audio.Excerpt(reading=ReadOptions(strict=True))
    assert audio.read(path, strict)[1] == 8000  # it states nothing that is wrong


@pytest.mark.parametrize(("extension", "subtype"), [(".gsm", "GSM610"), (".vox", "VOX_ADPCM")])
def test_coded_telephone_sound(tmp_path: Path, extension: str, subtype: str) -> None:
    path = tmp_path / f"call{extension}"
    tone = 0.3 * np.sin(np.arange(16000) * 0.2)
    soundfile.write(path, tone, 8000, format="RAW", subtype=subtype)
    samples, rate = audio.read(path)
    assert rate == 8000
    assert abs(samples.shape[1] - 16000) < 400
    assert np.argmax(np.abs(np.fft.rfft(samples[0, :16000]))) in range(505, 514)


@pytest.mark.parametrize("extension", [".raw", ".pcm", ".snd", ".g711", ".sw", ".f32"])
def test_what_could_be_anything_is_refused_with_the_option_that_helps(tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"sound{extension}"
    path.write_bytes(raw("s16le", signal(9001)))
    with pytest.raises(
        AudioError, match=r"If it has no header, give the coding of its samples with --input-format, for"
    ):
        audio.read(path)


@pytest.mark.parametrize("seed", range(8))
def test_sound_like_noise_is_never_taken_for_a_format(tmp_path: Path, seed: int) -> None:
    data = np.random.default_rng(seed).bytes(60000)
    for extension in (".raw", ".pcm", ".snd"):
        path = tmp_path / f"sound{extension}"
        path.write_bytes(data)
        with pytest.raises(AudioError, match="--input-format"):
            audio.read(path)
    (tmp_path / "sound.ul").write_bytes(data)
    assert audio.read(tmp_path / "sound.ul")[0].shape == (1, 60000)


NAMES = "s8, u8, s16le, s24le, s32le, f32le, f64le, s16be, s24be, s32be, f32be, f64be, ulaw, alaw, gsm, vox"
WRONG = {
    "opus:48000": f"There is no input format 'opus:48000': a coding is one of {NAMES}, followed by the sample rate and "
    "the channels, for example ulaw:8000, or s16le:44100:2.",
    "s16le": "The input format 's16le' does not say the sample rate; add it, for example ulaw:8000, or s16le:44100:2.",
    "s16le:1e5": "The input format 's16le:1e5' is not CODING:RATE:CHANNELS, for example ulaw:8000, or s16le:44100:2.",
    "s16le:44100:2:3": "The input format 's16le:44100:2:3' is not CODING:RATE:CHANNELS, for example ulaw:8000, or "
    "s16le:44100:2.",
    "ulaw:0": "The input format 'ulaw:0' is not possible: rates go from 1 to 1000000 Hz, channels from 1 to 1024.",
    "ulaw:9:0": "The input format 'ulaw:9:0' is not possible: rates go from 1 to 1000000 Hz, channels from 1 to 1024.",
    "gsm:8000:2": "The input format 'gsm:8000:2' is not possible: gsm has one channel.",
}


@pytest.mark.parametrize("text", WRONG)
def test_formats_that_cannot_be(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        ReadOptions(input_format=text)
    assert str(caught.value) == WRONG[text]


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("ulaw", "ulaw:8000:1"),
        ("PCM_S16LE:44100", "s16le:44100:1"),
        ("s16:8000", "s16le:8000:1"),
        ("mu-law", "ulaw:8000:1"),
    ],
)
def test_other_names(text: str, same: str) -> None:
    from unbraid.audio import headerless

    assert str(headerless.parse(text)) == same


def test_a_file_with_a_header_is_read_as_it_is_said(tmp_path: Path) -> None:
    """As sox and ffmpeg do: who says so means it."""
    (tmp_path / "a.wav").write_bytes(encoded("wav", signal(1000)))
    samples, rate = audio.read(tmp_path / "a.wav", audio.Excerpt(reading=ReadOptions(input_format="s16le:48000")))
    assert rate == 48000
    assert samples.shape == (1, 1022)
    np.testing.assert_array_equal(samples[:, 22:], signal(1000))


@pytest.mark.parametrize("ending", [".ul", ".AL", ".ulaw", ".alaw", ".gsm", ".vox", ".sln"])
def test_folders_are_searched_for_telephone_sound(ending: str) -> None:
    from unbraid.audio.extensions import EXTENSIONS

    assert ending.lower().removeprefix(".") in EXTENSIONS
