"""The model in the package on recorded digits, from the folder in UNBRAID_SHARED."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest

import unbraid
from unbraid.audio import read
from unbraid.errors import AudioError
from unbraid.tasks.alignment.aligner import Aligner

COUNT = 6


@pytest.fixture(scope="module")
def strings() -> list[tuple[Path, str]]:
    """Recordings of eight digits, of several speakers, and their texts."""
    shared = Path(os.environ.get("UNBRAID_SHARED", Path(__file__).parents[4] / "shared")) / "data" / "speech8k"
    if not shared.is_dir():
        pytest.skip(f"no recordings: {shared} is absent (set UNBRAID_SHARED)")
    rows = csv.DictReader((shared / "manifest.csv").read_text("utf-8").splitlines())
    found = [(shared / row["path"], row["text"]) for row in rows if row["source"] == "fsdd"]
    return found[:: len(found) // COUNT][:COUNT]


@pytest.fixture(scope="module")
def aligner():
    """The model, loaded once."""
    with Aligner("digits") as loaded:
        yield loaded


def test_all_digits_lie_where_they_are_recognised(strings, aligner: Aligner) -> None:
    """The transcriber's words, which last one step or two, are inside of the aligned ones."""
    with unbraid.Transcriber() as transcriber:
        for path, text in strings:
            audio, rate = read(path)
            aligned, heard = aligner(text, audio, rate), transcriber(audio, rate)
            assert [word.text for word in heard.words] == text.split()
            for ours, theirs in zip(aligned.words, heard.words, strict=True):
                assert ours.start - 0.05 <= (theirs.start + theirs.end) / 2 <= ours.end + 0.05
            assert aligned.words[-1].end <= audio.shape[1] / rate + 1e-6


def test_lines_that_nobody_says_are_not_found_between_those_that_somebody_does(strings, aligner: Aligner) -> None:
    """All recordings one after the other, and after the text of each a line of other digits."""
    audios = [read(path)[0] for path, _ in strings]
    said = [text.split() for _, text in strings]
    others = [" ".join(str((int(digit) + 5) % 10) for digit in digits[:6]) for digits in said]
    text = "\n".join(f"{' '.join(digits)}\n{other}" for digits, other in zip(said, others, strict=True))
    found = aligner(text, np.concatenate(audios, axis=1), 8000)
    assert [line.found for line in found.lines] == [True, False] * len(said)
    ends = np.cumsum([audio.shape[1] for audio in audios]) / 8000
    for line, end in zip(found.lines[::2], ends, strict=True):
        assert line.start is not None
        assert line.end is not None
        assert line.end <= end + 0.1
        assert line.start >= end - 7.0


def test_digits_are_not_found_in_a_noise(aligner: Aligner) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, (1, 8 * 8000)).astype(np.float32)
    with pytest.raises(AudioError, match="^(No line of the text was found|Nothing is said in it)"):
        aligner("3 1 4 1 5 9", noise, 8000)
