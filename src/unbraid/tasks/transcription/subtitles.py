"""Words as lines of text: plain, as subtitles (SRT, WebVTT), as JSON with all times, or as a TextGrid for Praat.

A line ends where somebody pauses, and before it gets too long to read; in conversations also where a sentence ends. The
formats are those of SubRip and of the W3C ("WebVTT: The Web Video Text Tracks Format", sections 4.1 and 4.2.2): its
texts have & < > escaped, and name voices. Everything but a TextGrid comes in pieces, so that a text may be of any
length.
"""

import dataclasses
import heapq
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from unbraid.files.texts import named_format
from unbraid.tasks.conversation.textgrid import Interval, in_turn, textgrid
from unbraid.tasks.transcription.transcript import Word, spoken

FORMATS = {"text": "txt", "srt": "srt", "vtt": "vtt", "json": "json", "textgrid": "TextGrid"}  # and file extensions
SUBTITLES = ("srt", "vtt")  # of these, whose lines are read while somebody speaks
SHORTEST_SECONDS = 0.001  # players skip lines without a duration
_ENDS = re.compile(r"""[.?!…。！？]["'”’»)\]]*$""")  # a sentence
_ABBREVIATED = re.compile(r"""["'“‘(]*(?:[^\W\d]|mr|mrs|ms|dr|prof|st)\.$""", re.IGNORECASE)  # or an initial
TIER = "speech"  # of a TextGrid, where lines have no voice


@dataclass(frozen=True)
class Limits:
    """Where lines end."""

    characters: int = 42
    seconds: float = 6.0
    pause_seconds: float = 0.8
    sentences: bool = False  # also after each sentence


SHORT = Limits()  # subtitles
SENTENCES = Limits(characters=1000, seconds=60.0, sentences=True)  # of speech without pauses, parts of one


@dataclass(frozen=True)
class Line:
    """A line of a transcript: at least one word."""

    words: tuple[Word, ...]
    voice: str | None = None  # where channels or people are transcribed apart

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


def lines_of(words: Iterable[Word], voice: str | None = None, limits: Limits = SHORT) -> Iterator[Line]:
    """Group words into lines, which end at the limits, and where another voice begins.

    `voice` is whose words they are, if the words do not say; a word longer than a line is one.
    """
    held: list[Word] = []
    for word in words:
        if held and _ends(held, word, limits):
            yield Line(tuple(held), held[0].voice or voice)
            held = []
        held.append(word)
    if held:
        yield Line(tuple(held), held[0].voice or voice)


def _ends(held: list[Word], word: Word, limits: Limits) -> bool:
    """Whether the line that is held ends before a word."""
    return (
        word.voice != held[-1].voice
        or word.start - held[-1].end > limits.pause_seconds
        or sum(len(one.text) + 1 for one in held) + len(word.text) > limits.characters
        or word.end - held[0].start > limits.seconds
        or (limits.sentences and ends_sentence(held[-1].text) and not word.text[:1].islower())
    )


def ends_sentence(text: str) -> bool:
    """Whether a sentence ends with a word: neither with "Mr." nor with an initial."""
    return bool(_ENDS.search(text)) and not _ABBREVIATED.match(text)


def shortened(sentences: Iterable[Line]) -> Iterator[Line]:
    """Sentences, in order of their starts, as lines that are short enough for subtitles, in order of theirs."""
    waiting: list[tuple[float, int, Line]] = []
    count = 0
    for sentence in sentences:
        while waiting and waiting[0][0] <= sentence.start:
            yield heapq.heappop(waiting)[2]
        for line in lines_of(sentence.words, sentence.voice):
            heapq.heappush(waiting, (line.start, count := count + 1, line))
    while waiting:
        yield heapq.heappop(waiting)[2]


def merged(voices: Mapping[str, Iterable[Word]], limits: Limits = SHORT) -> Iterator[Word]:
    """The words of several voices line by line, in the order in which lines start, each with the name of its voice."""
    lines = [lines_of(words, name, limits) for name, words in voices.items()]
    for line in heapq.merge(*lines, key=lambda line: line.start):
        yield from (dataclasses.replace(word, voice=line.voice) for word in line.words)


def check_text_format(name: str) -> str:
    """The format of a name or file extension.

    Raises:
        UsageError: there is no such format.
    """
    return named_format(name, FORMATS, "A transcript is")


def written(lines: Iterable[Line], form: str, model: str = "", seconds: float = 0.0) -> Iterator[str]:
    """Lines in one of the `FORMATS`, piece by piece; JSON names the `model`, a TextGrid is at least `seconds` long."""
    match form:
        case "srt":
            return _srt(lines)
        case "vtt":
            return _vtt(lines)
        case "json":
            return _json(lines, model)
        case "textgrid":
            return iter([_textgrid(lines, seconds)])
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
            **({"speaker": line.voice} if line.voice else {}),
        }
        for word in line.words
    ]
    about = {"start": round(line.start, 3), "end": round(line.end, 3), "speaker": line.voice, "text": line.text}
    return {**about, "words": words}


def _srt(lines: Iterable[Line]) -> Iterator[str]:
    for number, line in enumerate(lines, 1):
        yield f"{number}\n{clock(line.start, ',')} --> {clock(line.end, ',')}\n{_spoken(line)}\n\n"


def _vtt(lines: Iterable[Line]) -> Iterator[str]:
    yield "WEBVTT\n"
    for line in lines:
        voice = f"<v {escaped(line.voice)}>" if line.voice else ""
        yield f"\n{clock(line.start, '.')} --> {clock(line.end, '.')}\n{voice}{escaped(line.text)}\n"


def _json(lines: Iterable[Line], model: str) -> Iterator[str]:
    yield f'{{"model": {json.dumps(model, ensure_ascii=False)}, "lines": ['
    between = "\n"
    for line in lines:
        yield between + json.dumps(as_data(line), ensure_ascii=False)
        between = ",\n"
    yield "\n]}\n"


def _textgrid(lines: Iterable[Line], seconds: float) -> str:
    """A tier "NAME" with the lines of each voice, and "NAME words" with their words."""
    tiers: dict[str, list[Interval]] = {}
    for line in lines:
        name = line.voice or TIER
        tiers.setdefault(name, []).append(Interval(line.start, line.end, line.text))
        words = [Interval(word.start, word.end, word.text) for word in line.words]
        tiers.setdefault(f"{name} words", []).extend(words)
    last = max((interval.end for tier in tiers.values() for interval in tier), default=0.0)
    return textgrid({name: in_turn(tier) for name, tier in tiers.items()}, max(seconds, last))


def _spoken(line: Line) -> str:
    return f"{line.voice}: {line.text}" if line.voice else line.text


def escaped(text: str) -> str:
    """A text as WebVTT takes it."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def clock(seconds: float, point: str) -> str:
    """Seconds as 01:02:03,456."""
    rest, milliseconds = divmod(round(1000 * seconds), 1000)
    rest, whole = divmod(rest, 60)
    hours, minutes = divmod(rest, 60)
    return f"{hours:02}:{minutes:02}:{whole:02}{point}{milliseconds:03}"
