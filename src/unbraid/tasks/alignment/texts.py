"""Texts to align: lyrics, LRC, subtitles (SRT, WebVTT, ASS) and scripts, as lines of words.

    Hello there,             a line; blank lines separate verses
    [Chorus]                 a heading, which nobody says
    La la la (x2)            a line that is said twice
    ANNA: Shall we begin?    a line of anna's: names in capitals, or in front of two lines or more
    [00:12.00]Hello there    LRC; times are ignored, but a line with several is said several times

The form is told by the content. Times, tags, numbers of cues and notes are left out. A paragraph is cut into its
sentences, and these at the latest after 120 characters, so that each part is found, or not, for itself.
"""

import codecs
import dataclasses
import html
import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from unbraid.errors import UsageError, quoted
from unbraid.files.bounded import read_bytes, readable
from unbraid.tasks.transcription.subtitles import ends_sentence

EXTENSIONS = (".txt", ".lrc", ".srt", ".vtt", ".ass", ".md")  # of texts
PARAGRAPH = 120  # characters, above which a line is cut
MOST_LINES = 20_000
_HEADINGS = "verse chorus refrain bridge intro outro hook interlude solo instrumental pre-chorus prechorus coda"
_HEADING = re.compile(rf"\[[^\]]*\]|\(?(?:{'|'.join(_HEADINGS.split())})\b(?: ?\d+)?\)?:?", re.IGNORECASE)
_REPEATED = re.compile(r"(?P<said>.*\S)\s*[(\[]\s*(?:[x×]\s*(?P<a>[2-9])|(?P<b>[2-9])\s*[x×])\s*[)\]]", re.IGNORECASE)
_NAMED = re.compile(r"(?P<name>[^\W_][\w.'’ -]{0,39}?) ?:(?:\s+(?P<said>.*)|$)")
_ASS = re.compile(r"Dialogue\s*:")
_LRC = re.compile(r"\[(\d{1,4}):(\d{1,2}(?:[.:]\d{1,3})?)\]")
_LRC_NOTE = re.compile(r"\[[a-z#]{1,12}:[^\]]*\]", re.IGNORECASE)
_LRC_WORD = re.compile(r"<\d{1,4}:\d{1,2}(?:[.:]\d{1,3})?>")
_CUE = re.compile(r"\s*(?:\d+:)?\d{1,2}:\d{2}[.,]\d{1,3}\s*-->")
_CUE_TAG = re.compile(r"</?[a-zA-Z][^<>]*>|<[\d:.]+>|\{\\[^{}]*\}|</?[cbiuv]>")
_CUE_VOICE = re.compile(r"<v(?:\.[^\s<>]*)?\s+([^<>]+)>")


@dataclass(frozen=True)
class TextLine:
    """A line of a text."""

    text: str
    number: int  # of the line in the text, from 1
    verse: int = 1
    voice: str | None = None  # who says it


def read_text(text: str | os.PathLike[str]) -> str:
    """A text as it is, or of a file: a path, or a string on one line that ends in one of `EXTENSIONS`.

    Raises:
        UsageError: it is neither; or the file cannot be read, is too large or is not in UTF-8.
    """
    if not isinstance(text, str | os.PathLike):
        raise UsageError(f"A text is a string or the path of its file, not {quoted(text)}.")
    if isinstance(text, str) and ("\n" in text or not text.lower().endswith(EXTENSIONS)):
        return text
    with readable(os.fspath(text), UsageError):
        data = read_bytes(Path(text))
    return decoded(data, os.fspath(text))


def decoded(data: bytes, place: str) -> str:
    """The text of a file, in UTF-8, or in UTF-16 with a byte order mark.

    Raises:
        UsageError: it is in another encoding, or no text.
    """
    is_wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    if b"\0" in data and not is_wide:
        raise UsageError(f"{place}: this is a file of another kind, not a text; give a text here, not a recording.")
    try:
        return data.decode("utf-16" if is_wide else "utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{place}: this is not text in UTF-8; convert it first, or give another file.") from None


def lines_in(text: str) -> list[TextLine]:
    """The lines of a text.

    Raises:
        UsageError: there are none, or too many.
    """
    rows = text.removeprefix("\ufeff").splitlines()
    first = rows[0].strip() if rows else ""
    if first.startswith("WEBVTT") or any(map(_CUE.match, rows)):
        found = list(_cues(rows))
    elif first == "[Script Info]":
        found = list(_dialogue(rows))
    elif sum(bool(_LRC.match(row.strip())) for row in rows) * 2 > sum(bool(row.strip()) for row in rows):
        found = list(_lrc(rows))
    else:
        found = list(_plain(rows))
    lines = [part for line in found for part in _sentences(line)]
    if not lines:
        raise UsageError(
            "The text has no line that anybody could say: it is empty, or holds headings only; give the words of the "
            "recording."
        )
    if len(lines) > MOST_LINES:
        raise UsageError(f"The text has {len(lines)} lines, the limit is {MOST_LINES}; align it in parts.")
    return lines


def _plain(rows: list[str]) -> Iterator[TextLine]:
    """The lines of lyrics, or of a script; who speaks does so up to the next name or blank line."""
    names, voice, verse, begins = _names(rows), None, 0, True
    for number, row in enumerate(rows, 1):
        said = " ".join(row.split())
        if not said or _HEADING.fullmatch(said):
            voice, begins = None if not said else voice, True
            continue
        if (named := _NAMED.fullmatch(said)) and named["name"] in names:
            voice, said = named["name"], named["said"] or ""
            if not said:
                continue
        verse, begins = verse + begins, False
        repeated = _REPEATED.fullmatch(said)
        count = int(repeated["a"] or repeated["b"]) if repeated else 1
        yield from [TextLine(repeated["said"] if repeated else said, number, verse, voice)] * count


def _names(rows: list[str]) -> set[str]:
    """The names in front of lines of a script."""
    found = Counter(named["name"] for row in rows if (named := _NAMED.fullmatch(" ".join(row.split()))))
    return {name for name, count in found.items() if count > 1 or name.isupper()}


def _lrc(rows: list[str]) -> Iterator[TextLine]:
    """The lines of LRC in the order of their times, where some are sung several times; else as they are."""
    timed: list[tuple[float, TextLine]] = []
    repeated, verse, begins = False, 0, True
    for number, row in enumerate(rows, 1):
        times = []
        said = row.strip()
        while stamp := _LRC.match(said):
            times.append(60 * int(stamp[1]) + float(stamp[2].replace(":", ".")))
            said = said[stamp.end() :].lstrip()
        said = " ".join(_LRC_WORD.sub(" ", said).split())
        if not said or _LRC_NOTE.fullmatch(said) or _HEADING.fullmatch(said):
            begins = True
            continue
        verse, begins = verse + begins, False
        repeated = repeated or len(times) > 1
        timed += [(time, TextLine(said, number, verse)) for time in times or [timed[-1][0] if timed else 0.0]]
    return iter(line for _, line in (sorted(timed, key=lambda one: one[0]) if repeated else timed))


def _cues(rows: list[str]) -> Iterator[TextLine]:
    """The cues of SRT or WebVTT: of each its text on one line."""
    place = 0
    while place < len(rows):
        if not _CUE.match(rows[place]):
            place += 1
            continue
        first = place = place + 1
        while place < len(rows) and rows[place].strip() and not _CUE.match(rows[place]):
            place += 1
        cue = " ".join(rows[first:place])
        speaker = _CUE_VOICE.search(cue)
        said = " ".join(html.unescape(_CUE_TAG.sub("", cue)).split())
        if said and not _HEADING.fullmatch(said):
            yield TextLine(said, first + 1, 1, html.unescape(speaker[1]).strip() if speaker else None)


def _dialogue(rows: list[str]) -> Iterator[TextLine]:
    """The lines of ASS, in the order of their times."""
    fields = [(number, row.partition(":")[2].split(",", 9)) for number, row in enumerate(rows, 1) if _ASS.match(row)]
    whole = [(number, parts) for number, parts in fields if len(parts) == 10]  # others have no text
    for number, parts in sorted(whole, key=lambda one: one[1][1].strip()):
        if said := " ".join(re.sub(r"\{[^{}]*\}|\\[Nnh]", " ", parts[9]).split()):
            yield TextLine(said, number, 1, parts[4].strip() or None)


def _sentences(line: TextLine) -> Iterator[TextLine]:
    """A line, or the sentences of a long one, cut where they are too long themselves."""
    if len(line.text) <= PARAGRAPH:
        yield line
        return
    held: list[str] = []
    for word in line.text.split():
        is_full = held and sum(len(one) + 1 for one in held) + len(word) > PARAGRAPH
        if is_full or (held and ends_sentence(held[-1]) and not word[:1].islower()):
            yield dataclasses.replace(line, text=" ".join(held))
            held = []
        held.append(word)
    yield dataclasses.replace(line, text=" ".join(held))
