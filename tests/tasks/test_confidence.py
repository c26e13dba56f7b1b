"""Digits that nobody said: a recogniser of digits refuses what it is not sure of."""

import itertools
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import unbraid
from unbraid import audio
from unbraid.errors import AudioError
from unbraid.hub.vocabulary import SPECIAL
from unbraid.tasks.transcription.confidence import checked_digits
from unbraid.tasks.transcription.transcript import Word

EXAMPLES = Path(__file__).parents[2] / "examples"
DIGITS = SimpleNamespace(name="digits", vocabularies=SimpleNamespace(target=(*SPECIAL, *"0123456789")))
LETTERS = SimpleNamespace(name="letters", vocabularies=SimpleNamespace(target=(*SPECIAL, *"abc ")))


def said(*confidences: float):
    return (Word("3", n, n + 0.1, confidence) for n, confidence in enumerate(confidences))


def test_digits_that_are_sure_pass():
    assert len(list(checked_digits(said(0.9, 0.4, 0.95), DIGITS))) == 3
    assert list(checked_digits(said(), DIGITS)) == []


def test_guesses_are_refused_and_models_of_dictation_named():
    with pytest.raises(AudioError, match=r"does not sound like digits.*0\.45.*openai/whisper-base.*wav2vec2.*--force"):
        list(checked_digits(said(0.3, 0.6), DIGITS))


def test_models_of_letters_may_be_unsure():
    assert len(list(checked_digits(said(0.1, 0.2), LETTERS))) == 2


def test_an_endless_recording_is_judged_by_its_first_hundred_digits():
    def endless():
        for n in itertools.count():
            read.append(n)
            yield Word("1", n, n + 0.1, 0.9 if n < 100 else 0.1)

    read: list[int] = []
    words = checked_digits(endless(), DIGITS)
    assert next(words).confidence == 0.9
    assert len(read) == 100
    assert len(list(itertools.islice(words, 200))) == 200


@pytest.mark.parametrize("name", ["voices.flac", "song.flac"])
def test_the_model_in_the_package_makes_no_digits_of_speech_and_music(name):
    with pytest.raises(AudioError, match="does not sound like digits"):
        unbraid.transcribe(EXAMPLES / name)


def test_force_gives_them():
    samples, rate = audio.read(EXAMPLES / "voices.flac")
    with unbraid.Transcriber("digits", force=True) as transcriber:
        assert transcriber(np.ascontiguousarray(samples), rate).words
