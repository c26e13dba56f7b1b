"""Every bad input gets one clear sentence: what is wrong, and what to do."""

import io
import os
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from audio_signals import encode, encode_video, noise

from unbraid import audio
from unbraid.errors import AudioError, UsageError


def refused(source, message: str, kind: type[Exception] = AudioError, **options) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(kind) as caught:
        audio.read(source, audio.Excerpt(**options))
    assert re.fullmatch(message, str(caught.value)), str(caught.value)


def test_missing(tmp_path: Path) -> None:
    path = tmp_path / "none.wav"
    refused(path, re.escape(f"{path} does not exist. Name an audio file that does."))


def test_empty(tmp_path: Path) -> None:
    path = tmp_path / "empty.wav"
    path.touch()
    refused(path, re.escape(f"{path} is empty: it holds no bytes. Name a file with audio in it."))
    with path.open("rb") as file:
        refused(file, re.escape(f"{path} is empty: it holds no bytes. Name a file with audio in it."))


def test_folder(tmp_path: Path) -> None:
    refused(tmp_path, re.escape(f"{tmp_path} is a folder. Name an audio file in it."))


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="needs /dev/zero")
def test_device() -> None:
    refused("/dev/zero", re.escape("/dev/zero is a device. Name an audio file, or a pipe with audio in it."))


@pytest.mark.parametrize("source", [b"bytes", None, [0.5], io.StringIO("text")])
def test_what_is_no_source(source: object) -> None:
    refused(source, r"A recording is a path or a file open for reading bytes .+, not (bytes|NoneType|list|StringIO)\.")


def test_no_permission(wav: Path, monkeypatch) -> None:
    if os.geteuid() == 0:

        def deny(*args, **options):  # type: ignore[no-untyped-def]
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "open", deny)
    else:
        wav.chmod(0)
    refused(wav, re.escape(f"{wav} may not be read. Grant read permission, or copy it to where you may read."))


NOT_AUDIO = r"\S+ is not audio that can be read \(libsndfile: .+; FFmpeg: .+\)\. If it should be, it is damaged .+"


@pytest.mark.parametrize("name", ["notes.txt", "song.wav", "song.mp3", "song.m4a", "song.raw"])
def test_text(tmp_path: Path, name: str, capfd) -> None:
    path = tmp_path / name
    path.write_text("These are words, not sounds.\n" * 500)
    refused(path, NOT_AUDIO)
    assert capfd.readouterr() == ("", "")


def test_picture(tmp_path: Path) -> None:
    import av

    path = tmp_path / "picture.png"
    with av.open(str(path), "w", format="image2") as output:
        stream = output.add_stream("png", rate=1)
        stream.width = stream.height = 8
        stream.pix_fmt = "rgb24"
        output.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((8, 8, 3), np.uint8))))
    refused(path, NOT_AUDIO)


def test_noise_bytes(tmp_path: Path) -> None:
    path = tmp_path / "random.flac"
    path.write_bytes(np.random.default_rng(1).bytes(5000))
    refused(path, NOT_AUDIO)


def test_video_without_sound(tmp_path: Path) -> None:
    path = encode_video(tmp_path / "silent.mkv", audio_tracks=0)
    refused(path, re.escape(f"{path} is a video without an audio track. Name a file that has sound."))


def test_track_that_is_not_there(tmp_path: Path, wav: Path) -> None:
    path = encode_video(tmp_path / "film.mkv", audio_tracks=2)
    refused(path, re.escape(f"{path} has no audio track 2: it has 2, tracks 0 to 1."), track=2)
    refused(wav, re.escape(f"{wav} has no audio track 1: it has one, track 0."), track=1)


def test_protected(tmp_path: Path) -> None:
    locked = r"\S+ is encrypted or copy protected \(DRM\)\. Name a copy without protection\."
    keys = {"encryption_scheme": "cenc-aes-ctr", "encryption_key": "0" * 31 + "1", "encryption_kid": "1" * 32}
    refused(encode(tmp_path / "cenc.mp4", noise(1, 24000), 24000, "aac", "mp4", **keys), locked)
    path = encode(tmp_path / "itunes.m4a", noise(1, 24000), 24000, "aac", "ipod")
    path.write_bytes(path.read_bytes().replace(b"mp4a", b"drms"))
    refused(path, locked)


@pytest.mark.parametrize(
    ("kind", "subtype"), [("WAV", "PCM_16"), ("RF64", "PCM_24"), ("AIFF", "PCM_16"), ("AU", "FLOAT")]
)
def test_cut_short_is_noticed_before_work_starts(tmp_path: Path, kind: str, subtype: str) -> None:
    path = tmp_path / "cut"
    soundfile.write(path, noise(2, 80000).T, 8000, format=kind, subtype=subtype)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 4])
    stated = (
        r"\S+ is cut short: its header states 10\.000 s, 2\.\d+ s could be read\. "
        r"Get a complete copy, or pass a duration that ends before the cut\."
    )
    with pytest.raises(AudioError, match=stated):
        audio.Reader(path)
    assert audio.probe(path).duration == 10
    assert audio.read(path, audio.Excerpt(duration=2.0))[0].shape == (2, 16000)  # the remedy works


@pytest.mark.parametrize(("name", "subtype"), [("cut.flac", "PCM_16"), ("cut.mp3", None)])
def test_cut_short_is_noticed_while_reading(tmp_path: Path, name: str, subtype: str | None) -> None:
    path = tmp_path / name
    soundfile.write(path, noise(2, 160000).T, 16000, subtype=subtype)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    refused(path, r"\S+ is (cut short: its header states 10\.000 s, [45]|damaged after [45])\.\d+ s .+", AudioError)
    assert audio.read(path, audio.Excerpt(duration=2.0))[0].shape == (2, 32000)


@pytest.mark.parametrize(("kind", "subtype"), [("OGG", "VORBIS"), ("OGG", "OPUS"), ("CAF", "PCM_16")])
def test_cut_where_no_decoder_says_so(tmp_path: Path, kind: str, subtype: str) -> None:
    path = tmp_path / "cut"
    soundfile.write(path, noise(2, 160000).T, 16000, format=kind, subtype=subtype)
    whole = path.read_bytes()
    message = (
        r"\S+ is cut short: (its end is missing|its header states 10\.000 s, \S+ s could be read)\. "
        r"Get a complete copy, or pass a duration that ends before the cut\."
    )
    for cut in (len(whole) // 2, len(whole) - 100):
        path.write_bytes(whole[:cut])
        with pytest.raises(AudioError, match=message):
            audio.Reader(path)
        with path.open("rb") as file:
            refused(file, message)
        refused(path, message, duration=9.9999)
        assert audio.read(path, audio.Excerpt(duration=2.0))[0].shape == (2, 32000)  # the remedy works
    path.write_bytes(whole + b"trailing bytes" * 99)
    assert audio.read(path)[0].shape == (2, 160000)


def test_damaged_last_pages_of_ogg(tmp_path: Path) -> None:
    """libsndfile passes over them, and takes the page before for the end."""
    path = tmp_path / "hit.ogg"
    soundfile.write(path, noise(2, 160000).T, 16000, subtype="VORBIS")
    data = bytearray(path.read_bytes())
    for at in range(len(data) // 2, len(data) - 50, 500):
        data[at] ^= 0xFF
    path.write_bytes(bytes(data))
    refused(path, r"\S+ is cut short: its end is missing\. .+")


def test_cut_m4a_and_webm(tmp_path: Path) -> None:
    path = encode(tmp_path / "end.m4a", noise(1, 96000), 48000, "aac", "ipod")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    refused(path, NOT_AUDIO)  # its index was at the end
    path = encode(tmp_path / "front.m4a", noise(1, 96000), 48000, "aac", "ipod", movflags="faststart")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    refused(path, r"\S+ is (damaged after|cut short).+")
    path = encode(tmp_path / "cut.webm", noise(1, 96000), 48000, "libopus", "webm")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    refused(path, r"\S+ is damaged after 0\.\d+ s \(its header states a longer duration\)\. Get an intact copy.+")


@pytest.mark.parametrize("name", ["hit.flac", "hit.m4a"])
def test_corrupt(tmp_path: Path, name: str) -> None:
    path, signal = tmp_path / name, noise(2, 96000)
    if name.endswith("m4a"):
        encode(path, signal, 48000, "aac", "ipod")
    else:
        soundfile.write(path, signal.T, 48000)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 3000] = np.random.default_rng(0).bytes(3000)
    path.write_bytes(data)
    refused(path, r"\S+ is damaged after [01]\.\d+ s \(.+\)\. Get an intact copy, choose a duration .+")


@pytest.mark.parametrize("name", ["none.wav", "none.aiff", "none.w64"])
def test_no_samples(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    soundfile.write(path, np.zeros((0, 2)), 8000)
    refused(path, re.escape(f"{path} holds no samples. Name a file with audio in it."))


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (np.nan, "NaN"),
        (np.inf, "an infinite sample"),
        (-np.inf, "an infinite sample"),
        (-2e10, "a sample of -2e+10"),
    ],
)
def test_nan_and_infinity(tmp_path: Path, value: float, what: str) -> None:
    path = tmp_path / "broken.wav"
    signal = noise(2, 200000)
    signal[1, 150000] = value
    soundfile.write(path, signal.T, 8000, subtype="FLOAT")
    told = (
        f"{path} holds {what} at 18.750 s (channel 2). Repair it, or choose start and duration so that it is left out."
    )
    refused(path, re.escape(told))
    refused(path, re.escape(told), start=18.0)
    assert audio.read(path, audio.Excerpt(duration=18.75))[0].shape == (2, 150000)


def test_start_beyond_the_end(tmp_path: Path, wav: Path) -> None:
    refused(wav, re.escape(f"{wav} is 1.000 s long; there is nothing at the start of 1.000 s."), start=1.0)
    path = encode(tmp_path / "in.aac", noise(1, 16000), 16000, "aac", "adts")  # length unknown before decoding
    refused(path, r"\S+ is 1\.\d+ s long; there is nothing at the start of 5\.000 s\.", start=5.0)


def test_impossible_ranges(wav: Path) -> None:
    refused(wav, re.escape("A start of -1 s is not possible; it must be 0 or more."), UsageError, start=-1)
    refused(wav, re.escape("A duration of 0 s is not possible; it must be more than 0."), UsageError, duration=0)
    refused(wav, re.escape("A duration of nan s is not possible; it must be more than 0."), UsageError, duration=np.nan)
    refused(wav, r"The duration asked of \S+ is shorter than one sample\. Ask for more\.", duration=1e-6)


@pytest.mark.parametrize("rate", [10_000_001, 2**31 - 1])
def test_a_rate_that_no_recording_has(tmp_path: Path, rate: int) -> None:
    """Filters grow with the rate: for a file of 8 KB they would take gigabytes."""
    path = tmp_path / "sound.wav"
    soundfile.write(path, noise(1, 4000).T, rate)
    refused(path, rf"\S+ states a sample rate of {rate} Hz, which no recording has; the highest .+")
    with pytest.raises(AudioError, match=f"must be at most 10000000 Hz, got {rate}"):
        audio.checked_rate(rate)
