"""Speaker verification: error rates as in the field, the same trials in every run, and what is told of them."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from embedding_fakes import Bands, voice_spec
from unbraid.corpora import Clip
from unbraid.errors import AudioError, UsageError
from unbraid.evaluation.evaluators import evaluator_of
from unbraid.evaluation.request import EvaluationRequest
from unbraid.evaluation.speakers.report import report
from unbraid.evaluation.speakers.scoring import verification
from unbraid.evaluation.speakers.trials import Speaker, SpeakerEvaluation, drawn_pieces, embed_speaker
from unbraid.tasks.conversation.embedder import SpeakerEmbedder

RATE = 8000


def test_errors_of_known_trials() -> None:
    perfect = verification(np.array([0.9, 0.8]), np.array([0.1, 0.2, 0.3]))
    assert (perfect.eer, perfect.min_dcf) == (0, 0)
    assert perfect.threshold == pytest.approx(0.3)  # the last one that is rejected
    worst = verification(np.array([0.1, 0.2]), np.array([0.9, 0.8]))
    assert (worst.eer, worst.min_dcf) == (1, 1)
    one_each = verification(np.array([0.9, 0.8, 0.7, 0.2]), np.array([0.75, 0.1, 0.1, 0.0]))
    assert (one_each.eer, one_each.min_dcf) == (0.25, 0.5)  # without a false alarm two of four are missed
    assert verification(np.full(5, 0.5), np.full(9, 0.5)).eer == 0.5  # nothing can be told


def test_the_detection_cost_weighs_by_the_prior() -> None:
    """Accepting all costs (1 - P), rejecting all costs P; the cheaper one is 1."""
    same, other = np.array([0.0, 0.5]), np.array([0.4, -1.0, -1.0, -1.0])
    assert verification(same, other).min_dcf == pytest.approx(0.5)
    assert verification(same, other, prior=0.5).min_dcf == pytest.approx(0.25)
    assert verification(same, other, prior=0.99).min_dcf == pytest.approx(0.25)


SCORES = st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=30)


@given(SCORES, SCORES)
def test_errors_are_shares_and_do_not_depend_on_the_scale(same: list[float], other: list[float]) -> None:
    found = verification(np.array(same), np.array(other))
    assert 0 <= found.eer <= 1
    assert 0 <= found.min_dcf <= 1
    assert verification(8 * np.array(same), 8 * np.array(other)).eer == found.eer


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Four speakers, each a swelling hiss of another colour, in two recordings of nine seconds and a scrap."""
    folder, time = tmp_path / "people", np.arange(9 * RATE) / RATE
    rows = ["path,speaker,split"]
    for who in range(4):
        for take in range(2):
            random = np.random.default_rng((who, take))
            swell = np.sin(np.pi * (1 + who) * time) ** 2 + 0.02
            path = folder / f"{who}" / f"{take}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, 0.1 * swell * random.standard_normal(len(time)), RATE)
            rows.append(f"{who}/{take}.wav,speaker{who},test")
    (folder / "manifest.csv").write_text("\n".join(rows) + "\n")
    return folder


def people(corpus: Path) -> list[Speaker]:
    return [Speaker(f"speaker{k}", tuple(Clip(corpus / f"{k}" / f"{t}.wav") for t in range(2))) for k in range(4)]


def test_pieces_are_the_same_in_every_run_and_from_all_recordings(corpus: Path) -> None:
    speaker = people(corpus)[1]
    pieces = drawn_pieces(speaker, RATE)
    assert 4 <= len(pieces) <= 8
    assert all(2 * RATE <= len(piece.audio) <= 4 * RATE for piece in pieces)
    assert {piece.recording.name for piece in pieces[:2]} == {"0.wav", "1.wav"}
    for one, two in zip(pieces, drawn_pieces(speaker, RATE), strict=True):
        np.testing.assert_array_equal(one.audio, two.audio)


def test_of_a_long_recording_the_beginning_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from unbraid.evaluation.speakers import trials

    soundfile.write(tmp_path / "long.wav", np.random.default_rng(0).normal(0, 0.1, 60 * RATE), RATE)
    read, seen = trials.read_clip, []
    monkeypatch.setattr(trials, "read_clip", lambda clip, rate: seen.append(clip) or read(clip, rate))
    assert len(drawn_pieces(Speaker("anna", (Clip(tmp_path / "long.wav"),)), RATE)) == 10
    assert [clip.seconds for clip in seen] == [40]


def test_silence_and_scraps_are_no_pieces(tmp_path: Path) -> None:
    sound = np.random.default_rng(0).normal(0, 0.1, 30 * RATE)
    sound[4 * RATE :] = 0
    soundfile.write(tmp_path / "long.wav", sound, RATE)
    soundfile.write(tmp_path / "short.wav", sound[: 2 * RATE - 1], RATE)
    speaker = Speaker("anna", (Clip(tmp_path / "long.wav"), Clip(tmp_path / "short.wav")))
    assert 1 <= len(drawn_pieces(speaker, RATE)) <= 2
    alone = Speaker("bea", (Clip(tmp_path / "short.wav"),))
    with pytest.raises(AudioError, match="bea has no recording of 2 s that is not silent"):
        embed_speaker(SpeakerEmbedder.over(Bands(), voice_spec()), alone)


def test_every_pair_is_a_trial(corpus: Path, setting) -> None:
    evaluation, embedder = SpeakerEvaluation(), SpeakerEmbedder.over(Bands(), voice_spec())
    broken = Speaker("nobody", (Clip(corpus / "none.wav"),))
    outcomes = list(evaluation.run([*people(corpus), broken], partial(embed_speaker, embedder)))
    assert [bool(outcome) for outcome in outcomes] == [False] * 4 + [True]
    counts = [len(result.embeddings) for result in evaluation.results]
    trials = evaluation.trials()
    assert len(trials.same) == sum(n * (n - 1) // 2 for n in counts)
    assert len(trials.same) + len(trials.other) == sum(counts) * (sum(counts) - 1) // 2
    assert 0 < len(trials.across) < len(trials.same)
    made = report(evaluation, setting(voice_spec()))
    assert made.values["speakers"] == 4
    assert made.values["failed"] == ["nobody"]
    assert made.values["scores"][0]["trials_same"] == len(trials.same)
    assert 0 <= made.values["scores"][0]["eer"] <= 1
    assert made.lines[1].split()[:2] == ["trials", "EER"]
    assert made.files["speakers.csv"].splitlines()[0] == (
        "name,pieces,recordings,seconds,own_mean,own_least,nearest,nearest_mean,eer"
    )
    assert "speaker3" in made.page and "one recording; the second line leaves these out" in made.page
    json.loads(made.files["summary.json"])


def test_speakers_with_one_recording_have_no_trials_across(corpus: Path, setting) -> None:
    evaluation, embedder = SpeakerEvaluation(), SpeakerEmbedder.over(Bands(), voice_spec())
    ones = [Speaker(speaker.name, speaker.clips[:1]) for speaker in people(corpus)]
    list(evaluation.run(ones, partial(embed_speaker, embedder)))
    across = report(evaluation, setting(voice_spec())).values["scores"][1]
    assert (across["trials_same"], across["eer"]) == (0, None)


def test_what_cannot_be_asked(corpus: Path) -> None:
    spec = voice_spec()
    with pytest.raises(UsageError, match="Speaker embeddings are scored by EER and minDCF, always"):
        evaluator_of(spec, EvaluationRequest(corpus), ["si-sdr"])
    with pytest.raises(UsageError, match="can be had with speech models only, and tiny-voice is a speaker model"):
        evaluator_of(spec, EvaluationRequest(corpus, voices=2), None)
    with pytest.raises(UsageError, match="Speakers are told apart, and .* has 1 in its split test"):
        EvaluationRequest(corpus, limit=1).voices_of(spec)
