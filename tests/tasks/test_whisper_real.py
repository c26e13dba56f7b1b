"""The real Whisper base, where UNBRAID_WHISPER_BASE is its published folder, on LibriSpeech where it is at hand."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest

from unbraid import audio
from unbraid.evaluation.text.scoring import edit_distance
from unbraid.evaluation.text.transcription import plain_words
from unbraid.hub.folder import write_model_folder
from unbraid.hub.importers import read_checkpoint
from unbraid.runtime.executor import Precision
from unbraid.tasks.transcription.transcriber import Transcriber
from unbraid.tasks.transcription.whisper.options import WhisperOptions

SOURCE, COUNT = "librispeech_train_clean_100", 3
MOST_ERRORS = 0.2  # of the words, whose spelling differs: Mr. and mister


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not (place := os.environ.get("UNBRAID_WHISPER_BASE")):
        pytest.skip("no real Whisper base (set UNBRAID_WHISPER_BASE to the folder as published)")
    checkpoint = read_checkpoint(Path(place), "whisper-base")
    model = tmp_path_factory.mktemp("models") / "whisper-base"
    write_model_folder(model, checkpoint.spec, checkpoint.tensors, checkpoint.dtype, checkpoint.files)
    return model


@pytest.fixture(scope="module")
def said() -> list[tuple[Path, str]]:
    shared = Path(os.environ.get("UNBRAID_SHARED", Path(__file__).parents[3] / "shared")) / "data" / "speech16k"
    if not shared.is_dir():
        pytest.skip(f"no recordings: {shared} is absent (set UNBRAID_SHARED)")
    rows = csv.DictReader((shared / "transcripts.csv").read_text("utf-8").splitlines())
    return [(shared / row["path"], row["text"]) for row in rows if row["source"] == SOURCE][:COUNT]


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_it_writes_what_was_said(
    folder: Path, said: list[tuple[Path, str]], precision: Precision, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNBRAID_CACHE", str(tmp_path))
    options = WhisperOptions(word_times=True)
    with Transcriber(folder, threads=1, precision=precision, whisper=options) as transcriber:
        errors = words = 0
        for path, text in said:
            samples, rate = audio.read(path)
            found = transcriber(samples, rate)
            assert found.notice is not None and "the language is en" in found.notice
            errors += edit_distance(plain_words(found.text), plain_words(text))
            words += len(plain_words(text))
            times = np.array([(word.start, word.end) for word in found.words])
            assert (times >= 0).all() and (times <= samples.shape[1] / rate + 0.02).all()
            assert (np.diff(times[:, 0]) >= 0).all()
        assert errors <= MOST_ERRORS * words


def test_pieces_read_together_have_what_was_said_in_order(folder: Path, said: list[tuple[Path, str]]) -> None:
    pause = np.zeros((1, 16000), np.float32)
    heard = np.concatenate([part for path, _ in said for part in (audio.read(path)[0], pause)], axis=1)
    wanted = plain_words(" ".join(text for _, text in said))
    with Transcriber(folder, threads=1, whisper=WhisperOptions(word_times=True, batch=2)) as transcriber:
        found = transcriber(heard, 16000)
    assert edit_distance(plain_words(found.text), wanted) <= MOST_ERRORS * len(wanted)
    starts = [word.start for word in found.words]
    assert starts == sorted(starts)


def test_it_hears_nothing_in_hiss(folder: Path) -> None:
    hiss = np.random.default_rng(0).normal(0, 0.05, (1, 12 * 16000)).astype(np.float32)
    with Transcriber(folder, threads=1) as transcriber:
        assert transcriber(hiss, 16000).text == ""
