"""Vocabularies: the symbols of networks that read or write text, and their indices.

The first four are special: padding of the shorter rows of a batch, the start and the end of a text, and unknown
symbols. The vocabulary is stored in the training checkpoint and in spec.json, in the order of the embeddings' rows.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from unbraid.errors import quoted

PADDING, BEGIN, END, UNKNOWN = range(4)
SPECIAL = ("<padding>", "<begin>", "<end>", "<unknown>")


@dataclass(frozen=True)
class Vocabulary:
    """All symbols, special ones first; a symbol's number is its place.

    Raises:
        ValueError: the special symbols do not come first, there are no others, or a symbol is there twice or empty.
    """

    symbols: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.symbols[: len(SPECIAL)] != SPECIAL:
            raise ValueError(
                f"a vocabulary begins with {', '.join(SPECIAL)}, not with {quoted(list(self.symbols[:4]))}."
            )
        if len(self.symbols) == len(SPECIAL):
            raise ValueError("a vocabulary needs a symbol besides the special ones.")
        if not all(self.symbols) or len(self._numbers) < len(self.symbols):
            raise ValueError("the symbols of a vocabulary must differ, and none may be empty.")

    @classmethod
    def of(cls, texts: Iterable[Iterable[str]]) -> "Vocabulary":
        """All symbols of some texts, sorted: characters where a text is a string."""
        return cls((*SPECIAL, *sorted({symbol for text in texts for symbol in text})))

    def __len__(self) -> int:
        return len(self.symbols)

    def encode(self, text: Iterable[str]) -> list[int]:
        """The numbers of symbols (of characters, where `text` is a string), `UNKNOWN` for those that are not here."""
        return [self._numbers.get(symbol, UNKNOWN) for symbol in text]

    def decode(self, numbers: Iterable[int]) -> list[str]:
        """The symbols of numbers, the special ones left out."""
        return [self.symbols[number] for number in numbers if number >= len(SPECIAL)]

    def unknown(self, text: Iterable[str]) -> list[str]:
        """The symbols that are not here, each once, in the order of the text."""
        return [symbol for symbol in dict.fromkeys(text) if symbol not in self._numbers or symbol in SPECIAL]

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {symbol: number for number, symbol in enumerate(self.symbols)}
