"""Beam search with patience, and sampling, over the hypotheses of one window.

With K beams, the K likeliest continuations that do not end are kept at each step; those before them that end are texts.
The search ends after round(p·K) of them, for a patience p (Kasai et al., arXiv 2204.05424). The best text has the
highest mean log probability of its tokens or, with a length penalty α, of log p / ((5 + n) / 6)^α (Wu et al., arXiv
1609.08144).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

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
    """A window after its prompt."""

    state: WindowState
    logits: FloatArray  # (1, V) of the first token
    most_tokens: int  # of a text
    end: int  # its token


def best_text(start: Start, rules: Rules, options: WhisperOptions, temperature: float, seed: int = 0) -> Text:
    """The best text of a window: by beam search, or of several that are sampled at a temperature above 0."""
    found = _sampled(start, rules, options, temperature, seed) if temperature else _searched(start, rules, options)
    return max(found, key=lambda text: text.score(options.length_penalty))


def _searched(start: Start, rules: Rules, options: WhisperOptions) -> list[Text]:
    state, logits, live, ended = start.state.copy(), start.logits, [Text()], list[Text]()
    most = max(1, round(options.patience * options.beams))
    for _ in range(start.most_tokens):
        logs = rules.log_probs(logits, [text.tokens for text in live])
        rows, going = list[int](), list[Text]()
        for row, token in _likeliest(logs, live, options.beams):
            text = live[row]
            if token == start.end:
                ended.append(Text(text.tokens, (*text.logs, float(logs[row, token]))))
            else:
                going.append(Text((*text.tokens, token), (*text.logs, float(logs[row, token]))))
                rows.append(row)
            if len(going) == options.beams:
                break
        live = going
        if len(ended) >= most or not live:
            return ended[:most]
        state.keep(rows)
        logits = state.logits(np.array([[text.tokens[-1]] for text in live]))
    return [*ended, *live][: max(most, 1)] if ended else live


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
