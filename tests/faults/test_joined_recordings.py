"""Several recordings in one file, one after the other: all are read, or the second at which they break is told."""

import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from wrapped_files import ID3V1, KINDS, LYRICS3, RATE, ape, check, encoded, id3v2, muxed, signal

from unbraid import audio
from unbraid.errors import AudioError

BETWEEN = {
    "nothing": b"",
    "id3v2": id3v2(),
    "id3v1": ID3V1,
    "all": ID3V1 + id3v2() + id3v2(footer=True),
    "ape": ape() + ID3V1,
    "lyrics": LYRICS3 + ID3V1 + id3v2(),
}
JOINABLE = [kind for kind in KINDS if kind not in ("gsm", "ima")]


def alone(path: Path, data: bytes) -> np.ndarray:
    """A recording as it is read on its own."""
    path.write_bytes(data)
    return audio.read(path)[0]


@pytest.mark.parametrize("between", ["nothing", "id3v2", "all"])
@pytest.mark.parametrize("kind", JOINABLE)
def test_all_of_them_are_read(tmp_path: Path, kind: str, between: str) -> None:
    rate = 48000 if kind == "opus" else RATE
    parts = [encoded(kind, signal(frames, frames), rate) for frames in (9001, 9001, 4000)]
    expected = np.concatenate([alone(tmp_path / "one", part) for part in parts], axis=1)
    if kind != "mp3":
        assert expected.shape[1] == 22002
    notices = check(tmp_path / f"joined.{kind}", BETWEEN[between].join(parts), expected, rate)
    assert notices == ()


@pytest.mark.parametrize("between", BETWEEN)
@pytest.mark.parametrize("tables", [(True, True), (True, False), (False, True), (False, False)])
def test_mp3s_with_and_without_a_table(tmp_path: Path, tables: tuple[bool, bool], between: str) -> None:
    parts = [
        muxed("mp3", "libmp3lame", signal(20000, 1), 16000, write_xing=str(int(table)), id3v2_version="0")
        for table in tables
    ]
    expected = [alone(tmp_path / "one.mp3", part) for part in parts]
    if between == "nothing" and tables == (False, False):  # one stream as well as two
        path = tmp_path / "joined.mp3"
        path.write_bytes(b"".join(parts))
        assert audio.read(path)[0].shape[1] == sum(part.shape[1] for part in expected)
        return
    assert check(tmp_path / "joined.mp3", BETWEEN[between].join(parts), np.concatenate(expected, axis=1), 16000) == ()


def test_mp3s_of_other_bit_rates(tmp_path: Path) -> None:
    parts = []
    for level in (0.1, 0.9):
        soundfile.write(tmp_path / "one.mp3", signal(30000).T, 44100, compression_level=level, bitrate_mode="CONSTANT")
        parts.append((tmp_path / "one.mp3").read_bytes())
    expected = np.concatenate([alone(tmp_path / "one.mp3", part) for part in parts], axis=1)
    assert expected.shape[1] == 60000
    check(tmp_path / "joined.mp3", b"".join(parts), expected, 44100)


@pytest.mark.parametrize("kind", ["wav", "aiff", "w64", "caf", "au", "flac", "vorbis", "mp3"])
@pytest.mark.parametrize(("rate", "channels"), [(16000, 1), (RATE, 2)])
def test_the_second_at_which_they_differ(tmp_path: Path, kind: str, rate: int, channels: int) -> None:
    path = tmp_path / "joined"
    path.write_bytes(encoded(kind, signal(8000)) + encoded(kind, signal(8000, channels=channels), rate))
    told = (
        rf"\S+ changes from 8000 Hz, 1 channels to {rate} Hz, {channels} channels at 1\.\d+ s\. "
        r"Convert it to one sample rate and channel count first\."
    )
    with pytest.raises(AudioError) as caught:
        audio.Reader(path)
    assert re.fullmatch(told, str(caught.value))
    assert audio.read(path, audio.Excerpt(duration=1.0))[0].shape == (1, 8000)


def test_aac_in_frames(tmp_path: Path) -> None:
    part = muxed("adts", "aac", signal(9000), RATE)
    frames = alone(tmp_path / "one.aac", part).shape[1]
    for between in (b"", id3v2()):
        (tmp_path / "joined.aac").write_bytes(part + between + part)
        assert audio.read(tmp_path / "joined.aac")[0].shape[1] == 2 * frames


CONTAINERS = {  # {name: (container, codec, rate, options)}
    "m4a": ("ipod", "aac", 16000, {}),
    "fragmented mp4": ("mp4", "aac", 16000, {"movflags": "frag_keyframe+empty_moov"}),
    "alac": ("ipod", "alac", 16000, {}),
    "mka": ("matroska", "aac", 16000, {}),
    "live webm": ("webm", "libopus", 48000, {"live": "1"}),
    "webm": ("webm", "libopus", 48000, {}),
    "avi": ("avi", "pcm_s16le", 16000, {}),
    "flac in ogg": ("ogg", "flac", 16000, {}),
    "tta": ("tta", "tta", 16000, {}),
    "flv": ("flv", "aac", 44100, {}),
    "wma": ("asf", "wmav2", 44100, {}),
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_containers_put_together(tmp_path: Path, name: str) -> None:
    container, codec, rate, options = CONTAINERS[name]
    parts = [muxed(container, codec, signal(rate // 2 + more, more), rate, **options) for more in (1, 5000)]
    expected = np.concatenate([alone(tmp_path / "one", part) for part in parts], axis=1)
    assert expected.shape[1] >= rate
    check(tmp_path / "joined", b"".join(parts), expected, rate)


def test_a_fragmented_mp4_that_repeats_its_header_is_one_recording(tmp_path: Path) -> None:
    options = {"movflags": "frag_every_frame+empty_moov+default_base_moof"}
    whole = muxed("mp4", "aac", signal(16000), 16000, **options)
    header, *fragments = _boxes(whole)
    assert header[0] == b"ftyp"
    init = header[1] + fragments[0][1]
    moofs = [box for name, box in fragments[1:] if name in (b"moof", b"mdat")]
    middle = len(moofs) // 4 * 2
    repeated = init + b"".join(moofs[:middle]) + init + b"".join(moofs[middle:])
    plain = init + b"".join(moofs)
    assert alone(tmp_path / "a.mp4", repeated).shape == alone(tmp_path / "b.mp4", plain).shape


def _boxes(data: bytes) -> list[tuple[bytes, bytes]]:
    boxes, at = [], 0
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        boxes.append((data[at + 4 : at + 8], data[at : at + length]))
        at += length
    return boxes


def test_many(tmp_path: Path) -> None:
    for kind in ("wav", "vorbis", "flac", "mp3"):
        part = encoded(kind, signal(800, 3))
        frames = alone(tmp_path / "one", part).shape[1]
        (tmp_path / "joined").write_bytes(part * 50)
        assert audio.read(tmp_path / "joined")[0].shape[1] == 50 * frames


def test_one_recording_is_opened_by_its_name(tmp_path: Path) -> None:
    """Plain files are not looked through, but for what tells them from joined ones."""
    from unbraid.audio import survey

    for kind in ("wav", "aiff", "w64", "caf", "au", "flac", "vorbis"):
        path = tmp_path / kind
        path.write_bytes(encoded(kind, signal(800)))
        with path.open("rb") as file:
            found = survey.survey(file, "x", "")
        assert [(part.pieces, part.is_known) for part in found.parts] == [(None, True)]


def test_a_plain_mp3_is_not_walked_through(tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    from unbraid.audio import mpeg

    def walk(*args: object) -> None:
        raise AssertionError("its table fits")

    monkeypatch.setattr(mpeg, "recordings", walk)
    for behind in (b"", ID3V1, ape() + ID3V1):
        path = tmp_path / "one.mp3"
        soundfile.write(path, signal(8000).T, 8000, format="MP3", bitrate_mode="CONSTANT", compression_level=0.5)
        path.write_bytes(path.read_bytes() + behind)
        assert audio.read(path)[0].shape == (1, 8000)
