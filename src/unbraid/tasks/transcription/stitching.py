"""Merges the predictions of overlapping windows, steps or words, in constant memory.

A network is more accurate in the middle of a window than at its ends. So the first of two neighbouring windows counts
up to a seam in their overlap, the second from there on. The seam lies where they agree, as near to the middle as
possible, so that no symbol is lost or repeated because the two place it a step apart.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from unbraid.tasks.decoding.ctc import BLANK, FloatArray
from unbraid.tasks.transcription.transcript import Word

AGREE_STEPS = 5  # compared on both sides of a seam
SLACK_SECONDS = 0.25  # largest difference between the times of a word in two windows
NEARNESS = 1e-3  # weight of a second between two words: a tie-breaker only
SURE = -100.0  # log probability of the impossible


def blanks(steps: int, symbols: int) -> FloatArray:
    """Log probabilities (N, V) of steps without a symbol."""
    log_probs = np.full((steps, symbols), SURE)
    log_probs[:, BLANK] = 0.0
    return log_probs


def joined_steps(windows: Iterable[tuple[int, FloatArray]]) -> Iterator[FloatArray]:
    """Stitch windows, given as first step and log probabilities (n, V); returns those of all steps, in pieces."""
    held: FloatArray | None = None
    first = 0  # step that is held
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
    """Cut log probabilities (n, V) at pauses: pieces with speech, each with its first step.

    A pause is more than `pause_steps` of nothing but `quiet` symbols; a piece without one for `most_steps` is cut at
    its longest rest.
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
    """Stitch windows, given as start and end in seconds and words; returns the words of all."""
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
    """The seam in an overlap (n, V): where both agree, preferably on a blank, near the middle."""
    ours, theirs = before.argmax(-1), after.argmax(-1)
    count = len(ours)
    differing = np.convolve(ours != theirs, np.ones(2 * AGREE_STEPS + 1))[AGREE_STEPS : AGREE_STEPS + count]
    speaking = (ours != BLANK) | (theirs != BLANK)
    off_middle = np.abs(np.arange(count) - count / 2) / (count + 1)  # below 1: a tie-breaker
    return int((differing + speaking + off_middle).argmin())


def _word_seam(before: list[Word], after: list[Word], start: float, end: float) -> tuple[int, int, float]:
    """How many words of the first to keep, how many of the second to leave out, and the time of the seam.

    It lies in the middle of the longest run of words that both share, or else in the middle of the overlap. Of equally
    long runs, the one whose words are nearest in time counts: "one one" is two words, not one twice.
    """
    runs = np.zeros((len(before) + 1, len(after) + 1))  # length of the shared run that ends here
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
