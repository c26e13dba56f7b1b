"""Digits that are said by programs: which voices, which texts, and that a seed says it all."""

import csv
from pathlib import Path

import numpy as np
import pytest

from unbraid import audio
from unbraid.corpora import rendering
from unbraid.corpora.rendering import digits, speech
from unbraid.corpora.rendering.programs import find_program
from unbraid.errors import RuntimeUnavailable, UnbraidError

SOME = [digits._take("espeak-ng", "flite", np.random.default_rng((0, n))) for n in range(400)]


def test_texts_are_three_to_ten_digits_and_said_as_words() -> None:
    for take in SOME[:50]:
        figures = take.text.split()
        assert 3 <= len(figures) <= 10
        said = next(word for word in take.command if " " in word)
        words = digits.FOREIGN.get(take.voice.split("+")[0], " ".join(digits.DIGITS)).split()
        assert [word.strip(",") for word in said.split()] == [words[int(figure)] for figure in figures]


def test_other_languages_have_ten_words_of_which_none_comes_twice() -> None:
    assert all(len(set(words.split())) == len(words.split()) == 10 for words in digits.FOREIGN.values())
    assert any(take.voice.split("+")[0] in digits.FOREIGN for take in SOME)


def test_there_are_many_voices_and_all_digits() -> None:
    voices = {take.voice for take in SOME}
    assert len(voices) > 80
    assert {f"flite-{name}" for name in digits.FLITE_VOICES} < voices
    assert {figure for take in SOME for figure in take.text.split()} == set("0123456789")
    alone = {digits._take("espeak-ng", None, np.random.default_rng((0, n))).voice for n in range(100)}
    assert not any(voice.startswith("flite") for voice in alone)


def test_the_same_seed_draws_the_same() -> None:
    assert [digits._take("espeak-ng", "flite", np.random.default_rng((0, n))) for n in range(400)] == SOME


def test_a_program_that_fails_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnbraidError) as caught:
        list(speech.record(tmp_path / "voices", [speech.Take("ann", "3", ("false",))]))
    assert str(caught.value) == "false failed with the voice ann: it said nothing."
    assert not (tmp_path / "voices").exists()


def test_digits_are_spoken_into_a_manifest(tmp_path: Path) -> None:
    try:
        find_program("espeak-ng")
    except RuntimeUnavailable:
        pytest.skip("espeak-ng is not installed")
    paths = list(rendering.speak_digits(tmp_path / "digits", 4, seed=1))
    with (tmp_path / "digits" / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [tmp_path / "digits" / row["path"] for row in rows] == paths
    for row, path in zip(rows, paths, strict=True):
        sound, rate = audio.read(path)
        assert sound.shape[1] / rate > 0.2 * len(row["text"].split())
        assert row["speaker"] == path.parent.name
