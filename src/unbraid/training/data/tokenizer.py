"""Tokenisation of texts: characters, words, or subwords.

    characters   "a cat"  ->  a ␣ c a t
    words        "3 5 7"  ->  3 5 7                      few different words, such as digits
    bpe-500      "a cats" ->  ▁a ▁cat s                  the most frequent pieces, at most about 500

Pieces are found by byte pair encoding (Sennrich et al., arXiv 1508.07909) over the texts that are trained on, with the
`tokenizers` package: starting from characters, the most frequent pair is merged into a piece repeatedly. "▁" begins
each word, so words follow from the pieces (see `transcript.words_of`), and a trained model needs no merges.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from unbraid.corpora.transcripts import are_spelled, symbols_of
from unbraid.errors import RuntimeUnavailable
from unbraid.hub.vocabulary import SPECIAL, UNKNOWN, Vocabulary
from unbraid.tasks.transcription.transcript import BEGINS, SPACE, word_parts, word_text

if TYPE_CHECKING:
    from tokenizers import Tokenizer

NAMES = "auto, characters, words, or bpe- and a number of pieces, such as bpe-500"
_PIECES = re.compile(r"bpe-([1-9]\d*)", re.ASCII)


@dataclass(frozen=True)
class Units:
    """A tokeniser and its vocabulary."""

    vocabulary: Vocabulary
    cut: Callable[[str], Sequence[str]]

    def encode(self, text: str) -> list[int]:
        """The numbers of a text."""
        return self.vocabulary.encode(self.cut(text))

    def words(self, numbers: Sequence[int]) -> tuple[str, ...]:
        """The words of a sequence of indices, without special symbols."""
        parts = word_parts(numbers, self.vocabulary)
        return tuple(word_text([numbers[i] for i in part], self.vocabulary) for part in parts)


def check_units(name: str) -> None:
    """Check the name of a unit.

    Raises:
        ValueError: it is none; the message lists those that are.
    """
    if name not in ("auto", "characters", "words") and not _PIECES.fullmatch(name):
        raise ValueError(f"units are {NAMES}; got {name!r}.")


def units_of(name: str, texts: Sequence[str]) -> Units:
    """The units of some texts; "auto" are words where each is a single character, as of digits, else characters.

    Raises:
        RuntimeUnavailable: pieces are asked for, and there is no `tokenizers`.
    """
    if found := _PIECES.fullmatch(name):
        return _pieces(texts, int(found[1]))
    spelled = are_spelled(texts) if name == "auto" else name == "characters"
    symbols = [symbols_of(text, spelled) for text in texts]
    return Units(Vocabulary.of([*symbols, (SPACE,)] if spelled else symbols), partial(symbols_of, spelled=spelled))


def _pieces(texts: Sequence[str], count: int) -> Units:
    """The most frequent pieces, among them every character of the texts, even if these are more than `count`."""
    try:
        from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    except ImportError:
        raise RuntimeUnavailable(
            "Pieces of words need tokenizers, which is not installed; get it with "
            "`pip install 'unbraid[transformer]'`, or set data.units to characters."
        ) from None
    unknown = SPECIAL[UNKNOWN]
    tokenizer = Tokenizer(models.BPE(unk_token=unknown))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(BEGINS, prepend_scheme="always")
    trainer = trainers.BpeTrainer(vocab_size=count + 1, special_tokens=[unknown], show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    found = sorted(tokenizer.get_vocab().keys() - {unknown})
    return Units(Vocabulary((*SPECIAL, *found)), partial(_cut, tokenizer))


def _cut(tokenizer: "Tokenizer", text: str) -> list[str]:
    pieces: list[str] = tokenizer.encode(text).tokens
    return pieces
