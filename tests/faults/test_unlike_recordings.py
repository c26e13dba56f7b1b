"""Recordings of different kinds in one file, one after the other: all are read, or the second is named."""

import io

import numpy as np
import pytest
from wrapped_files import RATE, encoded, muxed, signal

from unbraid import audio
from unbraid.audio import survey
from unbraid.errors import AudioError

ONES = ("wav", "float", "rf64", "w64", "aiff", "caf", "flac", "vorbis", "mp3")


def _read(data: bytes) -> tuple[np.ndarray, int]:
    return audio.read(io.BytesIO(data))


@pytest.mark.parametrize("second", ONES)
@pytest.mark.parametrize("first", ONES)
def test_a_recording_behind_one_of_another_kind_is_read(first: str, second: str) -> None:
    rate = 44100
    one, two = encoded(first, signal(5000), rate), encoded(second, signal(4000, 1), rate)
    if (first, second) == ("flac", "mp3"):
        two = b"ID3\4\0\0\0\0\0\0" + two
    expected = np.concatenate([_read(one)[0], _read(two)[0]], axis=1)
    for between in (b"", bytes(512)):
        heard, _ = _read(one + between + two)
        assert heard.shape == expected.shape
        assert np.abs(heard - expected).max() < 1e-6


@pytest.mark.parametrize(("container", "codec"), [("ipod", "aac"), ("matroska", "flac"), ("avi", "mp2")])
def test_a_recording_behind_a_film_is_read(container: str, codec: str) -> None:
    one, two = muxed(container, codec, signal(24000), 48000), encoded("wav", signal(4000, 1), 48000)
    expected = np.concatenate([_read(one)[0], _read(two)[0]], axis=1)
    heard, _ = _read(one + two)
    assert heard.shape == expected.shape and np.abs(heard - expected).max() < 1e-6


@pytest.mark.parametrize("first", ["wav", "flac", "mp3", "vorbis"])
def test_a_film_behind_a_recording_is_read(first: str) -> None:
    one, two = encoded(first, signal(5000), 48000), muxed("ipod", "aac", signal(24000), 48000)
    assert _read(one + two)[0].shape[1] == _read(one)[0].shape[1] + _read(two)[0].shape[1]


def test_another_rate_behind_is_named_with_its_second() -> None:
    data = encoded("flac", signal(RATE), RATE) + encoded("wav", signal(RATE), 2 * RATE)
    with pytest.raises(AudioError, match=r"changes from 8000 Hz, 1 channels to 16000 Hz, 1 channels at 1\.000 s"):
        _read(data)


def test_chunks_behind_the_samples_of_a_caf_stay() -> None:
    data = encoded("caf", signal(400))
    found = survey.survey(io.BytesIO(data + b"pakt" + bytes(7) + b"\x18" + bytes(24)), "x.caf", ".caf")
    assert found.parts[0].pieces is None


def test_many_recordings_of_two_kinds_in_turn_are_read() -> None:
    pair = encoded("wav", signal(100)) + encoded("flac", signal(100, 1))
    heard, _ = _read(pair * 40)
    assert heard.shape == (1, 8000)
    assert np.array_equal(heard, np.tile(np.concatenate([signal(100), signal(100, 1)], 1), 40))
