"""What windows that overlap say of a recording, as one: steps or words, in flat memory.

A network hears the middle of a window better than its ends. So of two neighbours the first is believed up to a seam in
the overlap, the second from there on; and the seam lies where they agree, as near to the middle as may be: no symbol is
lost or said twice because the two have it a step apart.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from unbraid.tasks.decoding.ctc import BLANK, FloatArray
from unbraid.tasks.transcription.transcript import Word

AGREE_STEPS = 5  # on both sides of a seam that are looked at
SLACK_SECONDS = 0.25  # by which windows may differ on when a word is said
NEARNESS = 1e-3  # of words in a run, for each second: so little that it decides where all else is equal
SURE = -100.0  # log probability of what is out of the question


def blanks(steps: int, symbols: int) -> FloatArray:
    """Log probabilities (N, V) of steps that say nothing."""
    log_probs = np.full((steps, symbols), SURE)
    log_probs[:, BLANK] = 0.0
    return log_probs


def joined_steps(windows: Iterable[tuple[int, FloatArray]]) -> Iterator[FloatArray]:
    """Windows, each its first step and log probabilities (n, V), as log probabilities of all steps in pieces."""
    held: FloatArray | None = None
    first = 0  # step of those held
    for start, steps in windows:
        if held is None:
            held, first = steps, start
            continue
        steps, start = steps[max(0, first - start) :], max(first, start)
        if (missing := start - first - len(held)) > 0:
            held = np.concatenate((held, blanks(missing, held.shape[1])))
        overlap = min(first + len(held) - start, len(steps))
        seam = _seam(held[start - first :][:overlap], steps[:overlap]) if overlap else 0
        yield held[: start - first + seam]
        held, first = steps[seam:], start + seam
    if held is not None:
        yield held


def pieces(
    steps: Iterable[FloatArray], quiet: Sequence[int], pause_steps: int, most_steps: int
) -> Iterator[tuple[int, FloatArray]]:
    """Log probabilities (n, V) cut at pauses: pieces that say something, each with its first step.

    A pause is more than `pause_steps` that say nothing but `quiet` symbols; a piece that has none for `most_steps` is
    cut at its longest rest.
    """
    held: FloatArray | None = None
    first, margin = 0, pause_steps // 2
    for more in steps:
        held = more if held is None else np.concatenate((held, more))
        while len(held):
            said = np.flatnonzero(~np.isin(held.argmax(-1), quiet))
            if not len(said):
                first, held = first + len(held), held[:0]
                break
            idle = max(0, int(said[0]) - margin)
            first, held, said = first + idle, held[idle:], said - idle
            rests = np.diff([*said, len(held)])
            if len(long := np.flatnonzero(rests > pause_steps)):
                end = int(said[long[0]]) + 1 + margin
            elif len(held) > most_steps and len(said) > 1:
                rest = int(rests[:-1].argmax())
                end = (int(said[rest]) + int(said[rest + 1]) + 1) // 2
            else:
                break
            yield first, held[:end]
            first, held = first + end, held[end:]
    if held is not None and len(held):
        yield first, held


def joined_words(windows: Iterable[tuple[float, float, Sequence[Word]]]) -> Iterator[Word]:
    """Windows, each its start and end in seconds and its words, as the words of all of them."""
    held: list[Word] = []
    before_end = known = 0.0
    for start, end, said in windows:
        fresh = [word for word in said if _middle(word) >= known]
        if held and start < before_end:
            kept, left, known = _word_seam(held, fresh, start, before_end)
            held, fresh = held[:kept], fresh[left:]
        yield from held
        held, before_end = fresh, end
    yield from held


def _seam(before: FloatArray, after: FloatArray) -> int:
    """Where in an overlap (n, V) to go over: where both agree, best on a blank, near the middle."""
    ours, theirs = before.argmax(-1), after.argmax(-1)
    count = len(ours)
    differing = np.convolve(ours != theirs, np.ones(2 * AGREE_STEPS + 1))[AGREE_STEPS : AGREE_STEPS + count]
    speaking = (ours != BLANK) | (theirs != BLANK)
    off_middle = np.abs(np.arange(count) - count / 2) / (count + 1)  # below 1: decides where all else is equal
    return int((differing + speaking + off_middle).argmin())


def _word_seam(before: list[Word], after: list[Word], start: float, end: float) -> tuple[int, int, float]:
    """How many words of the one to keep, how many of the other to leave out, and the time of the seam.

    In the middle of the longest run of words in which both agree; where they do not, in the middle of the overlap. Of
    runs that are as long, it is the one whose words are nearest in time: "one one" is two words, not one twice.
    """
    runs = np.zeros((len(before) + 1, len(after) + 1))  # of words that agree, ending here
    for i, ours in enumerate(before):
        for j, theirs in enumerate(after):
            if ours.text == theirs.text and (apart := _apart(ours, theirs)) < SLACK_SECONDS:
                runs[i + 1, j + 1] = runs[i, j] + 1 - NEARNESS * max(apart, -1)
    if length := round(float(runs.max())):
        i, j = (int(at) - length // 2 for at in np.unravel_index(runs.argmax(), runs.shape))
        return i, j, before[i - 1].end if before[i - 1].end < end else start
    middle = (start + end) / 2
    return (
        sum(_middle(word) < middle for word in before),
        sum(_middle(word) < middle for word in after),
        middle,
    )


def _apart(ours: Word, theirs: Word) -> float:
    """Seconds between two words; below 0 where they overlap."""
    return max(ours.start, theirs.start) - min(ours.end, theirs.end)


def _middle(word: Word) -> float:
    return (word.start + word.end) / 2
