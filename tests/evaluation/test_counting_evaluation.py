"""Scores of models that count voices: of all outputs, of the number, and of the other outputs beside one voice."""

import json
from pathlib import Path

import numpy as np
import pytest

from engine_fakes import Fake, copies, speech_fake, speech_spec
from unbraid import audio
from unbraid.corpora import Clip, Mixture
from unbraid.errors import UsageError
from unbraid.evaluation.measures import measures_at
from unbraid.evaluation.report import Setting
from unbraid.evaluation.request import EvaluationRequest
from unbraid.evaluation.speech.report import report
from unbraid.evaluation.speech.run import SpeechEvaluation, separate_and_score
from unbraid.hub.spec import ModelSpec
from unbraid.tasks.separation.options import Options
from unbraid.tasks.separation.separator import Separator
from voice_fakes import RATE, by_band, counting, counting_spec, voices

MEASURES = measures_at(RATE)[:1]
SPOKEN = voices((1, 0, 2), (0, 1, 3), seconds=3)[:2, 0]


def mixture(folder: Path, sources: np.ndarray, name: str = "m") -> Mixture:
    """Sources (S, T) as a mixture of files."""
    clips = []
    for i, source in enumerate(sources):
        path = folder / f"{name}-{i}.wav"
        audio.write(path, source[None], RATE, audio.choose_format("wav", subtype="32f"))
        clips.append(Clip(path))
    return Mixture(name, tuple(clips))


def leaking(mixture: np.ndarray) -> np.ndarray:
    """Each output has a little of all others."""
    return by_band(mixture) + 0.05 * mixture[:, None]


def evaluated(folder: Path, sources: list[np.ndarray], fake: Fake | None = None) -> SpeechEvaluation:
    separator = counting(Options(tracks=False), fake)
    evaluation = SpeechEvaluation(MEASURES)
    mixtures = [mixture(folder, each, f"m{i}") for i, each in enumerate(sources)]
    outcomes = evaluation.run(mixtures, lambda mixture: separate_and_score(separator, mixture, MEASURES))
    assert list(outcomes) == [None] * len(sources)
    return evaluation


def reported(folder: Path, evaluation: SpeechEvaluation, number: int, spec: ModelSpec | None = None):
    request = EvaluationRequest(folder, voices=number)
    return report(evaluation, Setting(spec or counting_spec(), request, "cpu", "float32", None))


def test_two_voices_are_scored_among_three_outputs(tmp_path: Path) -> None:
    evaluation = evaluated(tmp_path, [SPOKEN, SPOKEN[::-1]])
    first, second = evaluation.results
    assert first.scored.scores["si-sdr"].estimate > 20
    assert (first.scored.order, second.scored.order) == ((0, 1), (1, 0))
    assert (first.voices_found, first.others_db, first.scored.silent_estimates) == (2, None, 0)
    found = reported(tmp_path, evaluation, 2)
    assert "counted right: 100 % of mixtures of 2 voices (found 2 voices in 2)" in found.lines
    assert found.values["counting"] == {"right": 1.0, "voices_found": {"2": 2}}
    assert found.values["voices"] == 2
    assert "other_outputs" not in found.values
    assert "voices_found" in found.table.csv().splitlines()[0]
    assert "Counted right" in found.page
    json.dumps(found.values)


def test_one_voice_alone_tells_how_faint_the_other_outputs_are(tmp_path: Path) -> None:
    alone = [voices((voice, 0, 2), seconds=2)[voice] for voice in range(2)]
    evaluation = evaluated(tmp_path, alone, speech_fake(leaking))
    assert [result.voices_found for result in evaluation.results] == [1, 1]
    for result in evaluation.results:
        assert result.others_db == pytest.approx(10 * np.log10(2 * 0.05**2 / 1.05**2), abs=2.0)
    found = reported(tmp_path, evaluation, 1)
    assert "counted right: 100 % of mixtures of 1 voice (found 1 voice in 2)" in found.lines
    (line,) = (line for line in found.lines if line.startswith("other outputs"))
    assert line.endswith("dB (median), -30 dB or less in 0 %")
    assert found.values["other_outputs"]["faint"] == 0
    silent = reported(tmp_path, evaluated(tmp_path, alone), 1)
    assert silent.values["other_outputs"]["faint"] == 1


def test_a_wrong_number_counts_as_wrong(tmp_path: Path) -> None:
    two = evaluated(tmp_path, [SPOKEN, SPOKEN[:1]])
    found = reported(tmp_path, two, 2)
    assert found.values["counting"] == {"right": 0.5, "voices_found": {"1": 1, "2": 1}}
    assert "counted right: 50 % of mixtures of 2 voices (found 1 voice in 1, 2 voices in 1)" in found.lines


def test_a_missing_output_counts_as_silence(tmp_path: Path) -> None:
    separator = Separator.over(speech_fake(copies(2)), speech_spec(2, RATE))
    case = separate_and_score(
        separator, mixture(tmp_path, voices((0, 0, 1), (1, 0, 1), (2, 0, 1), seconds=1)[:, 0]), MEASURES
    )
    assert case.estimates.shape == (3, 8000)
    assert case.result.scored.silent_estimates == case.result.scored.scores["si-sdr"].left_out == 1
    assert case.result.voices_found is None


def test_the_number_of_voices_is_a_request(tmp_path: Path) -> None:
    request = EvaluationRequest(tmp_path, voices=2)
    assert request.wanted(counting_spec()).sources == 2
    assert EvaluationRequest(tmp_path).wanted(counting_spec()).sources == 3
    assert request.title(counting_spec()).endswith("-test-voices-2")
    with pytest.raises(UsageError, match="^Mixtures of 0 voices are not possible; give 1 or more"):
        EvaluationRequest(tmp_path, voices=0)
    with pytest.raises(UsageError, match="^tiny-speech is a model of one voice; leave --voices out"):
        request.check(speech_spec(1))
