"""Byte-level tokens: the texts of recognisers that know any language, as numbers, and what the numbers stand for.

A token is a string of bytes, and a character in UTF-8 may be spread over several of them. The first 256 tokens are the
single bytes, and each later one joins two before it (byte pair encoding: Sennrich et al., arXiv 1508.07909; on bytes:
Radford et al., "Language Models are Unsupervised Multitask Learners", 2019). A text is encoded by joining, again and
again, the neighbours whose joint token has the smallest number. Behind these come special tokens, which stand for no
bytes: the start, languages, tasks and, last, times.

In a model folder the tokens are in tokens.json, written in GPT-2's alphabet, which has a printable character for each
byte; the special ones are in spec.json.
"""

import itertools
import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from unbraid.errors import ModelError, quoted
from unbraid.files.bounded import parse_json, read_bytes, readable
from unbraid.files.ranges import Range, check_ranges

FILE = "tokens.json"
MOST_BYTES = 16 << 20  # of a file of tokens
MOST_ENTRIES = 4096
Number = Annotated[int, Range(0, 1 << 20)]

_LANGUAGE = re.compile("[a-z]{2,3}")
_CONTRACTION = re.compile("'(?:s|t|re|ve|m|ll|d)")
_PIECE = re.compile("B?L+|B?N+|B?O+|[BS]+(?![^BS])|[BS]+")  # of the classes of characters, see `_class_of`


@dataclass(frozen=True)
class Tokens:
    """The special tokens of Whisper by their numbers, and which tokens it never writes.

    The first tokens, as many as `end` says, are bytes. Times are the last ones, in steps of 0.02 s.

    Raises:
        ValueError: a number is out of range, or languages and tasks are not there together.
    """

    symbols: Annotated[int, Range(5, 1 << 20)]  # V, all tokens
    end: Annotated[int, Range(256, 1 << 20)]  # of a text; those before it are bytes
    start: Number  # of a transcript
    previous: Number  # begins the text before the window
    no_speech: Number
    no_timestamps: Number  # before the tokens of times
    transcribe: int | None  # None: English only, without languages and tasks
    translate: int | None
    languages: dict[str, int]  # "en": 50259
    suppressed: tuple[int, ...] = ()  # never written
    suppressed_first: tuple[int, ...] = ()  # nor these at the beginning of a text
    alignment_heads: tuple[tuple[int, int], ...] = ()  # layer and head, both from 0, whose attention follows the words

    def __post_init__(self) -> None:
        check_ranges(self)
        for name in ("suppressed", "suppressed_first", "alignment_heads", "languages"):
            if len(getattr(self, name)) > MOST_ENTRIES:
                raise ValueError(f"{name} must have at most {MOST_ENTRIES} entries.")
        plain = (self.symbols, self.end, self.start, self.previous, self.no_speech, self.no_timestamps)
        tasks = [number for number in (self.transcribe, self.translate) if number is not None]
        every = (*plain[1:], *tasks, *self.languages.values(), *self.suppressed, *self.suppressed_first)
        if wrong := [number for number in every if type(number) is not int or not 0 <= number < self.symbols]:
            raise ValueError(f"a token is a number from 0 to {self.symbols - 1}, not {quoted(wrong[0])}.")
        if not 256 <= self.end < self.first_time < self.symbols:
            raise ValueError("tokens are bytes first, then the end of a text, special ones, and times.")
        if len(tasks) != (2 if self.languages else 0):
            raise ValueError("tokens have languages and both tasks, or none of them.")
        if odd := [language for language in self.languages if not _LANGUAGE.fullmatch(language)]:
            raise ValueError(f"a language has two or three letters, not {quoted(odd[0])}.")
        for pair in self.alignment_heads:
            if not all(0 <= number < 1000 for number in pair):
                raise ValueError(f"an attention head is a layer and a head, from 0 to 999, not {quoted(pair)}.")

    @property
    def first_time(self) -> int:
        """The token of 0.00 s."""
        return self.no_timestamps + 1


class ByteTokenizer:
    """Texts to tokens and back."""

    def __init__(self, tokens: Sequence[bytes]):
        """`tokens` are the bytes of each token; one may be empty, as in Whisper, and no text has it.

        Raises:
            ValueError: one is there twice, or a single byte is missing.
        """
        self._bytes = tuple(tokens)
        self._numbers = {token: number for number, token in enumerate(self._bytes)}
        if len(self._numbers) < len(self._bytes):
            raise ValueError("a token is there twice")
        if missing := [byte for byte in range(256) if bytes([byte]) not in self._numbers]:
            raise ValueError(f"byte {missing[0]} has no token")

    def __len__(self) -> int:
        return len(self._bytes)

    def bytes_of(self, numbers: Iterable[int]) -> bytes:
        """The bytes of tokens, special ones left out."""
        return b"".join(self._bytes[number] for number in numbers if number < len(self._bytes))

    def decode(self, numbers: Iterable[int]) -> str:
        """The text of tokens, special ones left out; bytes that are not UTF-8 become U+FFFD."""
        return self.bytes_of(numbers).decode("utf-8", errors="replace")

    def encode(self, text: str) -> list[int]:
        """The tokens of a text."""
        return [number for piece in pieces_of(text) for number in self._joined(piece.encode("utf-8", "replace"))]

    def _joined(self, piece: bytes) -> list[int]:
        """The tokens of a piece of a text, neighbours being joined as long as they can be."""
        parts = [bytes([byte]) for byte in piece]
        while len(parts) > 1:
            ranks = [self._numbers.get(left + right) for left, right in itertools.pairwise(parts)]
            known = [rank for rank in ranks if rank is not None]
            if not known:
                break
            first = ranks.index(min(known))
            parts[first : first + 2] = [parts[first] + parts[first + 1]]
        return [self._numbers[part] for part in parts]


def pieces_of(text: str) -> list[str]:
    """The pieces of a text that no token crosses: words with the blank before them, numbers, signs, white space."""
    classes = "".join(map(_class_of, text))
    found, place = [], 0
    while place < len(text):
        match = _CONTRACTION.match(text, place) or _PIECE.match(classes, place)
        assert match  # every class is in the pattern
        found.append(text[place : match.end()])
        place = match.end()
    return found


def _class_of(character: str) -> str:
    """B for a blank, S for other white space, L for a letter, N for a number, O for anything else."""
    if character.isspace():
        return "B" if character == " " else "S"
    kind = unicodedata.category(character)[0]
    return kind if kind in "LN" else "O"


def as_bytes(token: str) -> bytes:
    """The bytes of a token in GPT-2's alphabet.

    Raises:
        ValueError: it has a character outside this alphabet.
    """
    try:
        return bytes(_BYTES[character] for character in token)
    except KeyError:
        raise ValueError(f"token {quoted(token)} is not written in the alphabet of bytes") from None


def _alphabet() -> str:
    """A character for each byte: itself where it can be printed, the others from U+0100 on."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x200))
    return "".join(chr(byte if byte in printable else next(others)) for byte in range(256))


_ALPHABET = _alphabet()
_BYTES = {character: byte for byte, character in enumerate(_ALPHABET)}


def written_tokens(tokens: Sequence[str]) -> bytes:
    """The content of tokens.json."""
    return json.dumps({"tokens": list(tokens)}, ensure_ascii=False, separators=(",", ":")).encode()


def read_tokenizer(folder: Path, tokens: Tokens) -> ByteTokenizer:
    """The tokenizer of a model folder.

    Raises:
        ModelError: tokens.json cannot be read, or does not have the tokens that the spec says.
    """
    path = folder / FILE
    with readable(path, ModelError, "holds no tokens"):
        data = parse_json(read_bytes(path, MOST_BYTES).decode("utf-8"))
        texts = data.get("tokens") if isinstance(data, dict) else None
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise ValueError("expected an object with a list of tokens")
        if len(texts) != tokens.end:
            raise ValueError(f"it has {len(texts)} tokens, but spec.json says {tokens.end}")
        return ByteTokenizer([as_bytes(text) for text in texts])
