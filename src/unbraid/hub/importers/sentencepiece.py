"""The symbols of a SentencePiece model of characters, read without sentencepiece.

The file is a protocol buffer with a piece for each number, "▁" standing for a blank. Source:
github.com/google/sentencepiece, src/sentencepiece_model.proto.
"""

from pathlib import Path

from unbraid.errors import ModelError
from unbraid.files.bounded import read_bytes, readable
from unbraid.files.protobuf import fields, number

MOST_BYTES = 16 << 20
MOST_PIECES = 1 << 16
BLANK = "▁"
PIECES, TRAINER = 1, 2  # fields of the model
TEXT, KIND = 1, 3  # of a piece; the type of the model is field 3 of its trainer
CHARACTERS = 4  # types of models
UNIGRAM = 1  # the default
NORMAL, UNKNOWN, CONTROL = 1, 2, 3  # types of pieces


def read_characters(path: Path) -> dict[str, bool]:
    """The pieces in the order of their numbers, and whether each is a character or something special.

    Raises:
        ModelError: the file cannot be read, or is a model of something else than characters.
    """
    with readable(path, ModelError, "is not a SentencePiece model"):
        found = list(fields(read_bytes(path, MOST_BYTES)))
        trainer = next((value for field, value in found if field == TRAINER and isinstance(value, bytes)), b"")
        if (number(dict(fields(trainer)), 3) or UNIGRAM) != CHARACTERS:
            raise ValueError("expected a model of characters")
        pieces = [dict(fields(value)) for field, value in found if field == PIECES and isinstance(value, bytes)]
        if not 0 < len(pieces) <= MOST_PIECES:
            raise ValueError(f"expected 1 to {MOST_PIECES} pieces")
        symbols = {}
        for piece in pieces:
            text = piece.get(TEXT, b"")
            if not isinstance(text, bytes) or not text:
                raise ValueError("a piece has no text")
            symbols[text.decode("utf-8")] = (number(piece, KIND) or NORMAL) not in (UNKNOWN, CONTROL)
        if len(symbols) < len(pieces):
            raise ValueError("a piece is there twice")
    return symbols
