"""Pronouncing dictionaries: what a line says, and which split a word is in."""

import os
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unbraid.corpora.pronunciations import Entry, find_pronunciations, parse, split_of
from unbraid.errors import UsageError

LINES = """\
;;; a comment
aalborg AO1 L B AO0 R G # place, danish
aalborg(2) AA1 L B AO0 R G

abide AH0 B AY1 D
abide(2) AH1 B AY2 D
TOMATO  T AH0 M EY1 T OW2
tomato(2) T AH0 M AA1 T OW2
""".splitlines()


def test_lines_become_words_with_all_their_pronunciations() -> None:
    assert parse(LINES, "x") == [
        Entry("aalborg", (("AO", "L", "B", "AO", "R", "G"), ("AA", "L", "B", "AO", "R", "G"))),
        Entry("abide", (("AH", "B", "AY", "D"),)),  # they differ in stress only
        Entry("tomato", (("T", "AH", "M", "EY", "T", "OW"), ("T", "AH", "M", "AA", "T", "OW"))),
    ]


@given(st.text(min_size=1))
def test_a_words_split_is_that_of_its_checksum(word: str) -> None:
    place = crc32(word.encode("utf-8")) % 20
    assert split_of(word) == ("test" if place == 0 else "dev" if place == 1 else "train")


def test_splits_are_apart_and_together_everything(tmp_path: Path) -> None:
    words = [f"{a}{b}" for a in "abcdefgh" for b in "abcdefgh"]
    (tmp_path / "cmudict.dict").write_text("".join(f"{word} AH0\n{word}(2) EY1\n" for word in words))
    found = {split: find_pronunciations(tmp_path, split) for split in ("train", "dev", "test")}
    assert sorted(entry.word for entries in found.values() for entry in entries) == words
    assert all(len(entry.pronunciations) == 2 for entries in found.values() for entry in entries)
    assert find_pronunciations(tmp_path / "cmudict.dict", "dev") == found["dev"]


def test_mistakes_are_named(tmp_path: Path) -> None:
    def refusal(place: Path, split: str = "train") -> str:
        with pytest.raises(UsageError) as caught:
            find_pronunciations(place, split)
        return str(caught.value)

    path = tmp_path / "cmudict.dict"
    assert refusal(tmp_path, "all") == "A dictionary has the splits train, dev, test, not 'all'."
    assert refusal(tmp_path) == (
        f"The dictionary {path} cannot be read (No such file or directory); name a file like cmudict.dict, or its "
        "folder."
    )
    path.write_text("abide AH0 B AY1 D\nabduct # nothing\n")
    assert refusal(tmp_path) == f"{path} has no phonemes in line 2; a line is: word PH ON EMES # comment."
    path.write_bytes("café K AE0 F EY1\n".encode("latin-1"))
    assert refusal(tmp_path) == f"{path} is not in UTF-8; convert it, or take cmudict.dict as it is published."
    path.write_text("")
    assert refusal(tmp_path, "dev") == f"{path} has no words of the split dev."


def test_the_real_dictionary() -> None:
    default = Path(__file__).parents[3] / "shared"
    folder = Path(os.environ.get("UNBRAID_SHARED", default)) / "data" / "text" / "cmudict"
    if not folder.is_dir():
        pytest.skip(f"no dictionary: {folder} is absent (set UNBRAID_SHARED)")
    test = find_pronunciations(folder, "test")
    assert len(test) == 6216
    assert len({phoneme for entry in test for way in entry.pronunciations for phoneme in way}) == 39
