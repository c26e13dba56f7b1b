"""Words of conversations: who said what, with separation and without, by cpWER."""

import dataclasses
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from engine_fakes import speech_spec
from recognizer_fakes import RATE, ears, say
from unbraid import audio
from unbraid.corpora.conversations import Conversation, read_conversation
from unbraid.corpora.rttm import Segment, to_rttm
from unbraid.errors import RuntimeUnavailable, UsageError
from unbraid.evaluation.conversation import transcripts
from unbraid.evaluation.conversation.report import report
from unbraid.evaluation.conversation.run import separate_and_score
from unbraid.evaluation.conversation.transcripts import CpWer, transcribe_and_score
from unbraid.evaluation.evaluators import evaluator_of
from unbraid.evaluation.request import EvaluationRequest
from unbraid.evaluation.run import Evaluation
from unbraid.tasks.transcription.transcriber import Transcriber
from voice_fakes import counting, counting_spec

TURNS = [("a", 0.5, (1, 2, 3)), ("b", 1.5, (6, 7)), ("a", 9.0, (2, 1)), ("b", 11.5, (7,))]  # two at once, twice
SECONDS = 14


@pytest.fixture
def talk(tmp_path: Path) -> Callable[..., Conversation]:
    """Write a conversation of two people, with its texts or without."""

    def make(*, text: bool = True) -> Conversation:
        folder = tmp_path / "talks" / "test" / "talk"
        folder.mkdir(parents=True)
        people = {name: np.zeros((1, SECONDS * RATE), np.float32) for name in "ab"}
        segments, said = [], []
        for name, start, tones in TURNS:
            sound = say(*tones, seconds=0.9)
            people[name][:, round(start * RATE) :][:, : sound.shape[1]] = sound
            segments.append(Segment(start, start + len(tones), name))
            words = " ".join(map(str, tones)) if text else ""
            said.append({"start": start, "end": start + len(tones), "speaker": name, "text": words})
        fmt = audio.choose_format("flac", subtype="16")
        for name, sound in (
            *((f"speaker-{name}", sound) for name, sound in people.items()),
            ("mixture", sum(people.values())),
        ):
            audio.write(folder / f"{name}.flac", sound, RATE, fmt)
        (folder / "speakers.rttm").write_text(to_rttm(segments, "talk"))
        (folder / "conversation.json").write_text(json.dumps({"seconds": SECONDS, "utterances": said}))
        return read_conversation(folder)

    return make


def by_set(reference: Mapping[str, str], found: Mapping[str, str]) -> CpWer:
    """A stand-in for meeteval: words that are missing, whoever says them, and the number of people that is wrong."""
    said, heard = (" ".join(texts.values()).split() for texts in (reference, found))
    return CpWer(sum(said.count(w) - min(said.count(w), heard.count(w)) for w in set(said)), len(said))


def test_everybody_alone_has_all_words_and_one_stream_loses_those_at_once(talk, monkeypatch, setting) -> None:
    """Of two tones at once the recogniser hears the louder one."""
    asked: list[Mapping[str, str]] = []
    monkeypatch.setattr(transcripts, "cp_word_errors", lambda said, found: asked.append(found) or by_set(said, found))
    conversation = talk()
    words = transcribe_and_score(Transcriber.over(ears()), counting(), conversation)
    assert asked[0] == {"speaker1": "1 2 3 2 1", "speaker2": "6 7 7"} and list(asked[1]) == [""]
    assert words.separated == CpWer(0, 8) and words.mixed.errors >= 1
    result = dataclasses.replace(separate_and_score(counting(), conversation), words=words)
    evaluation = Evaluation()
    list(evaluation.run([conversation], lambda _: result))
    found = report(evaluation, setting(speech_spec(), conversations=True))
    assert found.lines[1].endswith("swaps per hour  cpWER, %  cpWER mixed, %")
    scores = found.values["scores"]["all"]
    assert (scores["cp_wer"], scores["cp_wer_mixed"]) == (0.0, words.mixed.rate)
    assert "cpWER mixed, %" in found.table.csv().splitlines()[0] or "cp_wer_mixed" in found.table.csv().splitlines()[0]
    assert f"{100 * words.mixed.rate:.1f} % in one stream" in found.page
    assert any(note.startswith("words: cpWER over all words") for note in found.lines)


def test_meeteval_itself_agrees(talk) -> None:
    pytest.importorskip("meeteval")
    words = transcribe_and_score(Transcriber.over(ears()), counting(), talk())
    assert words.separated.rate == 0 and words.mixed.rate > 0.3  # one stream is one of the two people


def test_several_conversations_count_by_their_words() -> None:
    assert CpWer.sum_of([CpWer(1, 10), CpWer(5, 20)]) == CpWer(6, 30)
    assert np.isnan(CpWer.sum_of([]).rate)


def test_what_is_needed_is_said_before_the_work(talk, tmp_path: Path, monkeypatch) -> None:
    talk(text=False)
    request = EvaluationRequest(tmp_path / "talks", conversations=True, recogniser="digits")
    monkeypatch.setattr(transcripts, "find_spec", lambda name: None)
    with pytest.raises(
        RuntimeUnavailable, match=r"^cpWER needs the package meeteval; get it with `pip install meeteval`"
    ):
        evaluator_of(counting_spec(), request, None)
    monkeypatch.setattr(transcripts, "find_spec", lambda name: sys)
    with pytest.raises(UsageError, match=r"says of no conversation all that is said in it; leave --recogniser out"):
        evaluator_of(counting_spec(), request, None)
    with pytest.raises(UsageError, match=r"^--recogniser can be had with speaking models only"):
        EvaluationRequest(tmp_path, recogniser="digits").check(speech_spec())
