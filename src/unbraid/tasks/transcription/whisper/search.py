"""Beam search with patience over the hypotheses of one window or several at once, and sampling over those of one.

With K beams, the K likeliest continuations that do not end are kept at each step; those before them that end are texts.
The search ends after round(p·K) of them, for a patience p (Kasai et al., arXiv 2204.05424). The best text has the
highest mean log probability of its tokens or, with a length penalty α, of log p / ((5 + n) / 6)^α (Wu et al., arXiv
1609.08144).
"""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from unbraid.dsp.arrays import FloatArray
from unbraid.tasks.transcription.whisper.options import WhisperOptions
from unbraid.tasks.transcription.whisper.rules import Rules
from unbraid.tasks.transcription.whisper.state import WindowState


@dataclass(frozen=True)
class Text:
    """A text, or the beginning of one."""

    tokens: tuple[int, ...] = ()  # without the end
    logs: tuple[float, ...] = ()  # of each token, and of the end where it has one

    @property
    def mean_log_prob(self) -> float:
        """Of its tokens and its end."""
        return sum(self.logs) / (len(self.tokens) + 1)

    def score(self, length_penalty: float | None) -> float:
        """By which texts are compared."""
        length = max(1, len(self.tokens))
        return sum(self.logs) / (length if length_penalty is None else math.pow((5 + length) / 6, length_penalty))


@dataclass(frozen=True)
class Start:
    """Windows after their prompt."""

    state: WindowState
    logits: FloatArray  # (I, V) of the first token
    most_tokens: int  # of a text
    end: int  # its token

    def of_window(self, item: int) -> Self:
        """One of the windows."""
        return dataclasses.replace(self, state=self.state.of_window(item), logits=self.logits[item : item + 1])


def best_text(start: Start, rules: Rules, options: WhisperOptions, temperature: float, seed: int = 0) -> Text:
    """The best text of a window: by beam search, or of several that are sampled at a temperature above 0."""
    if not temperature:
        return best_texts(start, rules, options)[0]
    found = _sampled(start, rules, options, temperature, seed)
    return max(found, key=lambda text: text.score(options.length_penalty))


def best_texts(start: Start, rules: Rules, options: WhisperOptions) -> list[Text]:
    """The best text of each window by beam search, all windows together."""
    state, logits = start.state.copy(), start.logits
    searches = [_Search(options, start.end) for _ in logits]
    going, width = searches, 1  # rows of each window
    for _ in range(start.most_tokens):
        places = [item * width + row for item, search in enumerate(going) for row in range(len(search.live))]
        logs = rules.log_probs(logits[places], [text.tokens for search in going for text in search.live])
        counts = np.cumsum([len(search.live) for search in going])[:-1]
        kept = [search.advance(part) for search, part in zip(going, np.split(logs, counts), strict=True)]
        left = [item for item, search in enumerate(going) if not search.is_done]
        if not left:
            break
        first, width = width, max(len(going[item].live) for item in left)
        padded = [(kept[item] + [kept[item][-1]] * width)[:width] for item in left]  # as many rows for each
        state.keep([item * first + row for item, rows in zip(left, padded, strict=True) for row in rows])
        if len(left) < len(going):
            state.keep_windows(left)
        going = [going[item] for item in left]
        tokens = [[text.tokens[-1] for text in search.live] for search in going]
        logits = state.logits(np.array([(row + row[-1:] * width)[:width] for row in tokens]).reshape(-1, 1))
    return [search.best() for search in searches]


class _Search:
    """The beam search of one window."""

    def __init__(self, options: WhisperOptions, end: int):
        self.live = [Text()]
        self._ended: list[Text] = []
        self._options, self._end = options, end
        self._most = max(1, round(options.patience * options.beams))

    @property
    def is_done(self) -> bool:
        """Whether enough texts have ended, or none can go on."""
        return len(self._ended) >= self._most or not self.live

    def advance(self, logs: FloatArray) -> list[int]:
        """Go on by one token, of log probabilities (B, V); returns the rows from which the live texts come."""
        rows, going = list[int](), list[Text]()
        for row, token in _likeliest(logs, self.live, self._options.beams):
            text = self.live[row]
            grown = (*text.logs, float(logs[row, token]))
            if token == self._end:
                self._ended.append(Text(text.tokens, grown))
            else:
                going.append(Text((*text.tokens, token), grown))
                rows.append(row)
            if len(going) == self._options.beams:
                break
        self.live = going
        return rows

    def best(self) -> Text:
        """The best text: of those that have ended, if any have; else of the live ones."""
        found = self._ended[: self._most] if self.is_done else [*self._ended, *self.live][: self._most]
        if not self._ended:
            found = self.live
        return max(found, key=lambda text: text.score(self._options.length_penalty))


def _likeliest(logs: FloatArray, live: Sequence[Text], beams: int) -> list[tuple[int, int]]:
    """Rows and tokens of the likeliest continuations, the best first: of each row one more than there are beams."""
    totals = np.array([sum(text.logs) for text in live])
    pairs = []
    for row, values in enumerate(logs):
        best = np.argpartition(-values, beams)[: beams + 1]
        pairs += [(totals[row] + values[token], row, int(token)) for token in best if values[token] > -np.inf]
    return [(row, token) for _, row, token in sorted(pairs, key=lambda pair: (-pair[0], pair[1:]))]


def _sampled(start: Start, rules: Rules, options: WhisperOptions, temperature: float, seed: int) -> list[Text]:
    """Texts whose tokens are sampled from p^(1/T), by the Gumbel-max trick."""
    random = np.random.default_rng((seed, round(1000 * temperature)))
    state, live, ended = start.state.copy(), [Text()] * options.samples, list[Text]()
    state.keep([0] * options.samples)
    logits = np.repeat(start.logits, options.samples, axis=0)
    for _ in range(start.most_tokens):
        logs = rules.log_probs(logits, [text.tokens for text in live])
        tokens = (logs / temperature + random.gumbel(size=logs.shape)).argmax(1)
        rows, going = list[int](), list[Text]()
        for row, (text, token) in enumerate(zip(live, tokens.tolist(), strict=True)):
            grown = (*text.logs, float(logs[row, token]))
            if token == start.end:
                ended.append(Text(text.tokens, grown))
            else:
                going.append(Text((*text.tokens, token), grown))
                rows.append(row)
        live = going
        if not live:
            break
        state.keep(rows)
        logits = state.logits(np.array([[text.tokens[-1]] for text in live]))
    return [*ended, *live]
