"""Words of a text as symbols of a recogniser: in its case, without punctuation, digits spelled out where it has none.

    "Don't stop, 7 times - OK?"  ->  "Don't", "stop,", "7", "times -", "OK?" as D O N ' T, S T O P, S E V E N, …

Words keep their punctuation in the output. Signs that nobody says, such as a dash or [laughs], go with the word before
them. A letter that the vocabulary lacks is tried without its accents.
"""

import dataclasses
import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from unbraid.files.normalization import normalized
from unbraid.hub.vocabulary import SPECIAL, Vocabulary
from unbraid.tasks.alignment.texts import TextLine
from unbraid.tasks.synthesis.text_frontend import DIGIT_WORDS
from unbraid.tasks.transcription.transcript import BEGINS, has_pieces, holds_words

_UNSPACED = (
    "\u3041-\u3096\u30a1-\u30fa\u30fc\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"  # kana and ideographs: no blanks between
)
_TOKEN = re.compile(rf"\[[^\]]*\]\S*|[{_UNSPACED}][^\w\s]*|[^\s{_UNSPACED}]+")
_DIGITS_OF = {word: digit for digit, word in DIGIT_WORDS.items()}


@dataclass(frozen=True)
class Spelled:
    """A word as it is written, and its symbols."""

    text: str
    symbols: tuple[int, ...]
    unknown: str = ""  # its letters that the vocabulary lacks
    joined: bool = False  # to the word before it, without a blank


class Speller:
    """Spells words in the symbols of a vocabulary."""

    def __init__(self, vocabulary: Vocabulary):
        self._vocabulary = vocabulary
        self._numbers = {symbol: number for number, symbol in enumerate(vocabulary.symbols) if number >= len(SPECIAL)}
        self._each, self._pieces = holds_words(vocabulary), has_pieces(vocabulary)
        self._longest = max(map(len, self._numbers))
        self._has_digits = any(digit in self._numbers for digit in DIGIT_WORDS)

    def words(self, text: str) -> list[Spelled]:
        """The words of a line; those without a symbol are joined to others, if there are any."""
        found: list[Spelled] = []
        before = ""  # signs in front of the first word
        for match in _TOKEN.finditer(text):
            token, joined = match[0], match.start() > 0 and not text[match.start() - 1].isspace()
            word = Spelled(token, ()) if token.startswith("[") else self._spelled(token)
            if word.symbols or word.unknown:
                found.append(Spelled(before + token, word.symbols, word.unknown, joined and not before))
                before = ""
            elif found:
                blank = "" if joined else " "
                found[-1] = dataclasses.replace(found[-1], text=f"{found[-1].text}{blank}{token}")
            else:
                before += f"{token} "
        return found

    def _spelled(self, token: str) -> Spelled:
        plain = normalized(token)
        if not self._has_digits:
            plain = re.sub("[0-9]", lambda digit: f" {DIGIT_WORDS[digit[0]]} ", plain)
        symbols: list[int] = []
        unknown = ""
        for part in plain.split():
            found, lacking = self._pieced(part) if self._pieces else self._lettered(part)
            symbols += found
            unknown += lacking
        return Spelled(token, tuple(symbols), unknown)

    def _lettered(self, part: str) -> tuple[list[int], str]:
        """The symbols of a part of a word, letter by letter, and its letters that are unknown."""
        if self._each and (digit := _DIGITS_OF.get(part.strip(".,;:!?\"'()-").casefold())) in self._numbers:
            return [self._numbers[digit]], ""
        symbols: list[int] = []
        unknown = ""
        for letter in part:
            found = self._known(letter)
            if found:
                symbols += found
            elif letter.isalnum():
                unknown += letter
        if not any(map(str.isalnum, part)):  # an apostrophe alone is no word
            return [], ""
        return symbols, unknown

    def _known(self, letter: str) -> list[int]:
        """The symbols of a letter: itself, in the other case, or without its accents."""
        plain = "".join(sign for sign in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(sign))
        for form in dict.fromkeys((letter, letter.lower(), letter.upper(), plain.lower(), plain.upper())):
            numbers = [self._numbers.get(sign) for sign in form]
            if form and None not in numbers:
                return [number for number in numbers if number is not None]
        return []

    def _pieced(self, part: str) -> tuple[list[int], str]:
        """The fewest pieces that make a part of a word, and its letters if there are none."""
        letters = "".join(sign for sign in part if sign.isalnum() or sign in self._numbers or sign == "'")
        if not any(map(str.isalnum, letters)):
            return [], ""
        for form in dict.fromkeys((letters, letters.lower(), letters.upper())):
            if pieces := self._fewest(BEGINS + form):
                return pieces, ""
        return [], letters

    def _fewest(self, text: str) -> list[int]:
        """The fewest symbols that make a text, or none."""
        counts = [0.0, *[math.inf] * len(text)]  # symbols of each beginning
        starts = [0] * (len(text) + 1)  # of the last of them
        for end in range(1, len(text) + 1):
            for start in range(max(0, end - self._longest), end):
                if counts[start] + 1 < counts[end] and text[start:end] in self._numbers:
                    counts[end], starts[end] = counts[start] + 1, start
        found, end = list[int](), len(text)
        while end and counts[-1] < math.inf:
            found.append(self._numbers[text[starts[end] : end]])
            end = starts[end]
        return found[::-1]


@dataclass(frozen=True)
class Script:
    """The lines of a text that hold words, and their words in symbols."""

    lines: tuple[TextLine, ...]
    words: tuple[tuple[Spelled, ...], ...]  # of each line

    @classmethod
    def of(cls, lines: Sequence[TextLine], vocabulary: Vocabulary) -> Self:
        """Spell lines; those of nothing but signs are left out."""
        speller = Speller(vocabulary)
        spelled = [(line, tuple(speller.words(line.text))) for line in lines]
        kept = [(line, words) for line, words in spelled if words]
        return cls(tuple(line for line, _ in kept), tuple(words for _, words in kept))

    @property
    def symbols(self) -> list[list[tuple[int, ...]]]:
        """The symbols of each word of each line, where there are any."""
        found = [[word.symbols for word in words if word.symbols] for words in self.words]
        return [line for line in found if line]

    @property
    def strange(self) -> list[Spelled]:
        """The words with letters that the vocabulary lacks."""
        return [word for words in self.words for word in words if word.unknown]

    def fits(self, most_lacking: float) -> bool:
        """Whether there are symbols, and at most such a share of the letters is lacking."""
        every = [word for words in self.words for word in words]
        known, lacking = sum(len(word.symbols) for word in every), sum(len(word.unknown) for word in every)
        return known > 0 and lacking <= most_lacking * (known + lacking)


def known_symbols(vocabulary: Vocabulary, most: int = 60) -> str:
    """The symbols of a vocabulary, for a message."""
    ordinary: Sequence[str] = [symbol for symbol in vocabulary.symbols[len(SPECIAL) :] if symbol.strip()]
    return " ".join(ordinary[:most]) + (" …" if len(ordinary) > most else "")
