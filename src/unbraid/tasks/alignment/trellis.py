"""The likeliest path of known lines through the steps of a CTC network, by Viterbi, in little memory.

As in `tasks/decoding/ctc.py`, symbols stand with a gap between any two of them (Graves et al., "Connectionist temporal
classification", ICML 2006, section 4.1). Three things are added, so that a text need not be all that is said, nor said
as a whole (as in Kürzinger et al., "CTC-segmentation of large corpora for German end-to-end speech recognition", 2020,
and with the star of Pratap et al., "Scaling speech technology to 1,000+ languages", 2023):

- Log probabilities are relative to the likeliest symbol of a step. Before, between and after the lines is a star, which
  loses next to nothing, whatever is heard: a symbol that is as likely as any other loses less.
- A gap inside a line loses a little with each step, so that the words of a line stay together.
- From a star a path may jump to any later one, at `skip_loss` for each symbol of the lines between. So a line is on the
  best path only where its loss is below that: the same number is threshold and penalty.

Of N steps and S states, the scores of every √N-th step are kept, and the moves between two of them are computed again
on the way back: O(√N·S) of memory, the exact path.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from unbraid.tasks.decoding.ctc import BLANK, FloatArray, Span

Line = Sequence[Sequence[int]]  # the symbols of each word
Ints = NDArray[np.int64]
_GAP, _BETWEEN, _STAR, _SYMBOLS = range(4)  # columns: the blank; the blank or a space; the star; the first symbol
_MISSING = np.float32(-np.inf)
STAR_LOSS = 0.05  # of a star at a step where a symbol is heard: so little that it covers any number of them


class Steps:
    """What a network hears at each step, as far as an alignment needs it: of a large vocabulary only a few symbols."""

    def __init__(self, lines: Sequence[Line], space: int | None = None, gap_loss: float = 0.0):
        """The columns for the symbols of lines; `space` is the symbol between words, if there is one.

        `gap_loss` is that of each step between the symbols of a line, which keeps lines together.
        """
        self.symbols = sorted({symbol for line in lines for word in line for symbol in word})
        self._space, self._gap_loss = space, gap_loss
        self._quiet = [BLANK] if space is None else [BLANK, space]
        self._relative: list[FloatArray] = []
        self._best: list[FloatArray] = []
        self._heard: list[NDArray[np.bool_]] = []

    def add(self, log_probs: FloatArray) -> None:
        """Log probabilities (n, V) of the next steps."""
        best = log_probs.max(-1, keepdims=True)  # (n, 1)
        blank = log_probs[:, [BLANK]]
        between = blank if self._space is None else np.maximum(blank, log_probs[:, [self._space]])
        star = np.maximum(between - best, -STAR_LOSS)
        quiet = (blank - best - self._gap_loss, between - best - self._gap_loss)
        columns = (*quiet, star, log_probs[:, self.symbols] - best)
        self._relative.append(np.concatenate(columns, axis=1).astype(np.float32))
        self._best.append(best[:, 0].astype(np.float32))
        self._heard.append(~np.isin(log_probs.argmax(-1), self._quiet))

    def __len__(self) -> int:
        return sum(map(len, self._best))

    @property
    def relative(self) -> FloatArray:
        """Log probabilities (N, 3 + symbols) of the columns, relative to the likeliest symbol."""
        self._relative = [np.concatenate(self._relative or [np.zeros((0, _SYMBOLS + len(self.symbols)), np.float32)])]
        return self._relative[0]

    @property
    def best(self) -> FloatArray:
        """Log probabilities (N,) of the likeliest symbols."""
        return np.concatenate(self._best or [np.zeros(0, np.float32)])

    @property
    def heard(self) -> NDArray[np.bool_]:
        """At which steps (N,) the likeliest symbol is neither blank nor space."""
        return np.concatenate(self._heard or [np.zeros(0, bool)])


@dataclass(frozen=True)
class Trellis:
    """The states of lines: at even places stars and gaps, at odd places symbols."""

    columns: Ints  # (S,) of each state in `Steps.relative`
    skips: FloatArray  # (S,) 0 where a state may follow the last one but one, else minus infinity
    stars: Ints  # (L + 1,) their places
    losses: NDArray[np.float64]  # (L + 1,) of all lines before each star, if they are left out

    @classmethod
    def of(cls, lines: Sequence[Line], symbols: Sequence[int], skip_loss: float) -> "Trellis":
        """The trellis of lines, each of at least one symbol, whose `symbols` have columns in this order."""
        column = {symbol: _SYMBOLS + i for i, symbol in enumerate(symbols)}
        states, stars = [_STAR], [0]
        for line in lines:
            for word in line:
                for symbol in word:
                    states += (column[symbol], _GAP)
                states[-1] = _BETWEEN
            states[-1] = _STAR
            stars.append(len(states) - 1)
        columns, skips = np.array(states, np.int64), np.full(len(states), _MISSING)
        skips[3::2][columns[3::2] != columns[1:-2:2]] = 0.0  # only between two different symbols
        counts = [sum(map(len, line)) for line in lines]
        return cls(columns, skips, np.array(stars, np.int64), skip_loss * np.cumsum([0, *counts]).astype(np.float64))

    def until(self, state: int) -> "Trellis":
        """The trellis of all states up to this one: nothing later leads to it."""
        stars = int(np.searchsorted(self.stars, state, side="right"))
        return Trellis(self.columns[: state + 1], self.skips[: state + 1], self.stars[:stars], self.losses[:stars])

    def start(self) -> FloatArray:
        """Scores (S,) before the first step: the first star, or a later one for which lines are left out."""
        scores = np.full(len(self.columns), _MISSING)
        scores[self.stars] = -self.losses
        return scores


class _Viterbi:
    """The scores (S,) of the best paths to all states of a trellis, step by step, in buffers that are used again."""

    def __init__(self, trellis: Trellis, scores: FloatArray):
        """`scores` are those before the first step."""
        self._trellis, self.scores = trellis, scores.copy()
        self._after, self._said, self._two = (np.empty_like(scores) for _ in range(3))
        self._is_two = np.empty(len(scores), bool)

    def step(self, relative: FloatArray, moves: NDArray[np.int8] | None = None) -> NDArray[np.float64]:
        """Take a step, given its columns (3 + symbols,).

        `moves` (S,), zeros, becomes the number of states that the best path to each moved by. Then stars are reached
        from all earlier ones: each from the latest of the best of those up to its own. Returns what they (L + 1,) are
        worth for that, without the losses of lines before them.
        """
        trellis, before, after = self._trellis, self.scores, self._after
        two, is_two = self._two[2:], self._is_two[2:]
        np.copyto(after, before)
        np.maximum(after[1:], before[:-1], out=after[1:])
        np.add(before[:-2], trellis.skips[2:], out=two)
        if moves is not None:
            np.greater(before[:-1], before[1:], out=moves[1:].view(bool))
            np.greater(two, after[2:], out=is_two)
            np.maximum(moves[2:], np.left_shift(is_two.view(np.int8), 1, out=is_two.view(np.int8)), out=moves[2:])
        np.maximum(after[2:], two, out=after[2:])
        after += np.take(relative, trellis.columns, out=self._said, mode="clip")
        worth = after[trellis.stars].astype(np.float64) + trellis.losses
        after[trellis.stars] = np.maximum.accumulate(worth) - trellis.losses
        self.scores, self._after = after, before
        return worth


def best_path(relative: FloatArray, trellis: Trellis) -> Ints:
    """The state (N,) of the likeliest path at each of N steps, (N, 3 + symbols); it may leave lines out."""
    count = len(relative)
    size = max(1, round(count**0.5))
    search, kept = _Viterbi(trellis, trellis.start()), []
    for first in range(0, count, size):
        kept.append(search.scores.copy())
        for row in relative[first : first + size]:
            search.step(row)
        search.scores -= search.scores.max()  # as small numbers as possible, for the sake of float32
    path = np.empty(count, np.int64)
    state = _last(trellis, search.scores)
    for first in range(size * (len(kept) - 1), -1, -size):
        state = _traced(relative[first : first + size], trellis, kept.pop(), state, path[first : first + size])
    return path


def _last(trellis: Trellis, scores: FloatArray) -> int:
    """The state of the best path at the last step: a star or the last symbol of a line, lines after it left out."""
    ends = np.array([0, *(place for star in trellis.stars[1:] for place in (star - 1, star))])
    losses = np.repeat(trellis.losses, 2)[1:]
    return int(ends[(scores[ends].astype(np.float64) + losses).argmax()])


def _traced(relative: FloatArray, trellis: Trellis, scores: FloatArray, state: int, path: Ints) -> int:
    """Fill in the `path` (n,) of a block of steps that ends in a state; returns the state before the block."""
    trellis = trellis.until(state)
    search = _Viterbi(trellis, scores[: state + 1])
    moves = np.zeros((len(relative), state + 1), np.int8)
    worths = np.empty((len(relative), len(trellis.stars)))
    for n, row in enumerate(relative):
        worths[n] = search.step(row, moves[n])
    number = {int(place): i for i, place in enumerate(trellis.stars)}
    for n in range(len(relative) - 1, -1, -1):
        if (star := number.get(state)) is not None:
            state = int(trellis.stars[star - int(worths[n, star::-1].argmax())])
        path[n] = state
        state -= int(moves[n, state])
    return state


def align_lines(steps: Steps, lines: Sequence[Line], skip_loss: float) -> tuple[list[list[list[Span]] | None], Ints]:
    """The symbols of each word of each line, with their steps, or None for a line that is not said; and all star steps.

    A line is said where its symbols lose less than `skip_loss` each, in the mean, against the likeliest text.
    """
    relative, best = steps.relative, steps.best
    path = best_path(relative, Trellis.of(lines, steps.symbols, skip_loss))
    edges = np.flatnonzero(np.diff(path)) + 1
    runs = {int(path[a]): (int(a), int(b)) for a, b in zip((0, *edges), (*edges, len(path)), strict=True) if b > a}
    column = {symbol: _SYMBOLS + i for i, symbol in enumerate(steps.symbols)}

    def span(symbol: int, place: int) -> Span:
        start, end = runs[place]
        logs = relative[start:end, column[symbol]] + best[start:end]
        return Span(symbol, start, end, float(logs.mean()))

    found: list[list[list[Span]] | None] = []
    place = 1
    for line in lines:
        heard: list[list[Span]] | None = [] if place in runs else None
        for word in line:
            if heard is not None:
                heard.append([span(symbol, place + 2 * i) for i, symbol in enumerate(word)])
            place += 2 * len(word)
        found.append(heard)
    columns = Trellis.of(lines, steps.symbols, skip_loss).columns
    return found, np.flatnonzero(columns[path] == _STAR) if len(path) else path


def least_steps(lines: Sequence[Line]) -> int:
    """The fewest steps in which all lines can be said: one for each symbol, and a gap between two equal ones."""
    symbols = [symbol for line in lines for word in line for symbol in word]
    return len(symbols) + sum(one == two for one, two in pairwise(symbols))
