"""The tokens of a window as phrases with times, and where the next window begins.

A window's text ends in one of three ways. If a phrase is followed by the time at which the next one begins, that one is
cut off by the window's end, and the next window begins there. If the text ends with a single time, nothing is said
after it, and if it ends with a word, the phrase ends with the window: then the next window begins behind this one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from unbraid.tasks.transcription.whisper.rules import TIME_SECONDS

LEAST_STEP = 1 / 30  # of a window, from one to the next at least: so that every recording ends


@dataclass(frozen=True)
class Phrase:
    """A phrase, in seconds of its window."""

    start: float
    end: float
    tokens: tuple[int, ...]  # without times
    logs: tuple[float, ...]  # of these


@dataclass(frozen=True)
class Cut:
    """The phrases of a window."""

    phrases: list[Phrase]
    moved: float  # seconds by which the next window begins later
    used: int  # tokens of these phrases, times included


def cut_at_times(tokens: Sequence[int], logs: Sequence[float], first_time: int, seconds: float) -> Cut:
    """Cut the text of a window of so many seconds into phrases."""
    is_time = [token >= first_time for token in tokens]
    cuts = [i for i in range(1, len(tokens)) if is_time[i] and is_time[i - 1]]  # where one phrase ends, and one begins
    if not cuts:
        ends = [token for token in tokens[1:] if token > first_time]
        end = _seconds(ends[-1], first_time) if ends else seconds
        start = _seconds(tokens[0], first_time) if tokens and is_time[0] else 0.0
        return Cut(_whole([_phrase(tokens, logs, first_time, (start, end))], seconds), seconds, len(tokens))
    ends_alone = is_time[-1] and not is_time[-2]
    bounds = [*cuts, len(tokens)] if ends_alone else cuts
    found = []
    for begin, end_place in zip([0, *bounds], bounds, strict=False):
        part = slice(begin, end_place)
        times_of = (_seconds(tokens[begin], first_time), _seconds(tokens[end_place - 1], first_time))
        found.append(_phrase(tokens[part], logs[part], first_time, times_of))
    moved = seconds if ends_alone else max(_seconds(tokens[cuts[-1] - 1], first_time), LEAST_STEP * seconds)
    return Cut(_whole(found, seconds), min(seconds, moved), bounds[-1])


def _phrase(tokens: Sequence[int], logs: Sequence[float], first_time: int, times: tuple[float, float]) -> Phrase:
    kept = [(token, log) for token, log in zip(tokens, logs, strict=False) if token < first_time]
    return Phrase(*times, tuple(token for token, _ in kept), tuple(log for _, log in kept))


def _whole(phrases: list[Phrase], seconds: float) -> list[Phrase]:
    """The phrases that have words and begin within the window, cut at its end."""
    return [
        Phrase(phrase.start, min(max(phrase.end, phrase.start), seconds), phrase.tokens, phrase.logs)
        for phrase in phrases
        if phrase.tokens and phrase.start < seconds
    ]


def _seconds(token: int, first_time: int) -> float:
    return max(0, token - first_time) * TIME_SECONDS
