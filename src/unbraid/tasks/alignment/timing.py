"""From the steps of symbols to lines of words with times, and to the sentences about those that were not found."""

import dataclasses
import math
from collections.abc import Iterator, Sequence
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from unbraid.errors import shortened
from unbraid.tasks.alignment.edges import Levels, Times, with_edges
from unbraid.tasks.alignment.lines import AlignedLine
from unbraid.tasks.alignment.spelling import Script, Spelled
from unbraid.tasks.decoding.ctc import Span
from unbraid.tasks.results import Diagnostics
from unbraid.tasks.transcription.transcript import Word

NAMED = 3  # lines or stretches that a notice names
_JOINED_SECONDS, _LEAST_SECONDS = 1.5, 1.0  # between two symbols that are not in the text, and of a stretch of them

Spans = Sequence[Sequence[Span]]  # of the symbols of each word


def timed_lines(
    script: Script, spans: Sequence[Spans | None], step_seconds: float, levels: Levels, *, starts: bool
) -> list[AlignedLine]:
    """The lines of a text, given the steps of the symbols of those that have any; None: not said.

    Words are extended to the edges of their sound, and their `starts` too where each symbol is a word.
    """
    given = iter(spans)
    found = [next(given) if any(word.symbols for word in words) else None for words in script.words]
    raw = [
        (word[0].start * step_seconds, min(word[-1].end * step_seconds, levels.seconds))
        for line in found
        for word in line or ()
    ]
    times = iter(with_edges(raw, levels, starts=starts))
    return [
        AlignedLine(
            line.text, _timed(words, said, times, line.voice) if said else (), line.number, line.verse, line.voice
        )
        for line, words, said in zip(script.lines, script.words, found, strict=True)
    ]


def _timed(words: Sequence[Spelled], line: Spans, times: Iterator[Times], voice: str | None) -> tuple[Word, ...]:
    """The words of a line, with the next times of all; a word without symbols lasts from the one before to the next."""
    spans, found = iter(line), list[Word]()
    for word in words:
        if word.symbols:
            start, end = next(times)
            confidence = math.exp(min(0.0, fmean(span.log_probability for span in next(spans))))
            found.append(Word(word.text, start, end, confidence, voice, word.joined))
        else:
            at = found[-1].end if found else math.nan
            found.append(Word(word.text, at, at, 0.0, voice, word.joined))
    first = next(word.start for word in found if not math.isnan(word.start))
    starts = [first if math.isnan(word.start) else word.start for word in found]
    return tuple(
        word if spelled.symbols else dataclasses.replace(word, start=start, end=max(start, following))
        for word, spelled, start, following in zip(found, words, starts, [*starts[1:], starts[-1]], strict=True)
    )


def stretches(steps: NDArray[np.int64], step_seconds: float, later: float) -> tuple[Times, ...]:
    """Steps (n,) as stretches of a recording that begins `later` seconds earlier, without short ones."""
    if not len(steps):
        return ()
    cuts = np.flatnonzero(np.diff(steps) * step_seconds > _JOINED_SECONDS) + 1
    spans = [(float(part[0]) * step_seconds, float(part[-1] + 1) * step_seconds) for part in np.split(steps, cuts)]
    return tuple((start + later, end + later) for start, end in spans if end - start >= _LEAST_SECONDS)


def note_lines(lines: Sequence[AlignedLine], extra: Sequence[Times], diagnostics: Diagnostics) -> None:
    """Note the lines that were not found, and the stretches that are not in the text."""
    if lost := [f"line {line.number} ({shortened(line.text)})" for line in lines if not line.found]:
        were = "was" if len(lost) == 1 else "were"
        diagnostics.note(f"{len(lost)} of {counted(len(lines), 'line')} {were} not found: {_listed(lost)}")
    if extra:
        named = [f"{_clock(start)} to {_clock(end)}" for start, end in extra]
        diagnostics.note(f"something is said that the text does not have: {_listed(named)}")


def counted(count: int, what: str) -> str:
    """3 lines, 1 line."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED]) + (", …" if len(names) > NAMED else "")


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"
