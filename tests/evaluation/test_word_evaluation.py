"""Evaluating a model on words: error rates by hand, what is written, and what is refused."""

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import unbraid.cli
from text_fakes import speller, words_spec
from unbraid.corpora.pronunciations import Entry
from unbraid.errors import UsageError
from unbraid.evaluation.evaluators import evaluator_of
from unbraid.evaluation.request import EvaluationRequest
from unbraid.evaluation.text.pronunciation import WordEvaluation
from unbraid.evaluation.text.pronunciation_report import CONVENTION, report
from unbraid.tasks.synthesis.phonemizer import Phonemizer

WORDS = [
    Entry("abc", (("X", "Y"), ("A", "B", "C"))),  # one of them is right
    Entry("ab", (("A", "B", "C", "D"), ("A", "C"))),  # one of two phonemes is wrong
    Entry("b", (("B", "B"),)),  # one of two is missing
]
OTHERS = "models only, and speller is a text model; leave that out."


def test_rates_are_those_by_hand(setting) -> None:
    evaluation = WordEvaluation()
    with Phonemizer.over(speller()) as phonemizer:
        assert list(evaluation.pronounce(phonemizer, WORDS)) == [None] * 3
    told = report(evaluation, setting(words_spec(), model="speller", dataset="words"))
    assert (told.values["words"], told.values["phonemes"]) == (3, 7)
    rates = told.values["phoneme_error_rate"], told.values["word_error_rate"]
    assert rates == pytest.approx((2 / 7, 2 / 3), abs=1e-6)
    assert told.lines[:4] == [
        "speller on words, split test: 3 words, 7 phonemes",
        "phoneme error rate 28.57 %",
        "word error rate    66.67 %",
        CONVENTION,
    ]


def test_words_that_fail_are_told(setting) -> None:
    class Broken:
        def pronounce(self, words):
            raise RuntimeError("no")

    evaluation = WordEvaluation()
    found = list(evaluation.pronounce(Broken(), WORDS))
    assert [failure.name for failure in found] == ["abc", "ab", "b"] == [f.name for f in evaluation.failures]
    assert report(evaluation, setting(words_spec())).values["words"] == 0


@pytest.fixture
def dictionary(tmp_path: Path) -> Path:
    """Words that are said as they are spelled, and as many that are not."""
    folder = tmp_path / "words"
    folder.mkdir()
    spelled = [f"{a}{b}" for a in "abcdefgh" for b in "abcdefgh"]
    said = [f"{word} {' '.join(word.upper())}" for word in spelled] + [f"x{word} X" for word in spelled]
    (folder / "cmudict.dict").write_text("\n".join(said))
    return folder


def test_the_command_writes_numbers_a_table_and_a_page(dictionary, tmp_path, monkeypatch) -> None:
    pytest.importorskip("onnx")
    from engine_fakes import write_model

    write_model(tmp_path / "speller", words_spec())
    monkeypatch.setattr("unbraid.tasks.synthesis.phonemizer.Generator", lambda model, **_: speller())
    words = ["evaluate", tmp_path / "speller", dictionary, "--split", "train", "--out", tmp_path / "out", "--json"]
    result = CliRunner().invoke(unbraid.cli.app, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"report.html", "summary.json", "words.csv"}
    rows = list(csv.DictReader((tmp_path / "out" / "words.csv").read_text().splitlines()))
    wrong = [row for row in rows if row["word"].startswith("x")]
    assert told["words"] == len(rows)
    assert told["word_error_rate"] == pytest.approx(len(wrong) / len(rows), abs=1e-6)
    assert told["phoneme_error_rate"] == pytest.approx(2 * len(wrong) / told["phonemes"], abs=1e-6)
    assert told["convention"] == CONVENTION
    page = (tmp_path / "out" / "report.html").read_text()
    assert "phoneme error rate" in page
    assert f'<td data-value="{wrong[0]["word"]}">' in page


@pytest.mark.parametrize(
    ("request_values", "metrics", "message"),
    [
        ({"mode": "max"}, None, f"--mode can be had with speech {OTHERS}"),
        ({"wiener": 1}, None, f"--wiener can be had with music {OTHERS}"),
        ({}, ["usdr"], "Words are scored by phoneme and word error rate, always; leave --metrics out."),
    ],
)  # fmt: skip
def test_what_is_for_other_models_is_refused(tmp_path, request_values, metrics, message) -> None:
    with pytest.raises(UsageError) as caught:
        evaluator_of(words_spec(), EvaluationRequest(tmp_path, **request_values), metrics)
    assert str(caught.value) == message


def test_int8_is_refused(tmp_path) -> None:
    job = evaluator_of(words_spec(), EvaluationRequest(tmp_path), None)
    with pytest.raises(UsageError) as caught, job.running("speller", "cpu", "int8"):
        pass
    assert str(caught.value) == "int8 is for speech models, and speller is a text model: use float32."
