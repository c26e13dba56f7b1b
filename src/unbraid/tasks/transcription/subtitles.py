"""Words as lines of text: plain, as subtitles (SRT, WebVTT), or as JSON with all times.

A line ends where somebody pauses, and before it gets too long to read. The formats are those of SubRip and of the W3C
("WebVTT: The Web Video Text Tracks Format", sections 4.1 and 4.2.2): its texts have & < > escaped, and name voices.
Everything comes in pieces, so that a text may be of any length.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from unbraid.errors import UsageError
from unbraid.tasks.transcription.transcript import Word, spoken

FORMATS = {"text": "txt", "srt": "srt", "vtt": "vtt", "json": "json"}  # and their file extensions
MOST_CHARACTERS = 42
MOST_SECONDS = 6.0
PAUSE_SECONDS = 0.8
SHORTEST_SECONDS = 0.001  # players skip lines without a duration


@dataclass(frozen=True)
class Line:
    """A line of a transcript: at least one word."""

    words: tuple[Word, ...]
    voice: str | None = None  # where voices or channels are transcribed apart

    @property
    def text(self) -> str:
        """The words, blanks between them."""
        return spoken(self.words)

    @property
    def start(self) -> float:
        """In seconds."""
        return self.words[0].start

    @property
    def end(self) -> float:
        """In seconds."""
        return max(self.words[-1].end, self.start + SHORTEST_SECONDS)


def lines_of(words: Iterable[Word], voice: str | None = None) -> Iterator[Line]:
    """Group words into lines, which end at pauses, at 42 characters, at 6 seconds, and where another voice begins.

    `voice` is whose words they are, if the words do not say; a word longer than a line is one.
    """
    held: list[Word] = []
    for word in words:
        if held and (
            word.voice != held[-1].voice
            or word.start - held[-1].end > PAUSE_SECONDS
            or sum(len(one.text) + 1 for one in held) + len(word.text) > MOST_CHARACTERS
            or word.end - held[0].start > MOST_SECONDS
        ):
            yield Line(tuple(held), held[0].voice or voice)
            held = []
        held.append(word)
    if held:
        yield Line(tuple(held), held[0].voice or voice)


def check_text_format(name: str) -> str:
    """The format of a name or file extension.

    Raises:
        UsageError: there is no such format.
    """
    if (known := name.lower().removeprefix(".")) in FORMATS:
        return known
    by_extension = {extension: name for name, extension in FORMATS.items()}
    if known in by_extension:
        return by_extension[known]
    raise UsageError(f"A transcript is written as {', '.join(FORMATS)}, not as {name!r}.")


def written(lines: Iterable[Line], form: str, model: str = "") -> Iterator[str]:
    """Lines in one of the `FORMATS`, piece by piece; JSON names the `model`."""
    match form:
        case "srt":
            return _srt(lines)
        case "vtt":
            return _vtt(lines)
        case "json":
            return _json(lines, model)
        case _:
            return (f"{_spoken(line)}\n" for line in lines)


def as_data(line: Line) -> dict[str, Any]:
    """A line as a JSON object."""
    words = [
        {
            "word": word.text,
            "start": round(word.start, 3),
            "end": round(word.end, 3),
            "confidence": round(word.confidence, 4),
        }
        for word in line.words
    ]
    about = {"start": round(line.start, 3), "end": round(line.end, 3), "voice": line.voice, "text": line.text}
    return {**about, "words": words}


def _srt(lines: Iterable[Line]) -> Iterator[str]:
    for number, line in enumerate(lines, 1):
        yield f"{number}\n{_clock(line.start, ',')} --> {_clock(line.end, ',')}\n{_spoken(line)}\n\n"


def _vtt(lines: Iterable[Line]) -> Iterator[str]:
    yield "WEBVTT\n"
    for line in lines:
        voice = f"<v {_escaped(line.voice)}>" if line.voice else ""
        yield f"\n{_clock(line.start, '.')} --> {_clock(line.end, '.')}\n{voice}{_escaped(line.text)}\n"


def _json(lines: Iterable[Line], model: str) -> Iterator[str]:
    yield f'{{"model": {json.dumps(model, ensure_ascii=False)}, "lines": ['
    between = "\n"
    for line in lines:
        yield between + json.dumps(as_data(line), ensure_ascii=False)
        between = ",\n"
    yield "\n]}\n"


def _spoken(line: Line) -> str:
    return f"{line.voice}: {line.text}" if line.voice else line.text


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _clock(seconds: float, point: str) -> str:
    """Seconds as 01:02:03,456."""
    rest, milliseconds = divmod(round(1000 * seconds), 1000)
    rest, whole = divmod(rest, 60)
    hours, minutes = divmod(rest, 60)
    return f"{hours:02}:{minutes:02}:{whole:02}{point}{milliseconds:03}"
