"""Pronunciations of words: the CMU Pronouncing Dictionary (http://www.speech.cs.cmu.edu/cgi-bin/cmudict).

A line is a word, its phonemes in ARPAbet and perhaps a comment; another pronunciation of a word is `word(2)`:

    aalborg AO1 L B AO0 R G # place, danish
    aalborg(2) AA1 L B AO0 R G

Stress marks are removed, as in published comparisons, and pronunciations that differ in nothing else are merged. A
word's split is a function of its letters: crc32(word) % 20 -> 0: test, 1: dev, else train; so all its pronunciations
are in the same split, and no list is needed.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from unbraid.errors import UsageError
from unbraid.files.bounded import MOST_TABLE_BYTES, read_bytes
from unbraid.files.normalization import normalized

NAME = "cmudict.dict"
SPLITS = ("train", "dev", "test")
_PARTS = 20  # that the words fall into: one is for tests, one for choosing
_ALTERNATIVE = re.compile(r"\(\d+\)$")


@dataclass(frozen=True)
class Entry:
    """A word and every way to say it."""

    word: str
    pronunciations: tuple[tuple[str, ...], ...]  # phonemes without stress, the dictionary's first one first


def find_pronunciations(place: Path, split: str) -> list[Entry]:
    """The words of a split, in the order of the dictionary: a file, or a folder with a cmudict.dict.

    Raises:
        UsageError: it is not there, it is no such dictionary, or there is no such split.
    """
    if split not in SPLITS:
        raise UsageError(f"A dictionary has the splits {', '.join(SPLITS)}, not {split!r}.")
    path = place / NAME if place.is_dir() else place
    try:
        entries = parse(read_bytes(path, MOST_TABLE_BYTES).decode("utf-8").splitlines(), str(path))
    except OSError as error:
        raise UsageError(
            f"The dictionary {path} cannot be read ({error.strerror}); name a file like {NAME}, or its folder."
        ) from None
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not in UTF-8; convert it, or take {NAME} as it is published.") from None
    except ValueError as error:
        raise UsageError(f"The dictionary {path} cannot be read: {error}.") from None
    found = [entry for entry in entries if split_of(entry.word) == split]
    if not found:
        raise UsageError(f"{path} has no words of the split {split}.")
    return found


def parse(lines: Iterable[str], where: str) -> list[Entry]:
    """The words of a dictionary's lines, each once, in lower case.

    Raises:
        UsageError: a line without phonemes.
    """
    found: dict[str, dict[tuple[str, ...], None]] = {}  # a dict keeps the order and has each key once
    for number, line in enumerate(map(normalized, lines), 1):
        spelled, *phonemes = line.partition("#")[0].split() or [""]
        if not spelled or line.startswith(";;;"):
            continue
        if not phonemes:
            raise UsageError(f"{where} has no phonemes in line {number}; a line is: word PH ON EMES # comment.")
        word = _ALTERNATIVE.sub("", spelled).lower()
        found.setdefault(word, {})[tuple(phoneme.rstrip("012") for phoneme in phonemes)] = None
    return [Entry(word, tuple(pronunciations)) for word, pronunciations in found.items()]


def split_of(word: str) -> str:
    """The split of a word: one in twenty is test, another dev, the rest train."""
    return {0: "test", 1: "dev"}.get(crc32(word.encode()) % _PARTS, "train")
