"""Recordings of different kinds in one file, one after the other: all are read, and other bytes are told of."""

import io

import numpy as np
import pytest
import soundfile
from wrapped_files import ID3V1, RATE, encoded, id3v2, muxed, signal

from unbraid import audio
from unbraid.audio import ReadOptions, survey
from unbraid.errors import AudioError

HERTZ = 44100
ONES = ("wav", "float", "rf64", "w64", "aiff", "caf", "flac", "vorbis", "mp3")
MUXED: dict[str, tuple[str, str, dict[str, str]]] = {  # {name: (container, codec, options)}
    "m4a": ("ipod", "aac", {}),
    "fragments": ("mp4", "aac", {"movflags": "frag_keyframe+empty_moov"}),
    "mka": ("matroska", "aac", {}),
    "live": ("matroska", "flac", {"live": "1"}),  # with the head of a FLAC file in its own
    "avi": ("avi", "pcm_s16le", {}),
    "tta": ("tta", "tta", {}),
    "flv": ("flv", "aac", {}),
    "wma": ("asf", "wmav2", {}),
    "wavpack": ("wv", "wavpack", {}),
    "voc": ("voc", "pcm_s16le", {}),
    "rm": ("rm", "ac3", {}),
    "nut": ("nut", "aac", {}),
    "ts": ("mpegts", "aac", {}),
    "m2ts": ("mpegts", "aac", {"mpegts_m2ts_mode": "1"}),
    "vob": ("vob", "mp2", {}),
    "adts": ("adts", "aac", {}),
    "ac3": ("ac3", "ac3", {}),
    "eac3": ("eac3", "eac3", {}),
}
SNDFILES = {"svx": "SVX", "nist": "NIST"}
ALL = (*ONES, *MUXED, *SNDFILES)
JUNK = np.random.default_rng(5).integers(0, 256, 5000, np.uint8).tobytes()


def one(kind: str, frames: int, seed: int = 0) -> bytes:
    samples = signal(frames, seed)
    if kind in MUXED:
        container, codec, options = MUXED[kind]
        return muxed(container, codec, samples, HERTZ, **options)
    if kind in SNDFILES:
        file = io.BytesIO()
        soundfile.write(file, samples.T, HERTZ, format=SNDFILES[kind], subtype="PCM_16")
        return file.getvalue()
    return encoded(kind, samples, HERTZ)


def _read(data: bytes) -> tuple[np.ndarray, int]:
    return audio.read(io.BytesIO(data))


def _check(*recordings: bytes, between: bytes = b"") -> None:
    """All of these are heard, one after the other, and nothing is told."""
    expected = np.concatenate([_read(recording)[0] for recording in recordings], axis=1)
    with audio.Reader(io.BytesIO(between.join(recordings)), audio.Excerpt(reading=ReadOptions(strict=True))) as reader:
        heard = reader.read()
        assert heard.shape == expected.shape
        assert np.abs(heard - expected).max() < 1e-6
        assert reader.notices == ()


@pytest.mark.parametrize("second", ONES)
@pytest.mark.parametrize("first", ONES)
def test_a_recording_behind_one_of_another_kind_is_read(first: str, second: str) -> None:
    for between in (b"", bytes(512)):
        _check(one(first, 5000), one(second, 4000, 1), between=between)


@pytest.mark.parametrize("first", [*MUXED, *SNDFILES])
def test_what_follows_a_film_or_an_odd_file_is_read(first: str) -> None:
    data = one(first, 20000)
    for second in ("wav", "flac", "mp3", "m4a", "wma", "m2ts", "adts", "ac3", "vob"):
        if second not in (first, first.removeprefix("e")):  # AC-3 goes on from E-AC-3
            _check(data, one(second, 9000, 1))


@pytest.mark.parametrize("second", [*MUXED, *SNDFILES])
def test_a_film_or_an_odd_file_behind_a_recording_is_read(second: str) -> None:
    data = one(second, 9000, 1)
    for first in ONES:
        _check(one(first, 5000), data)


@pytest.mark.parametrize("kind", ["vorbis", "flac", "mp3", "mka", "ts", "adts"])
def test_one_in_the_middle_is_read(kind: str) -> None:
    """Decoders look for the next page or packet, and would pass over it."""
    _check(one(kind, 20000), one("wav", 6000, 1), one(kind, 9000, 2))


@pytest.mark.parametrize("kind", [kind for kind in ALL if kind not in ("wav", "float", "rf64", "w64", "aiff", "caf")])
def test_other_bytes_behind_a_recording_are_told_of(kind: str) -> None:
    data = one(kind, 20000)
    expected, _ = _read(data)
    for behind, more in ((JUNK, 0), (JUNK + one("wav", 3000), 3000)):
        with audio.Reader(io.BytesIO(data + behind)) as reader:
            assert reader.read().shape[1] == expected.shape[1] + more
            (told,) = reader.notices
        assert told.endswith("bytes after the end of its audio belong to no recording, and are skipped")
        assert 4900 < int(told.split()[0]) <= len(JUNK)  # some of them may look like a part of it
        with pytest.raises(AudioError, match="belong to no recording"):
            audio.read(io.BytesIO(data + behind), audio.Excerpt(reading=ReadOptions(strict=True)))


@pytest.mark.parametrize("kind", ["m4a", "fragments", "wav", "caf"])
def test_text_behind_a_recording_is_told_of(kind: str) -> None:
    """Its first letters would be the size of a box that is cut off, or the name of a chunk."""
    data, text = one(kind, 5000), b"Recorded in the old hall, with two microphones.\n" * 20
    for behind, more in ((b"", 0), (one("flac", 3000), 3000)):
        with audio.Reader(io.BytesIO(data + text + behind)) as reader:
            assert reader.read().shape[1] == _read(data)[0].shape[1] + more
            assert [notice.split(" after ")[0] for notice in reader.notices] == [f"{len(text)} bytes"]


def test_tags_between_the_frames_of_a_radio_station_do_not_part_them() -> None:
    data = one("adts", 20000)
    found = survey.survey(io.BytesIO((data + id3v2()) * 3), "radio.aac", ".aac")
    assert len(found.parts) == 1 and found.notices == ()


def test_another_rate_behind_is_named_with_its_second() -> None:
    data = encoded("flac", signal(RATE), RATE) + encoded("wav", signal(RATE), 2 * RATE)
    with pytest.raises(AudioError, match=r"changes from 8000 Hz, 1 channels to 16000 Hz, 1 channels at 1\.000 s"):
        _read(data)


def test_chunks_behind_the_samples_of_a_caf_stay() -> None:
    data = encoded("caf", signal(400))
    found = survey.survey(io.BytesIO(data + b"pakt" + bytes(7) + b"\x18" + bytes(24)), "x.caf", ".caf")
    assert found.parts[0].pieces is None


@pytest.mark.parametrize("kind", ["flac", "mp3", "vorbis", "wav"])
def test_more_zeros_than_lie_between_recordings_are_told_of(kind: str) -> None:
    data = one(kind, 20000) + bytes(3 << 20) + one("aiff", 3000)
    with audio.Reader(io.BytesIO(data)) as reader:
        assert reader.read().shape[1] == _read(one(kind, 20000))[0].shape[1] + 3000
        assert "3145728" in reader.notices[0]


@pytest.mark.parametrize("kind", ["tta", "wavpack"])
def test_a_tag_over_the_end_of_a_recording(kind: str) -> None:
    """What is left of the recording ends before the tag that its length reaches into."""
    data = one(kind, 20000)
    found = survey.survey(io.BytesIO(data[:-100] + ID3V1), "x", "")
    assert len(found.parts) == 1


def test_tags_without_end_are_passed_over_once() -> None:
    file = _Counting(b"#!AMR\n" + id3v2(0) * 3000)
    survey.survey(file, "x.amr", ".amr")
    assert file.count < 10_000_000


class _Counting(io.BytesIO):
    """A file that counts the bytes read from it."""

    count = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.count += len(data)
        return data


@pytest.mark.parametrize("kinds", [("wav", "flac"), ("flac", "wav"), ("vorbis", "wav"), ("mp3", "vorbis")])
def test_many_recordings_of_two_kinds_in_turn_are_read(kinds: tuple[str, str]) -> None:
    """Each is looked at once, however many there are."""
    pair = b"".join(encoded(kind, signal(3000, seed)) for seed, kind in enumerate(kinds))
    heard, _ = _read(pair * 20)
    assert heard.shape == (1, 20 * _read(pair)[0].shape[1])
    counts = []
    for number in (30, 60):
        file = _Counting(pair * number)
        assert len(survey.survey(file, "x", "").parts) == 2 * number
        counts.append(file.count)
    assert counts[1] < 2.2 * counts[0]
