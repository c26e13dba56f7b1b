"""The text front end of voices that read characters: sentences in the symbols of the model, digits as words.

    "Room 305, please. Thanks!"  ->  "Room three zero five, please."   "Thanks!"

A sentence that is too long is split behind a comma, or else between two words. Letters are kept as they are written
where the model knows them, else in the other case; signs that it does not know are refused.
"""

import re
import unicodedata
from collections.abc import Iterator

from unbraid.errors import UsageError
from unbraid.files.normalization import normalized
from unbraid.hub.vocabulary import Vocabulary
from unbraid.tasks.synthesis.text_frontend import DIGIT_WORDS

BLANK = "▁"  # in vocabularies of SentencePiece
MOST_CHARACTERS = 200  # in a sentence
_DECIMAL = re.compile(r"(?<=[0-9])\.(?=[0-9])")
_DIGIT = re.compile(r"\s?([0-9])\s?")
_END = re.compile(r"(?<=[.!?…])[\"')\]]*\s+")
_BEFORE_SIGN = re.compile(r"\s+(?=[,.!?;:])")
_COMMA = re.compile(r"[,;:]\s")
_SHOWN = 5  # characters that an error names
_OTHERS = {"…": ",", "–": "-", "—": "-"}  # in place of signs that a model does not know


def sentences_of(text: str, symbols: Vocabulary, name: str) -> list[str]:
    """The sentences of a text, each of at most MOST_CHARACTERS.

    Raises:
        UsageError: there are no letters, or signs that the model of that name does not know.
    """
    text = " ".join(normalized(text).split())
    if any(not symbols.unknown(digit) for digit in DIGIT_WORDS):
        spelled = text
    else:
        spelled = _DIGIT.sub(lambda match: f" {DIGIT_WORDS[match[1]]} ", _DECIMAL.sub(" point ", text))
    written = "".join(_known(sign, symbols) for sign in " ".join(spelled.split()))
    written = _BEFORE_SIGN.sub("", written)
    if unknown := [sign for sign in symbols.unknown(written) if sign != " "]:
        more = ", …" if len(unknown) > _SHOWN else ""
        raise UsageError(
            f"{name} cannot read {', '.join(unknown[:_SHOWN])}{more}; write numbers and signs out as words."
        )
    if not any(unicodedata.category(sign).startswith("L") for sign in written):
        raise UsageError("There are no words in this text; give at least one.")
    return [part for sentence in _split(written) for part in _parts(sentence) if part]


def _known(sign: str, symbols: Vocabulary) -> str:
    """A sign as the model knows it, if it does."""
    forms = (sign, sign.lower(), sign.upper(), _OTHERS.get(sign, sign))
    return next((form for form in forms if form == " " or (form and not symbols.unknown(form))), sign)


def _split(text: str) -> Iterator[str]:
    """The sentences, with their signs."""
    start = 0
    for match in _END.finditer(text):
        yield text[start : match.end()].strip()
        start = match.end()
    yield text[start:].strip()


def _parts(sentence: str) -> Iterator[str]:
    """A sentence in parts that are short enough."""
    while len(sentence) > MOST_CHARACTERS:
        commas = [match.end() for match in _COMMA.finditer(sentence, 0, MOST_CHARACTERS)]
        end = commas[-1] if commas else sentence.rfind(" ", 1, MOST_CHARACTERS)
        end = end if end > 0 else MOST_CHARACTERS
        yield sentence[:end].strip()
        sentence = sentence[end:].strip()
    yield sentence
