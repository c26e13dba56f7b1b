"""Phrases that a program says: which texts, which splits, and that a seed says it all."""

import csv
from pathlib import Path

import numpy as np
import pytest

from unbraid import audio
from unbraid.corpora import rendering
from unbraid.corpora.rendering import phrases
from unbraid.errors import RuntimeUnavailable
from unbraid.tasks.synthesis.text_frontend import sentences_of

SOME = [phrases._take("flite", n, np.random.default_rng((0, n))) for n in range(400)]


def test_what_is_said_is_what_the_text_says() -> None:
    """In words that a text is made of by those who read it: a model learns one from the other."""
    for take in SOME[:100]:
        (sentence,) = sentences_of(take.text)
        assert take.command[-2] == sentence.text


def test_texts_are_digits_or_words() -> None:
    words = [take.text.replace(",", "").split() for take in SOME]
    digits = [each for each in words if each[0].isdigit()]
    others = [each for each in words if not each[0].isdigit()]
    assert 0.4 < len(digits) / len(words) < 0.6
    assert {len(each) for each in digits} == set(range(3, 9))
    assert {len(each) for each in others} == set(range(2, 7))
    assert {word for each in digits for word in each} == set("0123456789")
    assert len({word for each in others for word in each}) > 0.7 * len(phrases.WORDS)
    assert 0.15 < np.mean(["," in take.text for take in SOME]) < 0.35


def test_words_are_plain_and_each_there_once() -> None:
    assert len(phrases.WORDS) > 300
    assert sorted(set(phrases.WORDS)) == list(phrases.WORDS)
    assert all(word.isalpha() and word.islower() for word in phrases.WORDS)


def test_every_tenth_is_for_dev_and_another_for_test() -> None:
    splits = [take.split for take in SOME]
    assert [splits.count(split) for split in ("train", "dev", "test")] == [320, 40, 40]


def test_the_same_seed_draws_the_same() -> None:
    assert [phrases._take("flite", n, np.random.default_rng((0, n))) for n in range(400)] == SOME
    assert phrases._take("flite", 0, np.random.default_rng((1, 0))) != SOME[0]


def test_a_missing_program_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(RuntimeUnavailable) as caught:
        list(rendering.speak_phrases(tmp_path / "spoken", 1))
    assert str(caught.value) == (
        "Phrases need the program flite, which is not installed; get it with `apt install flite` (Debian, Ubuntu) or "
        "`brew install flite` (macOS)."
    )


def test_phrases_are_spoken_into_a_manifest(tmp_path: Path) -> None:
    try:
        paths = list(rendering.speak_phrases(tmp_path / "spoken", 2, seed=1))
    except RuntimeUnavailable:
        pytest.skip("flite is not installed")
    with (tmp_path / "spoken" / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [tmp_path / "spoken" / row["path"] for row in rows] == paths
    for row, path in zip(rows, paths, strict=True):
        sound, rate = audio.read(path)
        assert rate == 16000
        assert sound.shape[1] / rate > 0.2 * len(row["text"].split())
        assert (row["speaker"], row["split"]) == ("flite-slt", "train")
