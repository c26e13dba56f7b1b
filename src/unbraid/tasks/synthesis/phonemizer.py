"""Grapheme-to-phoneme conversion: letters in, phonemes out, by a model trained on a pronunciation dictionary.

    with Phonemizer() as phonemizer:
        for word in phonemizer("Cats and dogs", alternatives=2):
            print(word.text, word.best, word.best.probability)

Text is normalised (see files/normalization.py) and split into words, which are pronounced one by one, without context.
Upper case, punctuation around words and accents that the model does not know are dropped. Signs and digits are refused,
since leaving them out would change the meaning.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from unbraid.errors import UsageError
from unbraid.files.normalization import normalized
from unbraid.hub.defaults import DEFAULTS
from unbraid.hub.vocabulary import END, SPECIAL, Vocabulary
from unbraid.tasks.decoding.generator import Generator
from unbraid.tasks.decoding.search import Hypothesis
from unbraid.tasks.loading import LoadedModel, check_task

BEAMS = 4
_AROUND = '.,;:!?"()[]{}<>«»„“”¡¿*_-~'
_BETWEEN = re.compile(r"[\s/—–…]+")
_ABBREVIATION = re.compile(r"(?:\w\.)+\w")  # its last full stop belongs to it: a.m.
_SHOWN = 5  # characters that an error names
MOST_LETTERS = 100  # of a word: the time it takes grows with their square, and memory as well


@dataclass(frozen=True)
class Pronunciation:
    """One pronunciation of a word."""

    phonemes: tuple[str, ...]
    probability: float  # according to the model

    def __str__(self) -> str:
        return " ".join(self.phonemes)


@dataclass(frozen=True)
class SpokenWord:
    """A word and its pronunciations."""

    text: str  # as the model reads it
    pronunciations: tuple[Pronunciation, ...]  # the likeliest first

    @property
    def best(self) -> Pronunciation:
        """The likeliest."""
        return self.pronunciations[0]


class Phonemizer(LoadedModel):
    """A loaded model; use it as often as you like. `close()`, or a `with` statement, frees its memory."""

    def __init__(
        self, model: str | Path | Generator = DEFAULTS["phonemes"], *, device: str = "auto", threads: int | None = None
    ):
        """Load a model by name or folder.

        Raises:
            ModelError: there is no such model, or its folder is damaged.
            RuntimeUnavailable: the device is not there.
            UsageError: the model does not turn text into text.
        """
        found = model if isinstance(model, LoadedModel) else Generator(model, device=device, threads=threads)
        super().__init__(found.spec, found)
        check_task(self.spec, "phonemes")
        assert self.spec.vocabularies is not None
        self._generator = found
        self._letters = Vocabulary(self.spec.vocabularies.source)
        self._phonemes = Vocabulary(self.spec.vocabularies.target)
        symbols = np.arange(len(self._phonemes))
        self._first, self._later = symbols >= len(SPECIAL), (symbols >= len(SPECIAL)) | (symbols == END)

    @classmethod
    def over(cls, generator: Generator) -> Self:
        """A phonemizer over a generator of one's own."""
        return cls(generator)

    @property
    def phonemes(self) -> tuple[str, ...]:
        """All phonemes of the model."""
        return self._phonemes.symbols[len(SPECIAL) :]

    def __call__(self, text: str, *, alternatives: int = 0) -> list[SpokenWord]:
        """The words of a text, each with its likeliest pronunciation and up to so many alternatives.

        Raises:
            UsageError: there are no words, or one has characters that the model does not know.
        """
        if not (words := self.words(text)):
            raise UsageError("There are no words in this text; give at least one.")
        found = self.pronounce(words, alternatives=alternatives)
        return [found[word] for word in words]

    def words(self, text: str) -> list[str]:
        """The words of a text, perhaps none, as the model reads them.

        Raises:
            UsageError: one has characters that the model does not know, or over `MOST_LETTERS`.
        """
        return [self._readable(word) for word in words_of(text)]

    def pronounce(self, words: Iterable[str], *, alternatives: int = 0) -> dict[str, SpokenWord]:
        """Pronounce words, each once: many at a time are faster than one by one.

        They are not normalised, and a character that the model does not know counts as a blank; see `words`.

        Raises:
            UsageError: `alternatives` is below 0.
        """
        if alternatives < 0:
            raise UsageError(f"Alternatives are counted from 0 up, got {alternatives}.")
        distinct = list(dict.fromkeys(words))
        if not distinct:
            return {}
        spelled = [[*self._letters.encode(word), END] for word in distinct]
        most = most_phonemes(max(map(len, distinct)))
        beams = max(BEAMS, alternatives + 1)
        each = self._generator.generate(spelled, beams=beams, most_symbols=most, allowed=self._allowed)
        return {
            word: SpokenWord(word, self._pronunciations(texts)[: alternatives + 1])
            for word, texts in zip(distinct, each, strict=True)
        }

    def _allowed(self, item: int, written: tuple[int, ...]) -> np.ndarray:
        """Any phoneme, and the end, except at the start."""
        return self._first if not written else self._later

    def _pronunciations(self, texts: Sequence[Hypothesis]) -> tuple[Pronunciation, ...]:
        return tuple(Pronunciation(tuple(self._phonemes.decode(text.symbols)), text.probability) for text in texts)

    def _readable(self, word: str) -> str:
        """The word in letters of the model's vocabulary; accents that it lacks are removed."""
        if len(word) > MOST_LETTERS:
            raise UsageError(
                f"{word[:20]}… has {len(word):,} letters, and a word has at most {MOST_LETTERS}; put blanks between "
                "words."
            )
        word = "".join(letter if not self._letters.unknown(letter) else _plain(letter) for letter in word)
        if unknown := self._letters.unknown(word):
            more = ", …" if len(unknown) > _SHOWN else ""
            raise UsageError(
                f"{self.spec.name} cannot read {', '.join(unknown[:_SHOWN])}{more} in {word!r}; it reads "
                f"{''.join(self._letters.symbols[len(SPECIAL) :])}. Write numbers and signs out as words."
            )
        return word


def words_of(text: str) -> list[str]:
    """The words of a text in lower case, without punctuation around them; inner apostrophes and hyphens are kept."""
    text = normalized(text).lower()
    words = (_bare(chunk) for chunk in _BETWEEN.split(text))
    return [word for word in words if word]


def most_phonemes(letters: int) -> int:
    """The most phonemes of a word of so many letters; "w" alone has seven."""
    return 3 * letters + 8


def _bare(chunk: str) -> str:
    """A word without the punctuation around it."""
    word = chunk.strip(_AROUND)
    if word.startswith("'") and word.endswith("'"):  # a quotation
        word = word[1:-1].strip(_AROUND)
    if _ABBREVIATION.fullmatch(word) and f"{word}." in chunk:
        word += "."
    return word if word.strip("'") else ""


def _plain(letter: str) -> str:
    """A letter without its accents."""
    parts = unicodedata.normalize("NFKD", letter)
    return "".join(part for part in parts if not unicodedata.combining(part)) or letter
