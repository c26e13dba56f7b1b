"""Everybody is transcribed alone: what a recogniser hears of a person, and where its words belong."""

import io
import itertools
from collections.abc import Iterator

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

import unbraid
from engine_fakes import speech_fake, speech_spec
from recognizer_fakes import RATE, ears, say, writer
from unbraid.corpora.rttm import Segment
from unbraid.dsp.arrays import Blocks
from unbraid.errors import AudioError, UsageError
from unbraid.tasks.separation.options import Options
from unbraid.tasks.separation.separator import Separator
from unbraid.tasks.transcription.people import JOINED_SECONDS, SILENCE_SECONDS, returned, stretches_of
from unbraid.tasks.transcription.transcriber import Transcriber
from unbraid.tasks.transcription.transcript import Word
from voice_fakes import by_band, counting

SECONDS = 14


def turn(start: float, *tones: int) -> np.ndarray:
    """(1, T) of tones from a time on."""
    audio, said = np.zeros((1, SECONDS * RATE), np.float32), say(*tones, seconds=0.9)
    audio[:, round(start * RATE) :][:, : said.shape[1]] = said
    return audio


# two people: one speaks below 1 kHz, the other one above; they overlap from 3.0 to 3.4 s
MEETING = turn(0.5, 1, 2, 3) + turn(3.0, 6, 7) + turn(9.0, 2, 1) + turn(11.5, 7)
SPOKEN = [
    ("speaker1", "1", 0.5), ("speaker1", "2", 1.5), ("speaker1", "3", 2.5), ("speaker2", "6", 3.0),
    ("speaker2", "7", 4.0), ("speaker1", "2", 9.0), ("speaker1", "1", 10.0), ("speaker2", "7", 11.5),
]  # fmt: skip


@pytest.mark.parametrize("make", [ears, writer])
@pytest.mark.parametrize("channels", [1, 2])
def test_everybody_has_their_words_and_their_times(make, channels: int) -> None:
    seen: list[float] = []
    transcript = Transcriber.over(make())(
        np.repeat(MEETING, channels, axis=0), RATE, separator=counting(), progress=lambda done, _: seen.append(done)
    )
    assert [(word.voice, word.text) for word in transcript.words] == [(voice, text) for voice, text, _ in SPOKEN]
    assert [word.start for word in transcript.words] == pytest.approx([start for *_, start in SPOKEN], abs=0.05)
    assert transcript.text == "speaker1: 1 2 3\nspeaker2: 6 7\nspeaker1: 2 1\nspeaker2: 7"
    assert seen == sorted(seen) and seen[-1] == SECONDS


def test_a_file_has_the_times_of_the_file() -> None:
    file = io.BytesIO()
    soundfile.write(file, MEETING.T, RATE, format="WAV", subtype="FLOAT")
    run = Transcriber.over(ears()).stream(file, start=2.4, separator=counting())
    words = list(run)
    assert [(word.voice, word.text) for word in words] == [
        ("speaker1", "3"), ("speaker2", "6"), ("speaker2", "7"), ("speaker1", "2"), ("speaker1", "1"), ("speaker2", "7")
    ]  # fmt: skip
    assert [words[0].start, words[1].start] == pytest.approx([2.5, 3.0], abs=0.05)
    assert run.diagnostics.conversation is not None
    assert run.diagnostics.conversation.speakers == ("speaker1", "speaker2")


def test_a_recogniser_hears_people_only_where_they_speak() -> None:
    """It would hear a word in everything, silence included; of 28 s, those of two people, it hears half."""
    heard = []
    recognizer = ears()

    def words(blocks: Blocks, beams: object, note: object) -> Iterator[Word]:
        audio = np.concatenate(list(blocks), axis=-1)
        heard.append(audio.shape[1] / RATE)
        return iter([Word("word", 0.0, heard[-1], 1.0)])

    recognizer.words = words  # type: ignore[method-assign]
    found = Transcriber.over(recognizer)(MEETING, RATE, separator=counting()).words
    assert len(found) == 2
    assert sum(heard) < 14
    assert Transcriber.over(recognizer)(np.zeros_like(MEETING), RATE, separator=counting()).words == ()


segments = st.lists(st.tuples(st.floats(0, 100), st.floats(0.1, 9)), min_size=1, max_size=12)


@given(segments)
def test_stretches_hold_every_segment_and_nothing_far_from_them(times: list[tuple[float, float]]) -> None:
    said = [Segment(start, start + seconds, "a") for start, seconds in times]
    samples = 105 * 100
    stretches = stretches_of(said, 100, samples)
    for segment in said:
        assert any(
            s.start <= max(0, 100 * segment.start - 29) for s in stretches if s.end >= min(samples, 100 * segment.end)
        )
    for one, two in itertools.pairwise(stretches):
        assert two.start - one.end >= 100 * JOINED_SECONDS
        assert two.heard - one.heard_end == min(two.start - one.end, 100 * SILENCE_SECONDS)
    assert stretches[0].heard == 0 and stretches[-1].end <= samples
    most = sum(seconds + 0.62 + JOINED_SECONDS for _, seconds in times)
    assert sum(s.end - s.start for s in stretches) <= 100 * most


def test_words_return_to_the_nearest_stretch() -> None:
    stretches = stretches_of([Segment(1.3, 2.7, "a"), Segment(11.3, 12.7, "a")], 100, 1400)  # 1 to 3 s, 11 to 13 s
    said = [("in", 0.5, 0.9), ("late", 1.9, 2.3), ("across", 1.8, 3.4), ("soon", 2.8, 2.9), ("last", 4.5, 5.5)]
    words = returned((Word(*word, 1.0) for word in said), stretches, 100)
    assert [(word.text, round(word.start, 2), round(word.end, 2)) for word in words] == [
        ("in", 1.5, 1.9), ("late", 2.9, 3.0), ("across", 11.0, 11.4), ("soon", 11.0, 11.0), ("last", 12.5, 13.0)
    ]  # fmt: skip


def test_only_one_person() -> None:
    file = io.BytesIO()
    soundfile.write(file, MEETING.T, RATE, format="WAV", subtype="FLOAT")
    transcriber = Transcriber.over(ears())
    words = list(transcriber.run(file, separator=counting(), only="speaker2"))
    assert [word.text for word in words] == ["6", "7", "7"]
    with pytest.raises(AudioError, match=r"^anna was not found, only speaker1, speaker2; leave that choice out"):
        list(transcriber.run(file, separator=counting(), only="anna"))


def test_what_cannot_be() -> None:
    transcriber = Transcriber.over(ears())
    with pytest.raises(UsageError, match="pulls voices apart that share a channel"):
        transcriber(MEETING, RATE, channels="apart", separator=counting())
    follows_nobody = Separator.over(speech_fake(by_band), speech_spec(3, RATE))
    with pytest.raises(UsageError, match="does not tell people apart"):
        transcriber(MEETING, RATE, separator=follows_nobody)
    for options in (Options(tracks=False), Options(remove=("speaker1",))):
        with pytest.raises(UsageError, match="from a track of each one"):
            transcriber(MEETING, RATE, separator=counting(options))


def test_one_call_with_the_models_of_the_package() -> None:
    silence = np.zeros((1, 3 * RATE), np.float32)
    transcript = unbraid.transcribe(silence, sample_rate=RATE, separate=True)
    assert (transcript.words, transcript.model) == ((), "digits")
    with pytest.raises(UsageError, match="tells 1 to 20 speakers apart, not 21"):
        unbraid.transcribe(silence, sample_rate=RATE, separate=Options(speakers=21))
