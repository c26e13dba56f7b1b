"""The text front end of speech synthesis: phonemes, blanks between words, and commas and full stops for pauses.

    "Room 305, please."  ->  R UW M " " TH R IY " " Z IY R OW " " F AY V , P L IY Z .

A model of its own (see phonemizer.py) gives each word its likeliest phonemes. Digits are read one by one. A long text
is split into sentences, and a sentence of too many words at a comma, or else between two words. Signs that have no
pronunciation are refused.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from unbraid.errors import UsageError
from unbraid.files.normalization import normalized
from unbraid.hub.vocabulary import Vocabulary
from unbraid.tasks.synthesis.phonemizer import Phonemizer

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
DIGIT_WORDS = dict(zip("0123456789", DIGITS, strict=True))
BLANK, COMMA, STOP = " ", ",", "."
PAUSES = (COMMA, STOP)
MOST_WORDS = 10  # in a sentence
_SENTENCE_ENDS, _COMMAS = ".!?", ",;:"
_NOT_SAID = "\"()[]{}«»„“”¡¿*_-–—~'’‘…"  # around words and between them
_TOKEN = re.compile(r"[0-9]|[^\W\d_]+(?:['’ʼ-][^\W\d_]+)*|[.!?,;:]|…|\S")
_DECIMAL = re.compile(r"(?<=[0-9])\.(?=[0-9])")
_SHOWN = 5  # characters that an error names


@dataclass(frozen=True)
class Sentence:
    """A sentence, or a part of a long one: words, with commas after some of them, and a full stop."""

    words: tuple[str, ...]
    commas: frozenset[int] = frozenset()  # numbers of the words before a comma

    @property
    def text(self) -> str:
        """The sentence as text."""
        return " ".join(word + COMMA * (n in self.commas) for n, word in enumerate(self.words)) + STOP

    def symbols(self, phonemes: dict[str, Sequence[str]]) -> tuple[str, ...]:
        """The input of the acoustic model, given the phonemes of each word."""
        found: list[str] = []
        for n, word in enumerate(self.words):
            found += phonemes[word]
            found.append(STOP if n == len(self.words) - 1 else COMMA if n in self.commas else BLANK)
        return tuple(found)


def sentences_of(text: str, most_words: int = MOST_WORDS) -> Iterator[Sentence]:
    """The sentences of a text, each of at most so many words.

    Raises:
        UsageError: the text has signs that cannot be pronounced.
    """
    words: list[str] = []
    commas: set[int] = set()
    for token in _tokens(text):
        if token == STOP:
            yield from _breaths(words, commas, most_words)
            words, commas = [], set()
        elif token == COMMA:
            commas.add(len(words) - 1)
        else:
            words.append(token)
    yield from _breaths(words, commas, most_words)


def phonemes_of(words: Iterable[str], phonemizer: Phonemizer) -> dict[str, Sequence[str]]:
    """The likeliest phonemes of words.

    Raises:
        UsageError: a word has letters that the phonemizer does not know.
    """
    read = {word: phonemizer.words(word) for word in dict.fromkeys(words)}
    said = phonemizer.pronounce(part for parts in read.values() for part in parts)
    return {word: tuple(p for part in parts for p in said[part].best.phonemes) for word, parts in read.items()}


def vocabulary_of(phonemizer: Phonemizer) -> Vocabulary:
    """The vocabulary of acoustic models that this phonemizer serves."""
    return Vocabulary.of([phonemizer.phonemes, (BLANK, *PAUSES)])


def most_seconds(symbols: int) -> float:
    """The longest that speech of so many symbols can take; a model that fails to end is stopped then."""
    return 1.0 + 0.25 * symbols


def _tokens(text: str) -> Iterator[str]:
    """Words, digits as words, and pauses as COMMA and STOP.

    Raises:
        UsageError: the text has other signs.
    """
    found = _TOKEN.findall(_DECIMAL.sub(" point ", normalized(text)))
    strange = [token for token in dict.fromkeys(found) if not _is_sayable(token)]
    if strange:
        more = ", …" if len(strange) > _SHOWN else ""
        raise UsageError(
            f"{', '.join(strange[:_SHOWN])}{more} cannot be said; texts are made of English words, the digits 0 to 9 "
            "and punctuation. Write numbers and signs out as words."
        )
    for token in found:
        if token in DIGIT_WORDS:
            yield DIGIT_WORDS[token]
        elif token in _SENTENCE_ENDS:
            yield STOP
        elif token in _COMMAS:
            yield COMMA
        elif token not in _NOT_SAID:
            yield token.lower()


def _is_sayable(token: str) -> bool:
    return len(token) > 1 or token in DIGIT_WORDS or token.isalpha() or token in _SENTENCE_ENDS + _COMMAS + _NOT_SAID


def _breaths(words: Sequence[str], commas: set[int], most: int) -> Iterator[Sentence]:
    """A sentence, cut into parts of at most `most` words."""
    start = 0
    while len(words) - start > most:
        inside = [n for n in commas if start <= n < start + most]
        end = max(inside) + 1 if inside else start + most
        yield _sentence(words, commas, start, end)
        start = end
    if start < len(words):
        yield _sentence(words, commas, start, len(words))


def _sentence(words: Sequence[str], commas: set[int], start: int, end: int) -> Sentence:
    return Sentence(tuple(words[start:end]), frozenset(n - start for n in commas if start <= n < end - 1))
