"""Which tokens may follow: the rules for times, and tokens that are never written.

Times come in pairs around phrases, <|0.00|> so it begins.<|2.40|><|2.40|> And …, and never go back. A text begins with
a time of at most 1 s. Where all times together are likelier than any other token, a time follows.
"""

from collections.abc import Sequence

import numpy as np

from unbraid.dsp.arrays import FloatArray
from unbraid.hub.tokens import Tokens

FIRST_SECONDS = 1.0  # latest start of the first phrase
TIME_SECONDS = 0.02  # from one time to the next


class Rules:
    """The rules of a model's tokens."""

    def __init__(self, tokens: Tokens, *, with_times: bool = True):
        self._tokens, self._with_times = tokens, with_times
        barred = [*tokens.suppressed, *range(tokens.end + 1, tokens.first_time)]
        self._barred = np.array(sorted({*barred} - {tokens.end}), np.int64)
        self._barred_first = np.array([*tokens.suppressed_first, tokens.end], np.int64)

    def log_probs(self, logits: FloatArray, texts: Sequence[Sequence[int]]) -> FloatArray:
        """Log probabilities (B, V) of the tokens that may follow these texts; -∞ where one may not."""
        logits, tokens = logits.copy(), self._tokens
        logits[:, self._barred] = -np.inf
        for row, text in zip(logits, texts, strict=True):
            if not text:
                row[self._barred_first] = -np.inf
            if self._with_times:
                self._bar_times(row, text)
            else:
                row[tokens.first_time :] = -np.inf
        logs = log_softmax(logits)
        if self._with_times:
            times, others = logs[:, tokens.first_time :], logs[:, : tokens.first_time]
            forced = np.exp(times).sum(1) > np.exp(others.max(1))
            logits[forced, : tokens.first_time] = -np.inf
            logs[forced] = log_softmax(logits[forced])
        return logs

    def _bar_times(self, row: FloatArray, text: Sequence[int]) -> None:
        """Bar what cannot follow a text: times that go back or stand alone, words between two phrases."""
        first, end = self._tokens.first_time, self._tokens.end
        if not text:
            row[:first] = -np.inf
            row[first + round(FIRST_SECONDS / TIME_SECONDS) + 1 :] = -np.inf
            return
        is_time = text[-1] >= first
        closes = is_time and len(text) > 1 and text[-2] < first  # the end of a phrase, behind a word
        if is_time and not closes:
            row[first:] = -np.inf  # a phrase begins, and has words
        elif is_time:
            row[:end] = -np.inf  # the next phrase begins, or the text ends
        last = next((token for token in reversed(text) if token >= first), first)
        row[first : last if closes else last + 1] = -np.inf


def log_softmax(logits: FloatArray) -> FloatArray:
    """Log probabilities (B, V), float32, of logits some of which are -∞."""
    shifted = logits - logits.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
