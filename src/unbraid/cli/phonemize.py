"""`unbraid phonemize`: the pronunciation of words, a line for each text."""

import itertools
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from unbraid.cli import options as opt
from unbraid.cli.console import guarded, json_text, say
from unbraid.errors import UsageError
from unbraid.files.bounded import MOST_TEXT_BYTES
from unbraid.hub.defaults import DEFAULTS

if TYPE_CHECKING:
    from unbraid.tasks.synthesis.phonemizer import Phonemizer, SpokenWord

LINES = 256  # of a file that are read before the first one is answered

_Text = Annotated[list[str] | None, typer.Argument(metavar="TEXT", help="Words, or - for the lines of standard input.")]
_File = Annotated[Path | None, typer.Option("--file", metavar="FILE", help="Read a text file, line by line.")]
_Alternatives = Annotated[
    int,
    typer.Option(
        metavar="N", min=0, help="Up to N other pronunciations of each word, with probabilities, word by word."
    ),
]


def phonemize(
    text: _Text = None,
    file: _File = None,
    model: opt.ModelOption = DEFAULTS["phonemes"],
    alternatives: _Alternatives = 0,
    yes: opt.Yes = False,
    device: opt.Device = "auto",
    threads: opt.Threads = None,
    as_json: opt.AsJson = False,
) -> None:
    """Print the pronunciation of English words: phonemes in ARPAbet, without stress, words separated by |.

    With --json, an object for each text; of standard input and of files, one for each line.
    """
    with guarded(as_json=as_json):
        from unbraid.cli.request import check_one_text

        words = " ".join(text or ())
        check_one_text(bool(text), file)
        from unbraid.tasks.synthesis.phonemizer import Phonemizer

        with Phonemizer(model, device=device, threads=threads) as phonemizer:
            if file is None and words != "-":
                _tell(words, phonemizer(words, alternatives=alternatives), alternatives, as_json=as_json)
                return
            said = 0
            for line, spoken in _answered(phonemizer, file, alternatives):
                said += len(spoken)
                _tell(line, spoken, alternatives, as_json=as_json)
            if not said:
                raise UsageError(f"There are no words in {file or 'standard input'}; give at least one.")


def _answered(
    phonemizer: "Phonemizer", file: Path | None, alternatives: int
) -> Iterator[tuple[str, list["SpokenWord"]]]:
    """The lines of a file or of standard input, each with its words."""
    place = str(file or "standard input")
    at_once = 1 if file is None and sys.stdin.isatty() else LINES
    with nullcontext(sys.stdin.buffer) if file is None else file.open("rb") as lines:
        located = _lines(lines, place)
        while some := list(itertools.islice(located, at_once)):
            split = [_read(line, phonemizer, where) for line, where in some]
            found = phonemizer.pronounce((word for _, words in split for word in words), alternatives=alternatives)
            for text, words in split:
                yield text, [found[word] for word in words]


def _lines(file: BinaryIO, place: str) -> Iterator[tuple[bytes, str]]:
    """Each line of a file, and how messages call it.

    Raises:
        UsageError: one is too long.
    """
    for number in itertools.count(1):
        where = f"{place}, line {number}"
        line = file.readline(MOST_TEXT_BYTES + 1)
        if len(line) > MOST_TEXT_BYTES:
            raise UsageError(f"{where}: it is longer than the limit of {MOST_TEXT_BYTES} bytes; break it into lines.")
        if not line:
            return
        yield line, where


def _read(line: bytes, phonemizer: "Phonemizer", where: str) -> tuple[str, list[str]]:
    """A line as a text, and its words."""
    from unbraid.cli.request import decoded

    text = decoded(line, where).rstrip("\r\n")
    try:
        return text, phonemizer.words(text)
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from None


def _tell(text: str, words: list["SpokenWord"], alternatives: int, *, as_json: bool) -> None:
    if as_json:
        say(json_text({"text": text, "words": [_as_json(word) for word in words]}))
    elif alternatives:
        for word in words:
            say(f"{word.text}: {', '.join(f'{way} ({100 * way.probability:.1f} %)' for way in word.pronunciations)}")
    else:
        say(" | ".join(str(word.best) for word in words))


def _as_json(word: "SpokenWord") -> dict[str, Any]:
    best, *others = ({"phonemes": str(way), "probability": round(way.probability, 6)} for way in word.pronunciations)
    return {"word": word.text, **best, "alternatives": others}
