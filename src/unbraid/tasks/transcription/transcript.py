"""Words with their times and the model's confidence."""

import dataclasses
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Self

from unbraid.hub.vocabulary import SPECIAL, Vocabulary
from unbraid.tasks.decoding.ctc import Span

SPACE = " "
BEGINS = "▁"  # in front of the first piece of a word


@dataclass(frozen=True)
class Word:
    """A word and its times, in seconds."""

    text: str
    start: float
    end: float
    confidence: float  # 0 … 1: the geometric mean of its symbols' probabilities
    voice: str | None = None  # where channels or people are transcribed apart: "channel 1", "anna"
    joined: bool = field(default=False, repr=False)  # to the word before it, without a blank

    def after(self, seconds: float) -> Self:
        """The same word in a recording that begins so much earlier."""
        return dataclasses.replace(self, start=self.start + seconds, end=self.end + seconds)


def spoken(words: Iterable[Word]) -> str:
    """Words as text, with blanks between them but where they are joined."""
    return "".join(word.text if word.joined else f" {word.text}" for word in words).strip()


def words_of(spans: Iterable[Span], vocabulary: Vocabulary, step_seconds: float, first_step: int = 0) -> list[Word]:
    """The words of decoded symbols (see `word_parts`)."""
    spans = list(spans)
    parts = word_parts([span.symbol for span in spans], vocabulary)
    return [_word([spans[i] for i in part], vocabulary, step_seconds, first_step) for part in parts]


def word_parts(symbols: Sequence[int], vocabulary: Vocabulary) -> list[list[int]]:
    """The places of each word's symbols, without special ones.

    Words are separated by blanks; or made of pieces, the first of which begins with "▁"; or each symbol is a word.
    """
    in_pieces, each = has_pieces(vocabulary), holds_words(vocabulary)
    words: list[list[int]] = [[]]
    for place, number in enumerate(symbols):
        symbol = vocabulary.symbols[number]
        if number < len(SPECIAL):
            continue
        if each or symbol == SPACE or (in_pieces and symbol.startswith(BEGINS)):
            words.append([])
        if symbol != SPACE:
            words[-1].append(place)
    return [word for word in words if word_text([symbols[place] for place in word], vocabulary)]


def has_pieces(vocabulary: Vocabulary) -> bool:
    """Whether symbols are pieces of words, which begin with "▁" where a word begins."""
    return any(symbol.startswith(BEGINS) for symbol in vocabulary.symbols)


def holds_words(vocabulary: Vocabulary) -> bool:
    """Whether each symbol is a word, as of digits: there are no blanks and no pieces."""
    return SPACE not in vocabulary.symbols and not has_pieces(vocabulary)


def word_text(symbols: Sequence[int], vocabulary: Vocabulary) -> str:
    """The word of these symbols."""
    return "".join(vocabulary.symbols[number] for number in symbols).removeprefix(BEGINS)


def _word(spans: Sequence[Span], vocabulary: Vocabulary, step_seconds: float, first_step: int) -> Word:
    return Word(
        word_text([span.symbol for span in spans], vocabulary),
        (first_step + spans[0].start) * step_seconds,
        (first_step + spans[-1].end) * step_seconds,
        math.exp(min(0.0, fmean(span.log_probability for span in spans))),
    )
