"""Texts as symbols of a vocabulary, and back."""

from collections.abc import Sequence

from unbraid.errors import UsageError
from unbraid.files.normalization import normalized
from unbraid.hub.vocabulary import SPECIAL, Vocabulary
from unbraid.tasks.transcription.transcript import SPACE, word_parts, word_text

_NAMED = 60  # symbols that an error lists


def numbers_of(text: str, vocabulary: Vocabulary, refused: str) -> list[int]:
    """The symbols of a text, in either case: characters, or blank-separated words where symbols are words.

    Raises:
        UsageError: beginning with REFUSED, some are not in the vocabulary.
    """
    text, ordinary = normalized(text), vocabulary.symbols[len(SPECIAL) :]
    apart = any(len(symbol) > 1 for symbol in ordinary) or _is_apart(text, vocabulary)
    found = [
        next((form for form in (symbol, symbol.lower(), symbol.upper()) if not vocabulary.unknown([form])), symbol)
        for symbol in (text.split() if apart else " ".join(text.split()))
    ]
    if unknown := vocabulary.unknown(found):
        known = (" " if apart else "").join(ordinary[:_NAMED]) + ("" if len(ordinary) <= _NAMED else " …")
        known += ", separated by blanks" if apart else ""
        raise UsageError(f"{refused} {', '.join(map(repr, unknown[:5]))} in {text!r}; its symbols are {known}.")
    return vocabulary.encode(found)


def text_of(numbers: Sequence[int], vocabulary: Vocabulary) -> str:
    """The text of decoded symbols, with blanks between its words."""
    return " ".join(word_text([numbers[i] for i in part], vocabulary) for part in word_parts(numbers, vocabulary))


def _is_apart(text: str, vocabulary: Vocabulary) -> bool:
    """Whether a text has blanks between single characters only, and the vocabulary no blank: 3 5 7."""
    return SPACE not in vocabulary.symbols and all(len(word) == 1 for word in text.split())
