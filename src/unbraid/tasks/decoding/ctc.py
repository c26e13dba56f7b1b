"""Connectionist temporal classification (CTC) in NumPy: decoding, scoring and forced alignment.

A network gives log probabilities over the symbols and a blank at each step n. Merging repeated symbols of a path
through the steps and removing its blanks leaves its text. The probability of a text is the sum over all its paths
(Graves, Fernández, Gomez and Schmidhuber, "Connectionist temporal classification", ICML 2006):

    score        log p(text): the forward variable α, section 4.1, equations 6 to 8
    align        the likeliest path of a text, and so the steps of each of its symbols
    greedy       the text of the likeliest path
    beam_search  the likeliest texts: prefix search, section 3.2, over the K likeliest prefixes

Probabilities are added by `logaddexp`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unbraid.hub.vocabulary import PADDING

BLANK = PADDING
FloatArray = NDArray[np.floating]


@dataclass(frozen=True)
class Span:
    """A symbol of a text, and its steps."""

    symbol: int
    start: int
    end: int  # exclusive
    log_probability: float  # the mean of its steps


@dataclass(frozen=True)
class Beam:
    """A text and its log probability."""

    symbols: tuple[int, ...]
    log_probability: float


def greedy(log_probs: FloatArray) -> list[Span]:
    """The text of the likeliest path through (N, V)."""
    return _spans(log_probs, log_probs.argmax(-1)) if len(log_probs) else []


def beam_search(log_probs: FloatArray, beams: int) -> list[Beam]:
    """The likeliest texts of (N, V), the best one first, by prefix beam search."""
    texts: list[tuple[int, ...]] = [()]
    blank, symbol = np.zeros(1), np.full(1, -np.inf)  # (K,) of paths that end in a blank, and in the last symbol
    for step in np.asarray(log_probs, np.float64):  # (V,)
        last = np.array([text[-1] if text else BLANK for text in texts])
        both = np.logaddexp(blank, symbol)
        longer = both[:, None] + step  # (K, V)
        rows = np.flatnonzero(last != BLANK)
        longer[rows, last[rows]] = blank[rows] + step[last[rows]]  # repeated only after a blank
        longer[:, BLANK] = -np.inf
        blank, symbol = both + step[BLANK], np.where(last == BLANK, -np.inf, symbol + step[last])
        place = {text: k for k, text in enumerate(texts)}
        for k, text in enumerate(texts):  # a prefix that another one extends to
            if text and (parent := place.get(text[:-1])) is not None:
                symbol[k] = np.logaddexp(symbol[k], longer[parent, text[-1]])
                longer[parent, text[-1]] = -np.inf
        scores = np.concatenate((np.logaddexp(blank, symbol), longer.ravel()))
        kept = [int(i) for i in np.argsort(-scores, kind="stable")[:beams] if scores[i] > -np.inf]
        grown = {i: divmod(i - len(texts), longer.shape[1]) for i in kept if i >= len(texts)}
        blank = np.array([-np.inf if i in grown else blank[i] for i in kept])
        symbol = np.array([longer[grown[i]] if i in grown else symbol[i] for i in kept])
        texts = [(*texts[grown[i][0]], grown[i][1]) if i in grown else texts[i] for i in kept]
    totals = np.logaddexp(blank, symbol)
    return [Beam(texts[k], float(totals[k])) for k in np.argsort(-totals, kind="stable")]


def score(log_probs: FloatArray, symbols: Sequence[int]) -> float:
    """Log probability of a text given (N, V), over all its paths; minus infinity where it has none.

    With l' the text with blanks around and between its symbols,
    α_n(s) = y_n(l'_s) (α_n-1(s) + α_n-1(s - 1) + α_n-1(s - 2)), the last term only between two different symbols.
    """
    states, skips = _states(symbols)  # (S,)
    said = np.asarray(log_probs, np.float64)[:, states]  # (N, S)
    alpha = np.full(len(states), -np.inf)
    alpha[0] = 0.0  # before the first step
    for n, step in enumerate(said):
        alpha = step + np.logaddexp.reduce(_ways(alpha, skips, n))
    return float(np.logaddexp.reduce(alpha[-2:]))


def align(log_probs: FloatArray, symbols: Sequence[int]) -> list[Span]:
    """The likeliest path of a text through (N, V), as the steps of each of its symbols.

    Raises:
        ValueError: the text has no path of so many steps.
    """
    states, skips = _states(symbols)  # (S,)
    said = np.asarray(log_probs, np.float64)[:, states]  # (N, S)
    best = np.full(len(states), -np.inf)
    best[0] = 0.0
    moves = np.zeros(said.shape, np.int8)  # by how many states a path moved to each
    for n, step in enumerate(said):
        ways = _ways(best, skips, n)
        moves[n] = ways.argmax(0)
        best = step + ways.max(0)
    if best[-2:].max() == -np.inf:
        raise ValueError(f"{len(said)} steps cannot say {len(symbols)} symbols.")
    state = len(states) - 1 if len(states) == 1 or best[-1] >= best[-2] else len(states) - 2
    path = np.empty(len(said), np.int64)
    for n in range(len(said) - 1, -1, -1):
        path[n] = state
        state -= int(moves[n, state])
    return _spans(log_probs, states[path], path)


def _states(symbols: Sequence[int]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """l': the symbols with blanks around and between them, and before which of them the blank may be skipped."""
    states = np.full(2 * len(symbols) + 1, BLANK, np.int64)
    states[1::2] = symbols
    skips = np.zeros(len(states), bool)
    skips[2:] = (states[2:] != BLANK) & (states[2:] != states[:-2])
    return states, skips


def _ways(before: FloatArray, skips: NDArray[np.bool_], n: int) -> FloatArray:
    """The ways to each state at step n, from itself and the one or two before it: (3, S)."""
    ways = np.full((3, len(before)), -np.inf)
    ways[0], ways[1, 1:] = before, before[:-1]
    if n:
        ways[2, 2:] = np.where(skips[2:], before[:-2], -np.inf)
    return ways


def _spans(log_probs: FloatArray, said: NDArray[np.int64], places: NDArray[np.int64] | None = None) -> list[Span]:
    """Runs of the symbols of all steps (N,), or of their places in the text, without blanks."""
    edges = np.flatnonzero(np.diff(said if places is None else places)) + 1
    runs = zip((0, *edges), (*edges, len(said)), strict=True)
    return [
        Span(int(said[a]), int(a), int(b), float(np.mean(log_probs[a:b, said[a]])))
        for a, b in runs
        if b > a and said[a] != BLANK
    ]
