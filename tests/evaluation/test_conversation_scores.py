"""Scores of conversations: perfect tracks score perfectly, and known mistakes give known numbers."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from engine_fakes import music_spec, speech_spec
from talkers import RATE, humming
from unbraid import audio
from unbraid.corpora.conversations import Conversation, read_conversation
from unbraid.corpora.rttm import Segment, to_rttm
from unbraid.errors import AudioError, UsageError
from unbraid.evaluation.conversation.assignment import NOBODY, best_assignment
from unbraid.evaluation.conversation.report import report
from unbraid.evaluation.conversation.run import in_steps, separate_and_score
from unbraid.evaluation.conversation.segments import active_segments, score_segments
from unbraid.evaluation.conversation.tracks import TrackStatistics
from unbraid.evaluation.conversation.transcripts import cp_word_errors
from unbraid.evaluation.request import EvaluationRequest
from unbraid.evaluation.run import Evaluation
from unbraid.tasks.conversation.conversation import Conversation as Found
from unbraid.tasks.results import Diagnostics, Run

SECONDS = 40
TURNS = [Segment(1.0, 9.0, "a"), Segment(11.0, 19.0, "b"), Segment(17.0, 29.0, "a"), Segment(31.0, 39.0, "b")]


def alone(name: str) -> np.ndarray:
    """(T,) what a person says."""
    parts = [(turn.start, turn.end) for turn in TURNS if turn.speaker == name]
    return humming({"a": 440, "b": 700}[name], *parts, seconds=SECONDS)


@pytest.fixture
def conversation(tmp_path: Path) -> Conversation:
    folder = tmp_path / "dev" / "talk"
    folder.mkdir(parents=True)
    fmt = audio.choose_format("flac", subtype="16")
    for name in "ab":
        audio.write(folder / f"speaker-{name}.flac", alone(name)[None], RATE, fmt)
    audio.write(folder / "mixture.flac", (alone("a") + alone("b"))[None], RATE, fmt)
    (folder / "speakers.rttm").write_text(to_rttm(TURNS, "talk"))
    (folder / "conversation.json").write_text(json.dumps({"seconds": SECONDS, "utterances": []}))
    return read_conversation(folder)


class Fake:
    """Gives these tracks (E, T) in blocks of an odd size, and these segments."""

    def __init__(self, tracks: dict[str, np.ndarray], segments: list[Segment] | None = None) -> None:
        self._tracks = tracks
        people = tuple(name for name in tracks if name != "residual")
        self._told = None if segments is None else Found(people, tuple(segments), SECONDS)

    def blocks(self, source: Path) -> Run[dict[str, np.ndarray]]:
        diagnostics = Diagnostics("fake")

        def read() -> Iterator[dict[str, np.ndarray]]:
            diagnostics.conversation = self._told
            for start in range(0, SECONDS * RATE, 1234):
                yield {name: track[None, start : start + 1234] for name, track in self._tracks.items()}

        return Run(read(), diagnostics)


def swapped_after(seconds: float) -> dict[str, np.ndarray]:
    """Tracks that trade places once."""
    later = np.arange(SECONDS * RATE) >= seconds * RATE
    a, b = alone("a"), alone("b")
    return {"speaker1": np.where(later, b, a), "speaker2": np.where(later, a, b)}


def test_the_references_themselves_score_perfectly(conversation: Conversation) -> None:
    pytest.importorskip("pyannote.metrics")
    named = {"a": "speaker1", "b": "speaker2"}
    segments = [Segment(turn.start, turn.end, named[turn.speaker]) for turn in TURNS]
    tracks = {"speaker2": alone("b"), "speaker1": alone("a"), "residual": np.zeros(SECONDS * RATE, np.float32)}
    result = separate_and_score(Fake(tracks, segments), conversation)
    assert (result.people, result.found, result.seconds, result.segments_by_level) == (2, 2, 40.0, False)
    assert result.tracks.assignment == (1, 0)
    assert result.tracks.alone_share == pytest.approx(1, abs=1e-3)
    assert min(result.tracks.si_sdr_db) > 50
    assert result.tracks.si_sdr_db == pytest.approx(result.tracks.local_db)
    assert (result.tracks.swaps, result.tracks.missed) == (0, 0)
    assert result.segments is not None
    assert (result.segments.der, result.segments.jer) == (0, 0)
    assert result.overlap == result.overlap_found == pytest.approx(2 / 34)


def test_tracks_that_trade_places_lose_by_the_global_assignment_alone(conversation: Conversation) -> None:
    result = separate_and_score(Fake(swapped_after(30.0), TURNS), conversation)
    # of b, the last 8 of 16 seconds are on the other track; a has said everything before
    assert result.tracks.alone_share == pytest.approx(1 - 8 / 32, abs=0.01)
    assert result.tracks.swaps == 1
    a, b = result.tracks.si_sdr_db
    # half of b's energy is on b's track, so that α is 1/2: target a quarter, noise a quarter of the energy
    assert b == pytest.approx(0, abs=0.1)
    assert a == pytest.approx(10 * np.log10(20 / 8), abs=0.1)  # 20 s of a, and 8 s of b
    assert min(result.tracks.local_db) > 40


def test_swaps_are_counted_both_ways(conversation: Conversation) -> None:
    tracks = swapped_after(30.0)
    assert separate_and_score(Fake(tracks), conversation).tracks.swaps == 1  # only b speaks after it
    assert separate_and_score(Fake(swapped_after(20.0)), conversation).tracks.swaps == 2


def test_a_person_without_a_track_has_no_si_sdr(conversation: Conversation) -> None:
    result = separate_and_score(Fake({"speaker1": alone("a") + 0.01 * alone("b")}), conversation)
    assert result.tracks.assignment == (0, NOBODY) or result.tracks.assignment[0] == 0
    assert result.tracks.missed == 1
    assert np.isnan(result.tracks.si_sdr_db[1])
    assert result.found == 1


def test_tracks_that_end_too_soon_are_refused(conversation: Conversation) -> None:
    short = {"speaker1": alone("a")[: 30 * RATE + 5]}
    with pytest.raises(AudioError, match="have another length than its references"):
        separate_and_score(Fake(short), conversation)


def test_segments_follow_from_levels(conversation: Conversation) -> None:
    pytest.importorskip("pyannote.metrics")
    result = separate_and_score(Fake({"x": alone("a"), "y": alone("b")}), conversation)
    assert result.segments_by_level
    assert result.segments is not None
    assert result.segments.der < 0.01
    frames = np.zeros((2, 50))
    frames[0, 5:20] = frames[1, 18:40] = 0.01
    frames[1, 5:15] = 1e-4  # 20 dB below the other one: a leak
    found = active_segments(frames, ("x", "y"))
    assert [(s.speaker, round(s.start, 3), round(s.end, 3)) for s in found] == [("x", 0.5, 2.0), ("y", 1.8, 4.0)]
    assert active_segments(np.zeros((2, 50)), ("x", "y")) == []


def test_der_counts_what_is_missed_and_confused() -> None:
    pytest.importorskip("pyannote.metrics")
    found = [Segment(1.0, 9.0, "x"), Segment(11.0, 19.0, "x"), Segment(17.0, 29.0, "x")]
    scores = score_segments(TURNS, found, SECONDS)
    # collars take 0.25 s from each boundary; 11 to 17 s and 19 s are confused, 31 to 39 s are missed
    assert scores.missed == pytest.approx(7.5 + 1.5, abs=0.01)
    assert scores.confusion == pytest.approx(5.5, abs=0.01)
    assert scores.false_alarm == pytest.approx(0.0, abs=0.01)
    assert scores.der == pytest.approx((scores.missed + scores.confusion) / scores.total)


def test_the_best_assignment_is_that_of_all_permutations() -> None:
    random = np.random.default_rng(0)
    for people, tracks in ((1, 1), (2, 2), (3, 5), (4, 2)):
        scores = random.normal(0.5, 1, (20, people, tracks))
        for score, found in zip(scores, best_assignment(scores), strict=True):
            own = [track for track in found if track != NOBODY]
            assert len(set(own)) == len(own)
            padded = np.concatenate((score, np.zeros((people, people))), axis=1)
            best = max(
                sum(padded[i, j] for i, j in enumerate(order))
                for order in itertools.permutations(range(tracks + people), people)
            )
            assert sum(score[i, j] for i, j in enumerate(found) if j != NOBODY) == pytest.approx(best)


def test_statistics_give_the_si_sdr_of_whole_signals() -> None:
    from unbraid.dsp.metrics import si_sdr

    random = np.random.default_rng(1)
    references = random.normal(0.05, 0.1, (2, 50_000))
    tracks = references[::-1] + random.normal(0.01, 0.02, (2, 50_000))
    statistics = TrackStatistics()
    for start in range(0, 50_000, 16_000):
        part = slice(start, start + 16_000)
        statistics.add(references[:, part], tracks[:, part], np.ones_like(references[:, part], bool))
    scores = statistics.scores()
    assert scores.assignment == (1, 0)
    assert scores.si_sdr_db == pytest.approx(si_sdr(tracks[::-1], references))
    assert np.isnan(scores.alone_share)  # both speak all the time


def test_blocks_of_any_size_become_steps() -> None:
    track = np.arange(2 * 1001, dtype=np.float32).reshape(2, 1001)
    for size in (1, 7, 100, 2000):
        blocks = iter([{"x": track[:, i : i + size], "residual": track} for i in range(0, 1001, size)])
        steps = list(in_steps(blocks, 100))
        assert [step["x"].shape[-1] for step in steps] == [100] * 10 + [1]
        assert np.array_equal(np.concatenate([step["x"] for step in steps], axis=-1), track)
        assert all(set(step) == {"x"} for step in steps)


def test_words_on_the_wrong_track_and_one_stream_for_all() -> None:
    pytest.importorskip("meeteval")
    said = {"a": "one two three four", "b": "five six"}
    assert cp_word_errors(said, {"x": "five six", "y": "one two three four"}).errors == 0
    wrong = cp_word_errors(said, {"x": "five six four", "y": "one two three"})
    assert (wrong.errors, wrong.words, wrong.rate) == (2, 6, pytest.approx(1 / 3))
    assert cp_word_errors(said, {"": "one two three four five six"}).errors == 4  # two too many, and two missed
    assert cp_word_errors(said, {}).rate == 1


def test_the_report_has_a_row_for_each_number_of_people(conversation: Conversation, setting) -> None:
    evaluation = Evaluation()
    fakes = iter([Fake({"speaker1": alone("a"), "speaker2": alone("b")}, TURNS), Fake(swapped_after(30.0), TURNS)])
    list(evaluation.run([conversation, conversation], lambda each: separate_and_score(next(fakes), each)))
    assert not evaluation.failures
    found = report(evaluation, setting(speech_spec(), conversations=True))
    assert found.lines[0] == "m on d, split test: 2 conversations, 1.3 min"
    assert found.lines[1].split()[:5] == ["people", "n", "counted", "right,", "%"]
    assert found.lines[1].endswith("DER, %  JER, %  swaps per hour")
    assert found.lines[2].split()[:4] == ["2", "2", "100", "87.5"]
    scores = found.values["scores"]
    assert set(scores) == {"2", "all"}
    assert scores["all"]["swaps_per_hour"] == pytest.approx(45)
    assert scores["all"]["counted_right"] == 1
    json.dumps(found.values)
    assert len(found.table.csv().splitlines()) == 3
    assert "Every conversation" in found.page


def test_options_of_mixtures_are_refused(tmp_path: Path) -> None:
    request = EvaluationRequest(tmp_path, conversations=True)
    request.check(speech_spec())
    with pytest.raises(UsageError, match=r"^--conversations can be had with speech models only"):
        request.check(music_spec())
    with pytest.raises(UsageError, match=r"does not separate voices; leave --conversations out"):
        request.check(speech_spec(1))
    with pytest.raises(UsageError, match=r"^Conversations are scored as they are; leave --mode, --voices out"):
        EvaluationRequest(tmp_path, conversations=True, voices=2, mode="max").check(speech_spec())
    assert request.title(speech_spec()).endswith("-test-conversations")
    by_another = EvaluationRequest(tmp_path, conversations=True, embedder="funasr/campplus")
    assert by_another.title(speech_spec()).endswith("-test-conversations-campplus")
    with pytest.raises(UsageError, match=r"^--embedder is for conversations; give --conversations too"):
        EvaluationRequest(tmp_path, embedder="campplus")
