"""Whatever the container, reading gives the samples that were put in: all of them, in place, whole or in blocks."""

import io
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from audio_signals import encode, encode_video, lag, noise

from unbraid import audio
from unbraid.errors import AudioError

RATE = 16000
SNDFILE = {
    "wav": ("WAV", "PCM_16"),
    "u8.wav": ("WAV", "PCM_U8"),
    "f64.wav": ("WAV", "DOUBLE"),
    "adpcm.wav": ("WAV", "IMA_ADPCM"),
    "rf64": ("RF64", "PCM_24"),
    "w64": ("W64", "FLOAT"),
    "aiff": ("AIFF", "PCM_24"),
    "au": ("AU", "ULAW"),
    "caf": ("CAF", "PCM_16"),
    "flac": ("FLAC", "PCM_16"),
    "ogg": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
}
FFMPEG = {
    "m4a": ("aac", "ipod"),
    "alac.m4a": ("alac", "ipod"),
    "mp4": ("aac", "mp4"),
    "aac": ("aac", "adts"),
    "webm": ("libopus", "webm"),
    "mka": ("aac", "matroska"),
    "ac3": ("ac3", "ac3"),
    "wma": ("wmav2", "asf"),
    "ts": ("aac", "mpegts"),
    "mp2": ("mp2", "mp2"),
    "noindex.mp3": ("libmp3lame", "mp3"),
    "piped.flac": ("flac", "flac"),
}


def make(folder: Path, kind: str, signal: np.ndarray, rate: int = 48000) -> Path:
    """A file of one kind, written by libsndfile or FFmpeg themselves."""
    path = folder / f"in.{kind}"
    if kind in SNDFILE:
        major, subtype = SNDFILE[kind]
        soundfile.write(path, signal.T, rate, format=major, subtype=subtype)
    elif kind == "piped.flac":  # total samples 0 in STREAMINFO: what an encoder leaves that cannot seek back
        soundfile.write(path, signal.T, rate, format="FLAC")
        data = bytearray(path.read_bytes())
        data[21] &= 0xF0
        data[22:26] = bytes(4)
        path.write_bytes(data)
    else:
        codec, container = FFMPEG[kind]
        options = {"write_xing": "0"} if kind == "noindex.mp3" else {}
        encode(path, signal, rate, codec, container, **options)
    return path


@pytest.mark.parametrize("kind", [*SNDFILE, *FFMPEG])
def test_blocks_join_to_the_whole_and_ranges_are_slices(tmp_path: Path, kind: str) -> None:
    path = make(tmp_path, kind, noise(2, 30011))
    whole, rate = audio.read(path)
    assert rate == 48000
    assert whole.dtype == np.float32
    assert whole.flags.c_contiguous
    with audio.Reader(path) as reader:
        for size in (1000, 7777, 1 << 20):
            blocks = list(reader.blocks(size))  # each time from the start
            assert all(block.shape == (2, size) for block in blocks[:-1])
            np.testing.assert_allclose(np.concatenate(blocks, axis=1), whole, rtol=0, atol=2e-7)
        if reader.info.frames is not None:
            assert whole.shape == (2, reader.info.frames)
    part, _ = audio.read(path, audio.Excerpt(start=10001 / 48000, duration=5003 / 48000))
    assert part.shape == (2, 5003)
    np.testing.assert_allclose(part, whole[:, 10001:15004], rtol=0, atol=2e-7)
    for start in whole.shape[1] - np.array(
        [10000, 1000, 6, 1]
    ):  # libsndfile itself goes astray near the end of Vorbis and Opus files
        tail, _ = audio.read(path, audio.Excerpt(start=start / 48000, duration=1e6))
        np.testing.assert_allclose(tail, whole[:, start:], rtol=0, atol=2e-7)


@pytest.mark.parametrize("kind", ["wav", "rf64", "w64", "aiff", "caf", "flac", "alac.m4a", "piped.flac", "f64.wav"])
def test_lossless_containers_give_the_samples_back(tmp_path: Path, kind: str) -> None:
    signal = np.round(noise(2, 5001) * 32768) / 32768
    whole, _ = audio.read(make(tmp_path, kind, signal.astype(np.float32)))
    np.testing.assert_array_equal(whole, signal.astype(np.float32))


@pytest.mark.parametrize("kind", ["mp3", "ogg", "opus", "webm"])
def test_lossy_containers_keep_length_and_place(tmp_path: Path, kind: str) -> None:
    signal = noise(2, 30011)
    whole, _ = audio.read(make(tmp_path, kind, signal))
    assert whole.shape == signal.shape
    assert lag(signal, whole) == 0


def test_mp3_without_an_index_is_read_to_its_end(tmp_path: Path) -> None:
    """libsndfile guesses such a length from the first bit rate: loud then quiet at variable rate fools it."""
    path = make(tmp_path, "noindex.mp3", noise(1, 96000))
    assert audio.probe(path).frames is None
    assert audio.read(path)[0].shape[1] >= 96000


def test_probe_tells_what_a_header_says(tmp_path: Path) -> None:
    info = audio.probe(make(tmp_path, "aiff", noise(2, 480)))
    assert (info.sample_rate, info.channels, info.frames, info.duration) == (48000, 2, 480, 0.01)
    assert (info.container, info.codec, info.bits, info.is_float, info.lossy) == ("aiff", "pcm_24", 24, False, False)
    info = audio.probe(make(tmp_path, "f64.wav", noise(1, 480)))
    assert (info.codec, info.bits, info.is_float) == ("double", 64, True)
    info = audio.probe(make(tmp_path, "adpcm.wav", noise(1, 4800)))
    assert (info.bits, info.lossy) == (None, True)
    info = audio.probe(make(tmp_path, "u8.wav", noise(1, 480)))
    assert (info.bits, info.lossy) == (8, False)
    info = audio.probe(make(tmp_path, "alac.m4a", noise(1, 480)))
    assert (info.codec, info.lossy, info.frames, info.tracks) == ("alac", False, 480, 1)


@pytest.mark.parametrize("kind", ["wav", "ogg", "m4a", "webm"])
def test_file_objects_are_read_like_paths_again_and_again(tmp_path: Path, kind: str) -> None:
    path = make(tmp_path, kind, noise(2, 9001))
    expected, _ = audio.read(path)
    with io.BytesIO(path.read_bytes()) as memory, path.open("rb") as file:
        for source in (memory, file):
            source.seek(5)  # where it stands does not matter
            with audio.Reader(source) as reader:
                np.testing.assert_array_equal(reader.read(), expected)
                np.testing.assert_array_equal(reader.read(), expected)
            assert not source.closed


class Pipe(io.RawIOBase):
    """Bytes that come once, in small pieces."""

    def __init__(self, data: bytes) -> None:
        self._bytes = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]
        data = self._bytes.read(min(len(buffer), 777))
        buffer[: len(data)] = data
        return len(data)


@pytest.mark.parametrize("kind", ["flac", "m4a"])
def test_pipes_are_spooled_and_the_spool_is_removed(tmp_path: Path, kind: str, monkeypatch) -> None:
    path = make(tmp_path, kind, noise(2, 9001))
    spools = tmp_path / "spools"
    spools.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(spools))
    with audio.Reader(Pipe(path.read_bytes())) as reader:
        assert len(list(spools.iterdir())) == 1
        np.testing.assert_array_equal(reader.read(), audio.read(path)[0])
    assert list(spools.iterdir()) == []
    with pytest.raises(AudioError, match="is not audio"):
        audio.read(Pipe(b"no audio at all"))
    assert list(spools.iterdir()) == []


def test_spooling_reports_what_has_come() -> None:
    seen: list[int] = []
    with audio.spooled(Pipe(b"x" * 200_000), lambda done, total: seen.append(done)) as path:
        assert path.read_bytes() == b"x" * 200_000
    assert not path.exists()
    assert len(seen) > 1
    assert seen == sorted(seen)
    assert seen[-1] == 200_000


def test_a_named_pipe_is_a_pipe(tmp_path: Path, wav: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    script = "import sys; open(sys.argv[2], 'wb').write(open(sys.argv[1], 'rb').read())"
    feeder = subprocess.Popen([sys.executable, "-c", script, str(wav), str(fifo)])
    try:
        whole, _ = audio.read(fifo)
    finally:
        feeder.kill()
        feeder.wait()
    np.testing.assert_array_equal(whole, audio.read(wav)[0])


@pytest.mark.parametrize("stated", [0, 0xFFFFFFFF, 0xFFFFFFFF - 36, 0x7FFFF000, 0x80000000])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
def test_wav_streams_with_bogus_lengths_are_read_in_full(tmp_path: Path, stated: int, subtype: str) -> None:
    path = tmp_path / "stream.wav"
    soundfile.write(path, noise(2, 3001).T, RATE, subtype=subtype)
    expected, _ = audio.read(path)
    data = bytearray(path.read_bytes())
    at = data.index(b"data")
    end = at + 8 + 3001 * 2 * soundfile.SoundFile(path).frames // 3001 * {"PCM_16": 2, "PCM_24": 3, "FLOAT": 4}[subtype]
    data[at + 4 : at + 8] = data[4:8] = struct.pack("<I", stated)
    path.write_bytes(data[:end])
    info = audio.probe(path)
    assert (info.frames, info.container, info.bits) == (3001, "wav", int({"FLOAT": 32}.get(subtype) or subtype[-2:]))
    np.testing.assert_array_equal(audio.read(path)[0], expected)
    np.testing.assert_array_equal(audio.read(path, audio.Excerpt(start=0.1))[0], expected[:, 1600:])


def test_tracks_are_told_apart(tmp_path: Path) -> None:
    path = encode_video(tmp_path / "film.mkv", audio_tracks=3)
    assert audio.probe(path).tracks == 3
    for track in range(3):
        samples, _ = audio.read(path, audio.Excerpt(track=track))
        np.testing.assert_array_equal(samples, np.full((1, 16000), np.float32((track + 1) / 10)))


@pytest.mark.parametrize("channels", [1, 3, 6, 8, 12, 40])
def test_many_channels(tmp_path: Path, channels: int) -> None:
    signal = np.round(noise(channels, 100) * 32768).astype(np.float32) / 32768
    soundfile.write(tmp_path / "in.wav", signal.T, RATE)
    np.testing.assert_array_equal(audio.read(tmp_path / "in.wav")[0], signal)


def test_eight_planar_channels_from_ffmpeg(tmp_path: Path) -> None:
    """PyAV itself crashes on them."""
    signal = noise(8, 24000)
    soundfile.write(tmp_path / "in.opus", signal.T, 48000, format="OGG", subtype="OPUS")
    from unbraid.audio.ffmpeg import FfmpegDecoder

    decoder = FfmpegDecoder(tmp_path / "in.opus", "in.opus")
    planar = decoder.read(1 << 20)
    decoder.close()
    np.testing.assert_allclose(planar, audio.read(tmp_path / "in.opus")[0], atol=1e-6)  # speakers in the same order


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 96000, 192000])
@pytest.mark.parametrize("frames", [1, 2])
def test_tiny_files_at_any_rate(tmp_path: Path, rate: int, frames: int) -> None:
    soundfile.write(tmp_path / "in.wav", np.full((frames, 1), 0.5), rate)
    samples, found = audio.read(tmp_path / "in.wav")
    assert found == rate
    np.testing.assert_array_equal(samples, np.full((1, frames), np.float32(0.5)))


def test_odd_names(tmp_path: Path, wav: Path) -> None:
    for name in ("- two: words", "ünï:çødé 日本.wav", "http:x", "take#1%20?.wav", "noise.raw"):
        path = tmp_path / name
        path.write_bytes(wav.read_bytes())
        assert audio.read(path)[0].shape == (2, 8000)
    m4a = make(tmp_path, "m4a", noise(1, 4800))
    m4a = m4a.rename(tmp_path / "http: colons, spaces.m4a")
    assert audio.read(str(m4a))[0].shape[0] == 1


def test_importing_loads_no_decoder() -> None:
    code = "import sys, unbraid.audio; print(sorted({'av', 'soundfile', 'torch', 'onnxruntime'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_an_mp3_is_entered_in_the_middle_to_the_sample(tmp_path: Path) -> None:
    """Frames of loud bursts after near-silence borrow bits of the frames before them."""
    random = np.random.default_rng(0)
    signal = 1e-4 * random.standard_normal(20 * 44100).astype(np.float32)
    for at in random.integers(0, signal.size - 3000, 60):
        signal[at : at + 3000] = 0.3 * random.standard_normal(3000)
    path = tmp_path / "bursts.mp3"
    soundfile.write(path, signal, 44100)
    whole, rate = audio.read(path)
    for start in random.integers(0, whole.shape[1] - 4410, 60):
        piece, _ = audio.read(path, audio.Excerpt(start=start / rate, duration=0.1))
        np.testing.assert_allclose(piece, whole[:, start : start + 4410], atol=1e-4)
