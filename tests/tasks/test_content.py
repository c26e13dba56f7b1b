"""Speech or music: what the examples are taken for, and what is read to tell."""

from pathlib import Path

import numpy as np
import pytest

from unbraid import audio
from unbraid.audio import Excerpt, Reader
from unbraid.errors import AudioError
from unbraid.tasks.separation import content as module
from unbraid.tasks.separation.content import WEIGHTS, Content, content_of, content_of_file

EXAMPLES = Path(__file__).parents[2] / "examples"
SONG, VOICES = EXAMPLES / "song.flac", EXAMPLES / "voices.flac"


def test_a_song_is_music_and_people_are_speech():
    song, voices = content_of_file(SONG), content_of_file(VOICES)
    assert (song.kind, song.model) == ("music", "music-4")
    assert (voices.kind, voices.model) == ("speech", "speech")


def test_a_song_through_a_telephone_is_music_still():
    samples, rate = audio.read(SONG)
    narrow = audio.resample(samples.mean(0, keepdims=True), rate, 8000)
    assert content_of(0.01 * narrow, 8000).kind == "music"


def test_a_voice_before_quiet_music_is_speech():
    voices, rate = audio.read(VOICES)
    song = audio.resample(audio.read(SONG)[0].mean(0, keepdims=True), 44100, rate)[:, : voices.shape[1]]
    quiet = song * 0.2 * np.sqrt((voices**2).mean() / (song**2).mean())
    assert content_of(voices[:, : quiet.shape[1]] + quiet, rate).kind == "speech"


def test_channels_of_opposite_polarity_do_not_cancel():
    samples, rate = audio.read(SONG)
    mono = samples.mean(0)
    assert content_of(np.stack((mono, -mono)), rate).kind == "music"


def test_an_array_and_a_file_are_the_same():
    assert content_of(*audio.read(SONG)) == content_of_file(SONG)


def test_an_excerpt_is_judged_by_itself(tmp_path):
    voices, rate = audio.read(VOICES)
    song = audio.resample(audio.read(SONG)[0].mean(0, keepdims=True), 44100, rate)
    path = tmp_path / "radio.wav"
    audio.write(path, np.concatenate((voices, song), axis=1), rate, audio.choose_format("wav"))
    start = voices.shape[1] / rate
    assert content_of_file(path, Excerpt(duration=start)).kind == "speech"
    assert content_of_file(path, Excerpt(start=start)).kind == "music"


@pytest.mark.parametrize("samples", [np.zeros((1, 80000)), np.full((2, 4000), 0.1)], ids=["silence", "half a second"])
def test_nothing_can_be_told_of_silence_and_of_a_moment(samples):
    assert content_of(samples, 8000) == Content(None)
    assert Content(None).model == "speech"


def test_what_cannot_be_read_is_left_to_who_reads_it(tmp_path):
    (tmp_path / "text.wav").write_text("no audio")
    assert content_of_file(tmp_path / "text.wav") == content_of_file(tmp_path / "none.wav") == Content(None)
    with pytest.raises(AudioError):
        content_of(np.full((1, 8000), np.nan), 8000)


@pytest.mark.parametrize("known", [True, False])
def test_ten_passages_are_heard_of_an_hour_and_no_more_than_five_minutes_are_read(monkeypatch, known):
    class Endless:
        info = type("Info", (), {"sample_rate": 8000, "channels": 1})
        frames = 3600 * 8000 if known else None
        read = 0

        def __init__(self, *_):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def blocks(self, frames):
            while True:
                type(self).read += frames
                yield np.ones((1, frames), np.float32)

    heard = []
    monkeypatch.setattr(module, "Reader", Endless)
    monkeypatch.setattr(module, "_classified", lambda passages, rate: heard.extend(len(p[0]) for p in passages))
    content_of_file("hour.wav")
    assert heard == 10 * [5 * 8000]
    assert Endless.read == (300 if known else 50) * 8000
    assert Reader is not Endless


def test_the_sentence_says_what_was_heard_and_how_to_choose_otherwise():
    assert str(Content("music", 0.9)) == "sounds like music: separated with music-4; -m speech for its voices"
    assert str(Content("speech", 0.9)).startswith("sounds like speech: separated with speech; -m music-4 ")
    assert str(Content(None, 0.5)).startswith("is neither clearly speech nor music: separated with speech; ")


def test_the_network_is_small():
    assert WEIGHTS.stat().st_size < 16_000
