"""Evaluating a model on recordings with texts: error rates by hand, what is written, and what is refused."""

import csv
import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

import unbraid.cli
from recognizer_fakes import ctc_spec, ears, writer
from unbraid.corpora.transcripts import find_utterances
from unbraid.errors import UsageError
from unbraid.evaluation.evaluators import evaluator_of
from unbraid.evaluation.request import EvaluationRequest
from unbraid.evaluation.run import Evaluation
from unbraid.evaluation.text.transcription import TranscriptResult, plain_words, transcribe_and_score
from unbraid.evaluation.text.transcription_report import CONVENTION, by_speaker, count, report
from unbraid.hub.vocabulary import SPECIAL
from unbraid.tasks.transcription.result import Transcript
from unbraid.tasks.transcription.transcriber import Transcriber
from unbraid.tasks.transcription.transcript import Word

SAID = {"ann/0": "3 5 7", "ann/1": "One, two!", "bob/0": "4 4", "bob/1": "8"}
HEARD = {0.1: "3 5 7", 0.2: "one too three", 0.3: "4", 0.4: "8"}  # two words wrong, and one is missing


class Ears:
    """Knows recordings by their length."""

    device = "cpu"

    def __init__(self, *_: object, **__: object) -> None: ...
    def __enter__(self) -> "Ears":
        return self

    def __exit__(self, *_: object) -> None: ...

    def __call__(self, audio: np.ndarray, sample_rate: int) -> Transcript:
        text = HEARD[round(audio.shape[1] / sample_rate, 1)]
        return Transcript(tuple(Word(word, 0.0, 0.1, 1.0) for word in text.split()), "ears")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "voices"
    rows = ["path,speaker,split,text"]
    for k, (name, text) in enumerate(SAID.items(), 1):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(place / f"{name}.wav", np.full(800 * k, 0.1), 8000)
        rows.append(f'{name}.wav,{name.split("/")[0]},test,"{text}"')
    (place / "manifest.csv").write_text("\n".join(rows) + "\n")
    return place


def test_rates_are_those_by_hand_and_pooled(folder: Path, setting) -> None:
    evaluation = Evaluation[TranscriptResult]()
    assert list(evaluation.run(find_utterances(folder), partial(transcribe_and_score, Ears()))) == [None] * 4
    errors, speakers = count(evaluation.results), by_speaker(evaluation.results)
    assert (errors.words, errors.edits) == (8, 3)
    assert (errors.word_error_rate, errors.sentence_error_rate) == (3 / 8, 2 / 4)
    assert speakers["ann"].word_error_rate == 2 / 5
    assert speakers["bob"].word_error_rate == 1 / 3
    told = report(evaluation, setting(ctc_spec(), model="ears", dataset="voices"))
    assert told.values["seconds"] == pytest.approx(1.0)
    assert told.lines[:6] == [
        "ears on voices, split test: 4 recordings by 2 speakers, 8 words",
        "word error rate     37.50 % (3 of 8)",
        "sentence error rate 50.00 % (2 of 4)",
        "  ann 40.00 %",
        "  bob 33.33 %",
        CONVENTION,
    ]
    assert '<td data-value="ann">ann</td>' in told.page
    assert "one too three" in told.page


def test_words_count_as_they_sound() -> None:
    assert plain_words("It’s 3, not  TWO!") == ("it's", "3", "not", "two")
    assert plain_words(" – ") == ()


def test_a_recording_that_fails_is_told(folder: Path) -> None:
    (folder / "ann" / "0.wav").write_bytes(b"no sound")
    evaluation = Evaluation[TranscriptResult]()
    found = list(evaluation.run(find_utterances(folder), partial(transcribe_and_score, Ears())))
    assert [failure.name for failure in found if failure] == ["ann/0.wav"]
    assert len(evaluation.results) == 3


def test_the_command_writes_numbers_a_table_and_a_page(folder: Path, tmp_path: Path, monkeypatch) -> None:
    pytest.importorskip("onnx")
    from engine_fakes import write_model

    write_model(tmp_path / "ears", ctc_spec())
    monkeypatch.setattr("unbraid.evaluation.evaluators.Transcriber", Ears)
    words = ["evaluate", tmp_path / "ears", folder, "--speakers", "ann", "--out", tmp_path / "out", "--json"]
    result = CliRunner().invoke(unbraid.cli.app, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"report.html", "summary.json", "recordings.csv"}
    assert (told["recordings"], told["words"], told["edits"], told["word_error_rate"]) == (2, 5, 2, 0.4)
    assert told["speakers_asked_for"] == ["ann"]
    rows = list(csv.DictReader((tmp_path / "out" / "recordings.csv").read_text().splitlines()))
    assert [(row["recording"], row["said"], row["heard"], row["edits"]) for row in rows] == [
        ("ann/0.wav", "3 5 7", "3 5 7", "0"),
        ("ann/1.wav", "One, two!", "one too three", "2"),
    ]


def test_no_other_model_takes_its_place_where_recordings_are_long(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Transcriber] = []

    def open_transcriber(
        model: str, *, device: str, precision: str, threads: int | None, **options: float
    ) -> Transcriber:
        opened.append(Transcriber.over(ears(), long=writer("spectrogram", name="mel"), **options))
        return opened[-1]

    monkeypatch.setattr("unbraid.evaluation.evaluators.Transcriber", open_transcriber)
    with evaluator_of(ctc_spec(), EvaluationRequest(folder), None).running("tiny-ears", "cpu", "float32"):
        transcript = opened[0](np.zeros((1, 200 * 8000), np.float32), 8000)  # 200 s
    assert (transcript.model, transcript.notice) == ("tiny-ears", None)


@pytest.mark.parametrize(
    ("request_values", "metrics", "message"),
    [
        ({"mode": "max"}, None, "--mode can be had with speech"),
        ({"wiener": 1}, None, "--wiener can be had with music"),
        ({}, ["usdr"], "Transcripts are scored by word and sentence error rate, always; leave --metrics out."),
    ],
)
def test_what_is_for_other_models_is_refused(tmp_path: Path, request_values, metrics, message: str) -> None:
    spec = ctc_spec()
    with pytest.raises(UsageError) as caught:
        evaluator_of(spec, EvaluationRequest(tmp_path, **request_values), metrics)
    rest = f" models only, and {spec.name} is a transcription model; leave that out."
    assert str(caught.value) == (message if metrics else message + rest)


def test_speakers_are_for_those_that_transcribe(tmp_path: Path) -> None:
    from text_fakes import words_spec

    with pytest.raises(UsageError) as caught:
        evaluator_of(words_spec(), EvaluationRequest(tmp_path, speakers=("ann",)), None)
    assert str(caught.value) == (
        "--speakers can be had with transcription and speaking models only, and speller is a text model; "
        "leave that out."
    )


def test_recordings_of_words_that_a_model_does_not_know_are_left_out(folder: Path) -> None:
    job = evaluator_of(ctc_spec((*SPECIAL, "3", "5", "7", "8")), EvaluationRequest(folder), None)
    assert job.skipped == ["2 of 4 recordings are left out: they have words that tiny-ears does not know"]
    with pytest.raises(UsageError) as caught:
        evaluator_of(ctc_spec((*SPECIAL, "0")), EvaluationRequest(folder), None)
    sentence = "tiny-ears knows the words of no recording; choose others by --speakers."
    assert str(caught.value) == f"{folder}, split test: {sentence}"


def test_int8_is_refused(folder: Path) -> None:
    spec = ctc_spec()
    job = evaluator_of(spec, EvaluationRequest(folder), None)
    with pytest.raises(UsageError) as caught, job.running("ears", "cpu", "int8"):
        pass
    assert str(caught.value) == "int8 is for SepFormers and Whispers: use float32."
