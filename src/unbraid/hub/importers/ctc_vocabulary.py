"""The symbols of a CTC head that `transformers` published, as a vocabulary of ours.

vocab.json maps symbols to rows of the head. The names of the special ones (padding, which is the CTC blank, begin, end,
unknown, and the word delimiter) are in tokenizer_config.json or special_tokens_map.json, if there is one; symbols that
were added later are in tokenizer_config.json or added_tokens.json. In our vocabulary the special symbols come first, in
a fixed order (see `vocabulary`), and the word delimiter is a space.
Source: the files that transformers 4.0 to 5.23 write, and its Wav2Vec2CTCTokenizer.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unbraid.errors import ModelError, quoted
from unbraid.hub.importers.settings import read_json
from unbraid.hub.vocabulary import SPECIAL, Vocabulary

SYMBOLS = "vocab.json"
NAMES = {  # key: the peer's default, for our special symbols in their order
    "pad_token": "<pad>",
    "bos_token": "<s>",
    "eos_token": "</s>",
    "unk_token": "<unk>",
}
BETWEEN_WORDS = ("word_delimiter_token", "|")


@dataclass(frozen=True)
class Head:
    """Our symbols, and the row of each in the published head; none for one that it lacks."""

    symbols: tuple[str, ...]
    rows: tuple[int | None, ...]
    outputs: int


def read_symbols(folder: Path, outputs: int, blank: Any) -> Head:
    """Read the vocabulary of a head; `blank` is the index of the CTC blank in config.json, if stated.

    Raises:
        ModelError: a file is damaged, or the symbols do not fit the head.
    """
    path = folder / SYMBOLS
    names = _names(folder)
    special = [names[key] for key in NAMES]
    numbers = _numbers(folder)
    # the tokenizer may have a begin and an end for which the head has no outputs
    numbers = {symbol: n for symbol, n in numbers.items() if n < outputs or symbol not in special[1:]}
    rows = sorted(numbers.values())
    if rows != list(range(outputs)):
        raise ModelError(
            f"{path} does not fit the CTC head: it gives {len(numbers)} symbols numbers up to {max(rows, default=0)}, "
            f"but each of the {outputs} outputs, from 0 on, needs one symbol."
        )
    if special[0] not in numbers:
        raise ModelError(f"{path} has no {quoted(special[0])}, which is CTC's blank.")
    if type(blank) is int and blank != numbers[special[0]]:
        raise ModelError(
            f"{path} gives {quoted(special[0])}, CTC's blank, the number {numbers[special[0]]}, but config.json says "
            f"pad_token_id is {quoted(blank)}."
        )
    others = sorted(numbers.keys() - set(special), key=lambda symbol: numbers[symbol])
    texts = (" " if symbol == names[BETWEEN_WORDS[0]] else symbol for symbol in others)
    try:
        symbols = Vocabulary((*SPECIAL, *texts)).symbols
    except ValueError as error:
        raise ModelError(f"{path} makes no vocabulary: {error}") from None
    return Head(symbols, tuple(numbers.get(symbol) for symbol in (*special, *others)), outputs)


def _numbers(folder: Path) -> dict[str, int]:
    """Every symbol's row."""
    path = folder / SYMBOLS
    numbers = dict(read_json(path).root)
    if (folder / "added_tokens.json").is_file():
        numbers |= read_json(folder / "added_tokens.json").root
    if (folder / "tokenizer_config.json").is_file():
        added = read_json(folder / "tokenizer_config.json").get("added_tokens_decoder", {})
        if isinstance(added, dict):
            numbers |= {_text(token): int(n) for n, token in added.items() if n.isdecimal() and len(n) < 10}
    if not numbers or not all(type(n) is int and n >= 0 for n in numbers.values()):
        raise ModelError(f"{path} is no vocabulary: expected an object of symbols and their numbers.")
    return numbers


def _names(folder: Path) -> dict[str, str]:
    """The names of the special symbols."""
    names = dict((*NAMES.items(), BETWEEN_WORDS))
    for file in ("special_tokens_map.json", "tokenizer_config.json"):
        if (folder / file).is_file():
            settings = read_json(folder / file)
            names |= {key: _text(settings.get(key)) for key in names if settings.get(key) is not None}
    return names


def _text(token: Any) -> str:
    """A symbol that is written plainly, or as an object with its content."""
    return str(token["content"] if isinstance(token, dict) and "content" in token else token)
