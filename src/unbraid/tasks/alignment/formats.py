r"""Aligned lines as files: LRC, SRT, WebVTT, ASS, JSON and TextGrid. Lines that were not found are in JSON only.

LRC has the start of each line, [01:02.34], and in the A2 extension of each word, <01:02.34>; a time without text clears
the line where a long pause follows. ASS is Advanced SubStation Alpha, in which {\k23} is a syllable of 0.23 s.
"""

import dataclasses
import json
from collections.abc import Iterator, Sequence
from itertools import pairwise

from unbraid.errors import UsageError
from unbraid.files.texts import named_format
from unbraid.tasks.alignment.lines import AlignedLine
from unbraid.tasks.transcription import subtitles
from unbraid.tasks.transcription.subtitles import Line, as_data, clock, escaped, lines_of
from unbraid.tasks.transcription.transcript import Word

FORMATS = {"lrc": "lrc", "srt": "srt", "vtt": "vtt", "ass": "ass", "json": "json", "textgrid": "TextGrid"}
WORDS = ("lrc", "vtt")  # formats that may have the time of each word, or not
CLEAR_SECONDS = 4.0  # of a pause after which a line of LRC is cleared
LONGEST = 84  # characters of a subtitle: two lines of 42

About = tuple[str, float, Sequence[tuple[float, float]]]  # the model, the recording's seconds, what is not in the text

_ASS = """[Script Info]
ScriptType: v4.00+
PlayResX: 1280
PlayResY: 720
WrapStyle: 0
ScaledBorderAndShadow: yes

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, \
StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding
Style: Default,Arial,54,&H0000D7FF,&H00FFFFFF,&H00000000,&H80000000,-1,0,0,0,100,100,0,0,1,3,1,2,40,40,50,1

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""


def check_alignment_format(name: str) -> str:
    """The format of a name or file extension.

    Raises:
        UsageError: there is no such format.
    """
    return named_format(name, FORMATS, "An alignment is")


def written(lines: Sequence[AlignedLine], form: str, about: About = ("", 0.0, ()), *, words: bool = False) -> str:
    """Lines in one of the `FORMATS`; in LRC and WebVTT with the times of `words` where asked for.

    Raises:
        UsageError: another format is asked for times of words, which it has anyway or has not.
    """
    if words and form not in WORDS:
        raise UsageError(f"The times of words are a choice in {' and '.join(WORDS)} only; leave it out for {form}.")
    model, seconds, not_in_text = about
    found = [Line(line.words, line.voice) for line in lines if line.found]
    match form:
        case "lrc":
            return "".join(_lrc(found, words=words))
        case "ass":
            return _ASS + "".join(map(_dialogue, found))
        case "json":
            return _json(lines, model, seconds, not_in_text)
        case "vtt" if words:
            return "WEBVTT\n" + "".join(map(_karaoke_cue, _short(found)))
        case "textgrid":
            return "".join(subtitles.written(found, form, model, seconds))
        case _:
            return "".join(subtitles.written(_short(found), form, model, seconds))


def as_json(line: AlignedLine) -> dict[str, object]:
    """A line as a JSON object; its times are null if it was not found."""
    if line.words:
        data = as_data(Line(line.words, line.voice))
    else:
        data = {"start": None, "end": None, "speaker": line.voice, "text": line.text, "words": []}
    about = {"line": line.number, "verse": line.verse, "found": line.found, "confidence": round(line.confidence, 4)}
    return {**about, **data}


def spans_as_json(spans: Sequence[tuple[float, float]]) -> list[dict[str, float]]:
    """Spans of time as JSON objects."""
    return [{"start": round(start, 3), "end": round(end, 3)} for start, end in spans]


def _short(lines: Sequence[Line]) -> Iterator[Line]:
    """Lines for subtitles: long ones in parts."""
    for line in lines:
        if len(line.text) <= LONGEST:
            yield line
        else:
            yield from lines_of(line.words, line.voice)


def _lrc(lines: Sequence[Line], *, words: bool) -> Iterator[str]:
    for place, line in enumerate(lines):
        voice = f"{line.voice}: " if line.voice else ""
        text = _run([f"<{_minutes(word.start)}>" for word in line.words], line, " ") if words else line.text
        closing = f" <{_minutes(line.end)}>" if words else ""
        yield f"[{_minutes(line.start)}]{voice}{text}{closing}\n"
        if place + 1 == len(lines) or lines[place + 1].start - line.end >= CLEAR_SECONDS:
            yield f"[{_minutes(line.end)}]\n"


def _dialogue(line: Line) -> str:
    starts = [round(100 * word.start) for word in line.words]
    ends = [*starts[1:], max(round(100 * line.end), starts[-1] + 1)]
    marks = [rf"{{\k{end - start}}}" for start, end in zip(starts, ends, strict=True)]
    text = _run(marks, dataclasses.replace(line, words=tuple(map(_ass_word, line.words))))
    name = (line.voice or "").replace(",", " ")
    return f"Dialogue: 0,{_ass_clock(starts[0])},{_ass_clock(ends[-1])},Default,{name},0,0,0,,{text}\n"


def _karaoke_cue(line: Line) -> str:
    voice = f"<v {escaped(line.voice)}>" if line.voice else ""
    marks = ["", *(_stamp(one, two) for one, two in pairwise(line.words))]
    plain = [dataclasses.replace(word, text=escaped(word.text)) for word in line.words]
    text = _run(marks, dataclasses.replace(line, words=tuple(plain)))
    return f"\n{clock(line.start, '.')} --> {clock(line.end, '.')}\n{voice}{text}\n"


def _run(marks: Sequence[str], line: Line, blank: str = "") -> str:
    """The words of a line, each behind its mark and a `blank`, if those of the language have any between them."""
    pairs = zip(line.words, marks, strict=True)
    parts = (f"{mark}{word.text}" if word.joined else f" {mark}{blank}{word.text}" for word, mark in pairs)
    return "".join(parts).removeprefix(" ")


def _stamp(before: Word, word: Word) -> str:
    """The time of a word inside a cue, which must be later than the one before."""
    return f"<{clock(word.start, '.')}>" if clock(word.start, ".") > clock(before.start, ".") else ""


def _json(lines: Sequence[AlignedLine], model: str, seconds: float, spans: Sequence[tuple[float, float]]) -> str:
    rows = ",\n".join(json.dumps(as_json(line), ensure_ascii=False) for line in lines)
    about = f'"model": {json.dumps(model, ensure_ascii=False)}, "seconds": {round(seconds, 3)}'
    return f'{{{about}, "not_in_text": {json.dumps(spans_as_json(spans))}, "lines": [\n{rows}\n]}}\n'


def _minutes(seconds: float) -> str:
    """Seconds as 62:03.45."""
    minutes, rest = divmod(round(100 * seconds), 6000)
    return f"{minutes:02}:{rest // 100:02}.{rest % 100:02}"


def _ass_clock(hundredths: int) -> str:
    """Hundredths of a second as 1:02:03.45."""
    seconds, rest = divmod(hundredths, 100)
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}.{rest:02}"


def _ass_word(word: Word) -> Word:
    """A word without signs that ASS takes for tags."""
    return dataclasses.replace(word, text=word.text.replace("\\", "⧵").replace("{", "(").replace("}", ")"))
