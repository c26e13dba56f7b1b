"""Evaluating a model that speaks: what is heard of what is said, by hand, and what is refused."""

import shutil
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from recognizer_fakes import DIGITS as HEARD
from speaking_fakes import voice_spec
from unbraid import audio
from unbraid.corpora.mixtures import Clip
from unbraid.corpora.transcripts import Utterance
from unbraid.errors import RuntimeUnavailable, UsageError
from unbraid.evaluation.evaluators import evaluator_of
from unbraid.evaluation.request import EvaluationRequest
from unbraid.evaluation.run import Evaluation
from unbraid.evaluation.text.sphinx import WORDS, Sphinx
from unbraid.evaluation.text.synthesis import known_words, spelled_words, synthesise_and_score, transcribable
from unbraid.evaluation.text.transcription import TranscriptResult
from unbraid.evaluation.text.transcription_report import report
from unbraid.hub.spec import Vocabularies
from unbraid.hub.vocabulary import SPECIAL
from unbraid.tasks.transcription.result import Transcript
from unbraid.tasks.transcription.transcript import Word


class Voice:
    """Says how many words there are."""

    sample_rate = 8000

    def __call__(self, text: str) -> np.ndarray:
        if "crash" in text:
            raise RuntimeError("no")
        return np.full((1, 800), len(text.split()), np.float32)


class Ear:
    """Hears a one for each word."""

    def __call__(self, audio: np.ndarray, sample_rate: int) -> Transcript:
        assert sample_rate == 8000
        return Transcript(tuple(Word("1", 0.0, 1.0, 1.0) for _ in range(int(audio[0, 0]))), "ear")


def utterance(text: str) -> Utterance:
    return Utterance(Clip(Path("a.wav")), "ann", text, f"{text}.wav")


def test_words_are_compared_as_they_are_said() -> None:
    assert spelled_words("Room 305, it’s 1!") == ("room", "three", "zero", "five", "it's", "one")


def test_what_is_heard_is_counted() -> None:
    evaluation = Evaluation[TranscriptResult]()
    texts = [utterance(text) for text in ("1 1, 1", "1 one 2 1", "crash")]
    failures = list(evaluation.run(texts, partial(synthesise_and_score, Voice(), Ear())))
    assert [failure and failure.name for failure in failures] == [None, None, "crash.wav"]
    assert [(r.distance.edits, r.distance.symbols) for r in evaluation.results] == [(0, 3), (1, 4)]
    assert [r.utterance.text for r in evaluation.results] == ["one one one", "one one two one"]  # as what was heard
    assert [r.seconds for r in evaluation.results] == [0.1, 0.1]


def test_a_recogniser_of_digits_is_asked_for_digits() -> None:
    texts = [utterance(text) for text in ("3 0, 5", "three 305", "room 3")]
    listener = replace(voice_spec(), name="ear")
    object.__setattr__(listener, "vocabularies", Vocabularies((), HEARD))
    assert [u.text for u in transcribable(texts, known_words(listener))] == ["3 0, 5", "three 305"]
    object.__setattr__(listener, "vocabularies", Vocabularies((), (*HEARD, " ", "a")))
    assert transcribable(texts, known_words(listener)) == texts
    object.__setattr__(listener, "vocabularies", Vocabularies((), (*SPECIAL, "▁a", "b", "▁c")))  # pieces of any word
    assert transcribable(texts, known_words(listener)) == texts


def test_pocketsphinx_listens_to_digits(tmp_path: Path) -> None:
    flite = shutil.which("flite")
    if flite is None:
        pytest.skip("flite is not installed")
    ear = Sphinx()
    for said in ("three one four", "nine zero two"):
        subprocess.run([flite, "-voice", "slt", "-t", said, "-o", tmp_path / "said.wav"], check=True)
        assert ear(*audio.read(tmp_path / "said.wav")).text == said
    assert ear(np.zeros((2, 8000), np.float32), 8000).text in ("", *WORDS)  # it may guess, and never fails


def test_without_pocketsphinx_it_is_said_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    with pytest.raises(RuntimeUnavailable) as caught:
        Sphinx()
    assert str(caught.value) == (
        "pocketsphinx is not installed; get it with `pip install pocketsphinx`, or name a model that listens by "
        "--recogniser."
    )


def test_the_page_names_the_table_beside_it(setting) -> None:
    evaluation = Evaluation[TranscriptResult]()
    list(evaluation.run([utterance("three one")], partial(synthesise_and_score, Voice(), Ear())))
    html = report(evaluation, setting(voice_spec(), recogniser="ear")).page
    assert "<h2>The texts with most errors</h2>" in html
    assert "texts.csv has all texts." in html


def test_of_several_speakers_some_may_be_named(tmp_path: Path) -> None:
    assert (
        evaluator_of(voice_spec(), EvaluationRequest(tmp_path, recogniser="digits", speakers=("ann",)), None).noun
        == "texts"
    )


def test_somebody_has_to_listen(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        evaluator_of(voice_spec(), EvaluationRequest(tmp_path), None)
    assert str(caught.value) == (
        "voice speaks, so somebody has to listen: name a model, or pocketsphinx, by --recogniser."
    )
    with pytest.raises(UsageError) as caught:
        evaluator_of(voice_spec(), EvaluationRequest(tmp_path, recogniser="digits"), ["stoi"])
    assert str(caught.value) == "What is said is scored by word and sentence error rate, always; leave --metrics out."
