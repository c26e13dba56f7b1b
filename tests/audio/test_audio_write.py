"""What is written reads back: same rate, same length, same place, same level; and a failure leaves nothing behind."""

import errno
import math
import os
import re
import struct
import threading
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
import pytest
import soundfile
from audio_signals import lag, noise
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unbraid import audio
from unbraid.audio import mp3, riff
from unbraid.audio.encode import Sink, to_pcm
from unbraid.audio.formats import LIMITS
from unbraid.errors import AudioError

EVERY = [("wav", "16"), ("wav", "24"), ("wav", "32f"), ("flac", "16"), ("flac", "24")]
EVERY += [("ogg", None), ("opus", None), ("mp3", None), ("m4a", None)]


def write_blocks(path: Path, signal: np.ndarray, rate: int, fmt: audio.OutputFormat, size: int, **options) -> None:  # type: ignore[no-untyped-def]
    with audio.open_writer(path, rate, signal.shape[0], fmt, **options) as writer:
        for start in range(0, signal.shape[1], size):
            writer.write(signal[:, start : start + size])
    assert writer.frames == signal.shape[1]
    assert writer.peak == np.abs(signal).max()


@pytest.mark.parametrize(("name", "subtype"), EVERY)
@pytest.mark.parametrize("frames", [1, 2, 575, 1024, 1025, 20011])
def test_round_trip_keeps_length_and_place(tmp_path: Path, name: str, subtype: str | None, frames: int) -> None:
    signal = noise(2, frames)
    path = tmp_path / f"out.{name}"
    write_blocks(path, signal, 48000, audio.choose_format(name, subtype=subtype), 700)
    back, rate = audio.read(path)
    assert (rate, back.shape) == (48000, signal.shape)
    if subtype:
        step = {"16": 2.0**-16, "24": 2.0**-24, "32f": 0}[subtype]
        assert np.abs(back - signal).max() <= step  # rounded to nearest
    elif frames > 500:
        assert lag(signal, back) == 0
        error = np.sum((back - signal) ** 2, dtype=float) / np.sum(signal**2, dtype=float)
        assert error < 0.02  # and not turned, scaled or swapped
        assert np.abs(back - signal).max() < 0.15  # up to the very last sample


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_contract_over_rates_channels_and_lengths(tmp_path: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(LIMITS)))
    asked = data.draw(st.sampled_from([8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000, 88200, 96000, 192000]))
    rate = audio.nearest_rate(name, asked)
    channels = data.draw(st.sampled_from(LIMITS[name].channels[:10]))
    signal = noise(channels, data.draw(st.integers(1, 6000)))
    path = tmp_path / f"out.{name}"
    write_blocks(path, signal, rate, audio.choose_format(name), data.draw(st.integers(1, 5000)) + 200)
    back, found = audio.read(path)
    assert (found, back.shape) == (rate, signal.shape)
    if signal.shape[1] > 2000:  # every channel in its place
        loudness = np.linalg.norm(back, axis=1, keepdims=True)  # of AAC's low-effects channel only the lows come back
        match = np.abs(back / loudness @ signal.T)
        assert list(match.argmax(axis=0)) == list(range(channels))


@pytest.mark.parametrize("rate", [8000, 12000, 16000, 24000, 48000])
def test_opus_keeps_place_at_each_of_its_rates(tmp_path: Path, rate: int) -> None:
    signal = noise(1, rate)
    audio.write(tmp_path / "out.opus", signal, rate, audio.choose_format("opus"))
    assert lag(signal, audio.read(tmp_path / "out.opus")[0]) == 0


@pytest.mark.parametrize("name", ["ogg", "opus", "m4a"])
def test_surround_channels_keep_their_speakers(tmp_path: Path, name: str) -> None:
    """Written by us, read by FFmpeg: left stays left, although Vorbis counts its channels otherwise."""
    from unbraid.audio.ffmpeg import FfmpegDecoder

    signal = noise(6, 24000)
    signal[3] = np.sin(np.arange(24000) * 2 * np.pi * 60 / 48000) * 0.3  # what a subwoofer's channel can carry
    path = tmp_path / f"out.{name}"
    audio.write(path, signal, 48000, audio.choose_format(name))
    decoder = FfmpegDecoder(path, str(path))
    back = decoder.read(24000)
    decoder.close()
    scale = np.linalg.norm(back, axis=1)[:, None] * np.linalg.norm(signal, axis=1)
    assert np.diag(np.abs(back @ signal.T) / scale).min() > 0.9


def test_integers_round_to_nearest_and_saturate() -> None:
    values = np.array([[-2, -1, -0.5 / 32768, 0.4 / 32768, 0.6 / 32768, 32767 / 32768, 1, 2]], np.float32)
    assert to_pcm(values, 16).tolist() == [[-32768, -32768, 0, 0, 1, 32767, 32767, 32767]]
    assert to_pcm(values[:, [0, 6]], 24).tolist() == [[-(2**23), 2**23 - 1]]


@pytest.mark.parametrize(("name", "subtype"), EVERY)
def test_loud_samples_never_wrap_around(tmp_path: Path, name: str, subtype: str | None) -> None:
    signal = 3 * np.sin(2 * np.pi * 200 * np.arange(9600) / 48000, dtype=np.float32)[None]
    path = tmp_path / f"out.{name}"
    write_blocks(path, signal, 48000, audio.choose_format(name, subtype=subtype), 1000)
    back, _ = audio.read(path)
    if subtype == "32f":
        np.testing.assert_array_equal(back, signal)
    else:
        limited = np.clip(signal, -1, 1)
        assert np.abs(back - limited).max() < (1e-4 if subtype else 0.25)


@pytest.mark.parametrize(("name", "subtype"), EVERY)
def test_silence_stays_silence(tmp_path: Path, name: str, subtype: str | None) -> None:
    audio.write(tmp_path / "out", np.zeros((2, 4801), np.float32), 48000, audio.choose_format(name, subtype=subtype))
    back, _ = audio.read(tmp_path / "out")
    assert back.shape == (2, 4801)
    assert np.abs(back).max() < 1e-4


@pytest.mark.parametrize("name", sorted(LIMITS))
def test_tags_travel(tmp_path: Path, name: str) -> None:
    tags = {
        "title": "Ünbraïd 日本",
        "artist": "A & B",
        "album": "C",
        "date": "2024",
        "genre": "Folk",
        "track": "3",
        "comment": "d",
    }
    path = tmp_path / f"out.{name}"
    audio.write(path, noise(1, 4800), 48000, audio.choose_format(name), tags=tags | {"unheard": "x", "copyright": ""})
    if name == "opus":  # FFmpeg writes a comment as DESCRIPTION, which libsndfile does not read
        with av.open(str(path)) as container:
            assert container.streams[0].metadata["comment"] == tags.pop("comment")
    assert audio.probe(path).tags == tags


@pytest.mark.parametrize("name", ["ogg", "opus", "mp3", "m4a"])
def test_bit_rate_is_obeyed(tmp_path: Path, name: str) -> None:
    sizes = []
    for bitrate in (64, 192):
        path = tmp_path / f"{bitrate}.{name}"
        audio.write(path, noise(2, 96000), 48000, audio.choose_format(name, bitrate=bitrate))
        sizes.append(path.stat().st_size * 8 / 2000)
    assert 0.5 < sizes[0] / 64 < 1.5
    assert 0.6 < sizes[1] / 192 < 1.5


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (22050, 2), (44100, 1), (48000, 2)])
def test_mp3_keeps_level_and_length_at_every_bit_rate(tmp_path: Path, rate: int, channels: int) -> None:
    signal, path = noise(channels, rate // 2), tmp_path / "out.mp3"
    for bitrate in (None, mp3.least_kbps(rate, channels), 64, 100, 192, 256, 320):
        audio.write(path, signal, rate, audio.choose_format("mp3", bitrate=bitrate))
        back, _ = audio.read(path)
        assert back.shape == signal.shape
        assert abs(np.vdot(back, signal) / np.vdot(signal, signal) - 1) < 0.03


def test_wav_files_are_as_plain_as_they_can_be(tmp_path: Path) -> None:
    audio.write(tmp_path / "a.wav", noise(2, 10), 8000, audio.choose_format("wav", subtype="16"))
    data = (tmp_path / "a.wav").read_bytes()
    assert (data[:4], data[36:40], len(data)) == (b"RIFF", b"data", 84)
    audio.write(tmp_path / "b.wav", noise(1, 11), 8000, audio.choose_format("wav", subtype="24"))
    assert (tmp_path / "b.wav").stat().st_size == 44 + 33 + 1  # padded to even
    assert soundfile.info(tmp_path / "b.wav").frames == 11
    write_blocks(tmp_path / "c.wav", noise(3, 10), 8000, audio.choose_format("wav"), 4)  # length unknown, 3 channels
    assert soundfile.info(tmp_path / "c.wav").format == "WAVEX"


def test_wav_becomes_rf64_past_4_gib(tmp_path: Path, monkeypatch) -> None:
    layout = riff.WavLayout(192000, 2, 32)
    assert riff.header(layout, 1000)[:4] == b"RIFF"
    head = riff.header(layout, 1 << 30)
    assert len(head) == len(riff.header(layout, 0))
    assert head[:4] == b"RF64"
    total, data, frames = struct.unpack("<QQQ", head[20:44])
    assert (data, frames) == (8 << 30, 1 << 30)
    assert total == len(head) - 8 + data
    monkeypatch.setattr(riff, "LARGEST", 5000)  # the same with small files
    monkeypatch.setattr(riff, "MARGIN", 100)
    signal = noise(2, 2000)
    write_blocks(tmp_path / "out.wav", signal, 8000, audio.choose_format("wav"), 300)
    assert soundfile.info(tmp_path / "out.wav").format == "RF64"
    np.testing.assert_array_equal(audio.read(tmp_path / "out.wav")[0], signal)
    write_blocks(tmp_path / "small.wav", signal[:, :100], 8000, audio.choose_format("wav"), 300)
    assert soundfile.info(tmp_path / "small.wav").format == "WAV"
    with pytest.raises(AudioError, match="grew past 4 GiB, longer than announced"):
        write_blocks(tmp_path / "lie.wav", signal, 8000, audio.choose_format("wav"), 300, frames=10)
    assert not (tmp_path / "lie.wav").exists()


@pytest.mark.parametrize(("name", "subtype"), EVERY)
def test_a_failing_body_leaves_no_file(tmp_path: Path, name: str, subtype: str | None) -> None:
    path = tmp_path / f"out.{name}"
    with (
        pytest.raises(KeyError),
        audio.open_writer(path, 48000, 1, audio.choose_format(name, subtype=subtype)) as writer,
    ):
        writer.write(noise(1, 5000))
        raise KeyError
    assert not path.exists()


@pytest.mark.parametrize(("name", "subtype"), EVERY)
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_told_and_leaves_no_file(tmp_path: Path, name: str, subtype: str | None) -> None:
    with pytest.raises(
        AudioError,
        match=re.escape(
            "/dev/full cannot be written: No space left on device. Free some space, or choose another folder."
        ),
    ):
        write_blocks(Path("/dev/full"), noise(2, 30000), 48000, audio.choose_format(name, subtype=subtype), 9000)
    assert Path("/dev/full").exists()


@pytest.mark.parametrize(("name", "subtype"), EVERY)
def test_a_disk_that_fills_up_later(tmp_path: Path, name: str, subtype: str | None, monkeypatch) -> None:
    """The last bytes count too: encoders flush when they are closed."""
    path = tmp_path / f"out.{name}"
    writer = audio.open_writer(path, 48000, 2, audio.choose_format(name, subtype=subtype))
    writer.write(noise(2, 30000))

    class Full:
        def __getattr__(self, attribute: str):  # type: ignore[no-untyped-def]
            return getattr(writer._file, attribute)

        def write(self, data: bytes) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(writer._sink, "_file", Full())
    with pytest.raises(AudioError, match="No space left on device"):
        writer.close()
    assert not path.exists()


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / "no" / "out.wav"
    with pytest.raises(AudioError, match=f"^{re.escape(str(path))} cannot be written: .+ Create the folder first.$"):
        audio.open_writer(path, 8000, 1, audio.choose_format("wav"))
    with pytest.raises(AudioError, match="opus cannot hold 44100 Hz"):
        audio.open_writer(tmp_path / "out.opus", 44100, 1, audio.choose_format("opus"))
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_audio_is_not_written(tmp_path: Path) -> None:
    path, fmt = tmp_path / "out.wav", audio.choose_format("wav")
    bad = noise(1, 1000)
    bad[0, 500] = np.nan
    with pytest.raises(AudioError, match=r"^The samples for \S+ hold NaN or infinity at 0\.562 s\.$"):
        write_blocks(path, np.concatenate([noise(1, 4000), bad], axis=1), 8000, fmt, 1000)
    with pytest.raises(AudioError, match=r"^\S+ takes blocks of shape \(2, n\), not \(1, 10\)\.$"):
        audio.open_writer(path, 8000, 2, fmt).write(noise(1, 10))
    with pytest.raises(AudioError, match=r"^No samples were written to"):
        audio.open_writer(path, 8000, 2, fmt).close()
    assert not path.exists()


class _Fragile:
    """A file whose write number `fails` is interrupted."""

    fails: float = math.inf
    writes = 0

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, data: bytes) -> int:
        type(self).writes += 1
        if self.writes == self.fails:
            raise KeyboardInterrupt
        return self._file.write(data)

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)


@pytest.mark.parametrize("name", sorted(LIMITS))
@pytest.mark.parametrize("part", [0.0, 0.5, 1.0])
def test_what_interrupts_the_file_is_raised_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, part: float
) -> None:
    """C code calls the file's functions, and no exception can pass through that: it must come out all the same."""
    signal, path, fmt = noise(2, 48000), tmp_path / f"out.{name}", audio.choose_format(name)
    begin = Sink.__init__
    monkeypatch.setattr(Sink, "__init__", lambda sink, file: begin(sink, _Fragile(file)))  # type: ignore[arg-type]
    monkeypatch.setattr(_Fragile, "writes", 0)
    write_blocks(path, signal, 48000, fmt, 4800)
    path.unlink()
    monkeypatch.setattr(_Fragile, "fails", 1 + round(part * (_Fragile.writes - 1)))
    monkeypatch.setattr(_Fragile, "writes", 0)
    with pytest.raises(KeyboardInterrupt):
        write_blocks(path, signal, 48000, fmt, 4800)
    assert os.listdir(tmp_path) == []


def test_long_blocks_of_vorbis_fit_on_a_small_stack(tmp_path: Path) -> None:
    signal = noise(1, 8000 * 600)
    old = threading.stack_size(512 * 1024)
    try:
        audio.write(tmp_path / "out.ogg", signal, 8000, audio.choose_format("ogg"))
    finally:
        threading.stack_size(old)
    assert audio.probe(tmp_path / "out.ogg").frames == signal.shape[1]
