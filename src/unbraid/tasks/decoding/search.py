"""Beam search and sampling for autoregressive models, in NumPy.

A text y of an item x has the log probability Σ_t log p(y_t | y_<t, x), its end included. Beam search keeps the K
likeliest hypotheses (K = 1: greedy) and scores texts by Wu et al. (arXiv 1609.08144, equation 14), with a length
penalty α:

    score(y) = log p(y | x) / ((5 + |y|) / 6)^α

With a temperature T texts are sampled instead, each symbol from p^(1/T).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from unbraid.errors import UsageError
from unbraid.hub.vocabulary import BEGIN, END, PADDING

Allowed = Callable[[int, tuple[int, ...]], np.ndarray]  # (number of the item, symbols so far) -> bool (V,)


@dataclass(frozen=True)
class Hypothesis:
    """A decoded text."""

    symbols: tuple[int, ...]  # without begin and end
    log_probabilities: tuple[float, ...]  # of each symbol, and of the end where the text has one
    score: float  # by which hypotheses are ranked

    @property
    def ended(self) -> bool:
        """Whether the model ended it; otherwise it was cut off at the limit."""
        return len(self.log_probabilities) > len(self.symbols)

    @property
    def probability(self) -> float:
        """Of the whole text, according to the model."""
        return math.exp(sum(self.log_probabilities))


@dataclass(frozen=True)
class DecodingOptions:
    """How symbols are selected.

    Raises:
        UsageError: a value is out of range.
    """

    beams: int = 1  # K: hypotheses kept at each step, or texts sampled
    length_penalty: float = 0.0  # α; larger values prefer longer texts
    temperature: float = 0.0  # T; 0: no sampling
    seed: int = 0  # of the sampling
    most_symbols: int = 100  # a text with so many is cut off
    allowed: Allowed | None = None

    def __post_init__(self) -> None:
        if self.beams < 1 or self.most_symbols < 1:
            raise UsageError(f"At least one beam and one symbol are needed, got {self.beams} and {self.most_symbols}.")
        for name in ("length_penalty", "temperature", "seed"):
            if not 0 <= (value := getattr(self, name)) < math.inf:
                raise UsageError(f"{name} is a number from 0 up, not {value}.")

    def score(self, logs: Sequence[float]) -> float:
        """The score of a text, given the log probabilities of its symbols, end included."""
        return sum(logs) / math.pow((5 + len(logs)) / 6, self.length_penalty)


@dataclass(frozen=True)
class Beam:
    """A hypothesis that has not ended."""

    symbols: tuple[int, ...] = ()
    logs: tuple[float, ...] = ()

    @property
    def last(self) -> int:
        """The decoder's next input."""
        return self.symbols[-1] if self.symbols else BEGIN


class BeamSearch:
    """The search for one item: the live hypotheses, the likeliest first, and the texts that have ended."""

    def __init__(self, item: int, symbols: Sequence[int], choice: DecodingOptions):
        """`item` is its number, for `choice.allowed`; sampling depends on its symbols and the seed alone."""
        self._item, self._choice = item, choice
        self._random = np.random.default_rng((choice.seed, *symbols))
        self._ended: list[Hypothesis] = []
        self._cut: list[Hypothesis] = []
        self.live = [Beam()] * (choice.beams if choice.temperature else 1)

    def advance(self, logs: np.ndarray) -> list[int]:
        """Extend each hypothesis, given log probabilities (K', V) of its next symbol; returns the rows to keep."""
        before, rows, choice = self.live, [], self._choice
        barred = np.where([self._allowed(path, logs.shape[1]) for path in before], logs, -np.inf)
        chosen = self._sampled(barred) if choice.temperature else self._likeliest(barred)
        self.live = []
        for rank, (row, symbol) in enumerate(chosen):
            path = Beam((*before[row].symbols, symbol), (*before[row].logs, float(logs[row, symbol])))
            if symbol == END and rank < choice.beams:
                self._ended.append(self._hypothesis(path))
            elif symbol != END and len(self.live) < choice.beams:
                self.live.append(path)
                rows.append(row)
        self._stop()
        return rows if self.live else []

    def found(self) -> list[Hypothesis]:
        """The texts, the best first, those that were cut off last.

        Raises:
            UsageError: nothing was allowed.
        """
        if not self._ended and not self._cut:
            raise UsageError(f"Nothing can be written for item {self._item}: no symbol is allowed to follow.")
        texts = [text for some in (self._ended, self._cut) for text in sorted(some, key=lambda text: -text.score)]
        return texts[: self._choice.beams]

    def _allowed(self, path: Beam, symbols: int) -> np.ndarray:
        allowed = np.ones(symbols, bool)
        if self._choice.allowed:
            allowed = np.array(self._choice.allowed(self._item, path.symbols))
            if allowed.dtype != bool or allowed.shape != (symbols,):
                raise UsageError(f"allowed returns {symbols} booleans, not {allowed.dtype} {allowed.shape}.")
        allowed[[PADDING, BEGIN]] = False
        return allowed

    def _likeliest(self, logs: np.ndarray) -> list[tuple[int, int]]:
        """Rows and symbols of the 2K likeliest continuations, at least K of which do not end."""
        totals = np.array([sum(path.logs) for path in self.live])[:, None] + logs  # (K', V)
        order = np.argsort(-totals, axis=None, kind="stable")[: 2 * self._choice.beams]
        return [divmod(int(i), logs.shape[1]) for i in order if totals.flat[i] > -np.inf]

    def _sampled(self, logs: np.ndarray) -> list[tuple[int, int]]:
        """A symbol for each row, sampled from p^(1/T) by the Gumbel-max trick."""
        noisy = logs / self._choice.temperature + self._random.gumbel(size=logs.shape)  # (K', V)
        return [(row, int(noisy[row].argmax())) for row in range(len(noisy)) if noisy[row].max() > -np.inf]

    def _stop(self) -> None:
        """Stop at the length limit, or once no live hypothesis can become one of the K best texts."""
        texts = [self._hypothesis(path) for path in self.live]
        if texts and len(texts[0].symbols) == self._choice.most_symbols:
            self._cut, self.live = texts, []
        elif texts and len(self._ended) >= self._choice.beams:
            worst = sorted(text.score for text in self._ended)[-self._choice.beams]
            if max(text.score for text in texts) <= worst:
                self.live = []

    def _hypothesis(self, path: Beam) -> Hypothesis:
        symbols = path.symbols[:-1] if path.last == END else path.symbols
        return Hypothesis(symbols, path.logs, self._choice.score(path.logs))


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Log probabilities (B, V) of logits, in float64."""
    shifted = logits.astype(np.float64) - logits.max(-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(-1, keepdims=True)))
