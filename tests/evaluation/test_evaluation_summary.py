"""Sums of scores, and what is printed of them."""

import csv
import io
import json
import math

import numpy as np
import pytest

from engine_fakes import speech_spec
from unbraid.evaluation.measures import measures_at
from unbraid.evaluation.run import Failure
from unbraid.evaluation.speech.report import report, table
from unbraid.evaluation.speech.run import MixtureResult, SpeechEvaluation
from unbraid.evaluation.speech.scoring import Score, Scored
from unbraid.evaluation.statistics import statistic
from unbraid.tasks.pages.tables import number

MEASURES = measures_at(8000)[:2]


def result(name: str, gain: float, left_out: int = 0) -> MixtureResult:
    score = Score(1.0, 1.0 + gain, left_out)
    return MixtureResult(name, 2.0, 0.5, 0.8, Scored({m.key: score for m in MEASURES}, (1, 0), left_out, 0))


def evaluation(*results: MixtureResult) -> SpeechEvaluation:
    return SpeechEvaluation(MEASURES, results=list(results))


def test_the_interval_is_that_of_a_normal_mean() -> None:
    values = np.random.default_rng(1).normal(5, 2, 400)
    summed = statistic(list(values))
    assert summed.interval is not None
    low, high = summed.interval
    half = 1.96 * values.std() / np.sqrt(400)
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.03)
    assert statistic(list(values)) == summed  # seeded


def test_what_has_no_number_is_left_out() -> None:
    assert statistic([1.0, math.nan, 3.0]).n == 2
    assert statistic([1.0, math.nan, 3.0]).mean == 2.0
    assert statistic([4.0]).interval is None
    assert statistic([math.nan]).mean is None
    assert statistic([]).n == 0


def test_json_has_no_nan_and_every_variant(setting) -> None:
    whole = evaluation(result("a", 3.0), result("b", math.nan, left_out=2))
    whole.failures.append(Failure("c", ValueError("x")))
    told = report(whole, setting(speech_spec(), 123_000_000)).values
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert (told["mixtures"], told["failed"], told["silent_references"]) == (2, ["c"], 2)
    assert told["real_time_factor"] == {"wall": 0.25, "cpu": 0.4}
    assert told["peak_memory_mb"] == 123.0
    first = told["scores"][0]
    assert (first["metric"], first["variant"], first["unit"]) == ("SI-SDR", "= SI-SNR, means removed", "dB")
    assert first["improvement"] == {"mean": 3.0, "median": 3.0, "interval_95": None, "n": 1}
    assert first["voices_left_out"] == 2


def test_the_lines_name_variant_cost_and_what_is_left_out(setting) -> None:
    whole = evaluation(result("a", 3.0), result("b", 4.0, left_out=1))
    text = "\n".join(report(whole, setting(speech_spec(), threads=2)).lines)
    assert text.startswith("m on d, split test: 2 mixtures of 2 voices, 0.1 min at 8000 Hz\n")
    assert "SI-SDR (= SI-SNR, means removed), dB" in text
    assert "+3.50" in text
    assert "3.00 to 4.00" in text
    assert "SI-SDR: 1 of 4 voices left out" in text
    assert "real-time factor 0.250 wall, 0.400 CPU (separation only; cpu, float32, --threads 2)" in text
    assert "peak memory" not in text


def test_the_table_has_a_row_per_mixture_and_blanks_for_nothing() -> None:
    rows = list(csv.DictReader(io.StringIO(table([result("a,b", 3.0), result("c", math.nan)], MEASURES).csv())))
    assert rows[0]["name"] == "a,b"
    assert rows[0]["si_sdr_zero_mean_db_improvement"] == "3.0000"
    assert rows[0]["si_sdr_zero_mean_db_of_mixture"] == "1.0000"
    assert rows[0]["sdr_bss_eval_512_taps_db"] == "4.0000"
    assert (rows[0]["permutation"], rows[0]["wall_seconds"]) == ("2 1", "0.5000")
    assert rows[1]["si_sdr_zero_mean_db_improvement"] == ""


def test_numbers_have_no_minus_before_a_zero() -> None:
    assert [number(-0.004, 2), number(0.004, 2, sign=True), number(-1.236, 2), number(2.0, 1, sign=True)] == [
        "0.00", "0.00", "-1.24", "+2.0",
    ]  # fmt: skip
    assert number(None, 2) == number(math.nan, 2) == "–"
