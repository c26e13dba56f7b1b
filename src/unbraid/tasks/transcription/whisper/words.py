"""The words of phrases and their times.

Tokens become words where the text between them is whole: bytes of one character are kept together, a blank begins a
word, and signs go with the word that they follow or precede. Languages without blanks have a word for each token.

Their times come from the cross-attention of the heads that follow the audio, as the authors' program does: weights are
standardised over tokens, smoothed by a median over time and averaged over heads, and dynamic time warping (Sakoe and
Chiba, 1978) finds the path through tokens and time with the largest sum. Without attention, the words of a phrase share
its time by their letters.
"""

import dataclasses
import itertools
import math
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from unbraid.dsp.arrays import FloatArray
from unbraid.hub.tokens import ByteTokenizer
from unbraid.tasks.transcription.transcript import Word
from unbraid.tasks.transcription.whisper.phrases import Phrase

WITHOUT_BLANKS = ("zh", "ja", "th", "lo", "my", "yue")
BEFORE = frozenset("\"'“‘¿¡([{«")
AFTER = frozenset("\"'”’.。,，!！?？:：;；)]}»、…%")
MEDIAN_STEPS = 7
STEP_SECONDS = 0.02
LONGEST_TYPICAL = 0.7  # seconds, of the median word
UNKNOWN = "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True)
class Part:
    """A word of a phrase: its text, with the blank before it, and the places of its tokens."""

    text: str
    first: int
    last: int  # after the last one


def parts_of(tokens: Sequence[int], tokenizer: ByteTokenizer, language: str) -> list[Part]:
    """The words of tokens that are text."""
    characters = _whole_characters(tokens, tokenizer)
    if language in WITHOUT_BLANKS:
        return _with_signs(characters)
    words: list[Part] = []
    for part in characters:
        if words and not part.text.startswith(" ") and not (_is(part, BEFORE) or _is(words[-1], BEFORE | AFTER)):
            words[-1] = _joined(words[-1], part)
        else:
            words.append(part)
    return _with_signs(words)


def _whole_characters(tokens: Sequence[int], tokenizer: ByteTokenizer) -> list[Part]:
    """Tokens, those together that share a character."""
    found, first = [], 0
    for last in range(1, len(tokens) + 1):
        text = tokenizer.decode(tokens[first:last])
        if UNKNOWN not in text or last == len(tokens) or last - first == 8:  # bytes that are no UTF-8 end somewhere
            found.append(Part(text, first, last))
            first = last
    return found


def _with_signs(words: Sequence[Part]) -> list[Part]:
    """Words with the signs before and after them."""
    found: list[Part] = []
    for word in words:
        if found and not word.text.startswith(" ") and (_is(word, AFTER) or _is(found[-1], BEFORE)):
            found[-1] = _joined(found[-1], word)
        elif word.text:
            found.append(word)
    return found


def _is(part: Part, signs: frozenset[str]) -> bool:
    """Whether a word consists of such signs."""
    return bool(text := part.text.strip()) and all(character in signs for character in text)


def _joined(one: Part, two: Part) -> Part:
    return Part(one.text + two.text, one.first, two.last)


def spread_words(phrase: Phrase, tokenizer: ByteTokenizer, language: str) -> list[Word]:
    """The words of a phrase, each with its share of the phrase's time by the number of its letters."""
    parts = parts_of(phrase.tokens, tokenizer, language)
    letters = np.cumsum([0, *(max(1, len(part.text.strip())) for part in parts)])
    times = (phrase.start + (phrase.end - phrase.start) * letters / max(1, letters[-1])).tolist()
    return _words(parts, list(itertools.pairwise(times)), phrase, language)


def timed_words(
    phrases: Sequence[Phrase], alignment: FloatArray, tokenizer: ByteTokenizer, language: str
) -> list[list[Word]]:
    """The words of each phrase of a window, by attention weights (A, n + 1, N) of all their n tokens and the end."""
    starts = np.append(token_times(alignment), alignment.shape[-1] * STEP_SECONDS)  # (n + 2,), of each token
    found, place = [], 0
    for phrase in phrases:
        parts = parts_of(phrase.tokens, tokenizer, language)
        spans = [(float(starts[place + part.first]), float(starts[place + part.last])) for part in parts]
        found.append(_words(parts, _plausible(spans), phrase, language))
        place += len(phrase.tokens)
    return found


def token_times(alignment: FloatArray) -> FloatArray:
    """The start of each token in seconds, by attention weights (A, M, N) of M tokens on N steps."""
    spread = alignment.std(1, keepdims=True)
    standard = (alignment - alignment.mean(1, keepdims=True)) / np.where(spread > 0, spread, 1)
    matrix = _smoothed(standard).mean(0)  # (M, N)
    tokens, steps = warping_path(-matrix)
    begins = np.flatnonzero(np.diff(tokens, prepend=-1))
    return (steps[begins] * STEP_SECONDS).astype(np.float32)


def _smoothed(weights: FloatArray) -> FloatArray:
    """The median of seven steps around each one, mirrored at the ends."""
    half = MEDIAN_STEPS // 2
    if weights.shape[-1] <= half:
        return weights
    padded = np.pad(weights, ((0, 0), (0, 0), (half, half)), mode="reflect")
    smooth = np.median(np.lib.stride_tricks.sliding_window_view(padded, MEDIAN_STEPS, axis=-1), axis=-1)
    return smooth.astype(np.float32)


def warping_path(costs: FloatArray) -> tuple[np.ndarray, np.ndarray]:
    """The cheapest path through costs (M, N) from the first corner to the last: rows and columns.

    A row's least sums, sums[j] = costs[j] + min(above[j], above[j - 1], sums[j - 1]), are those of entering the row at
    any k ≤ j from above and going on in it: a running minimum.
    """
    rows, columns = costs.shape
    sums = np.full((rows + 1, columns + 1), np.inf)
    sums[0, 0] = 0.0
    for i in range(rows):
        along = np.cumsum(costs[i].astype(np.float64))
        entered = np.minimum(sums[i, :-1], sums[i, 1:]) - np.concatenate(([0.0], along[:-1]))
        sums[i + 1, 1:] = along + np.minimum.accumulate(entered)
    i, j, path = rows, columns, []
    while i and j:
        path.append((i - 1, j - 1))
        i, j = min(((i - 1, j - 1), (i - 1, j), (i, j - 1)), key=lambda place: sums[place])
    found = np.array(path[::-1])
    return found[:, 0], found[:, 1]


def _plausible(spans: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Spans, of which the first may not begin long before it is heard, nor the last end long after.

    The path goes through pauses, too: the words beside them would be as long as these.
    """
    lengths = [end - start for start, end in spans if end > start]
    if not lengths:
        return spans
    longest = 2 * min(LONGEST_TYPICAL, statistics.median(lengths))
    spans = list(spans)
    for i, (start, end) in enumerate(spans):
        if end - start > longest:
            spans[i] = (end - longest, end) if i == 0 else (start, start + longest)
    return spans


def in_order(words: Iterable[Word]) -> Iterator[Word]:
    """Words of which none begins before the end of the one before it.

    By attention, the last word of a window may end behind the time at which the next window begins.
    """
    end = -math.inf
    for word in words:
        start = max(word.start, end)
        end = max(word.end, start)
        yield dataclasses.replace(word, start=start, end=end)


def _words(parts: Sequence[Part], spans: Sequence[tuple[float, float]], phrase: Phrase, language: str) -> list[Word]:
    """Words of a phrase with their times; the first one is joined to the word before where there are no blanks."""
    found = []
    for i, (part, span) in enumerate(zip(parts, spans, strict=True)):
        joined = not part.text.startswith(" ") and (i > 0 or language in WITHOUT_BLANKS)
        logs = phrase.logs[part.first : part.last]
        confidence = math.exp(min(0.0, statistics.fmean(logs))) if logs else 0.0
        if text := part.text.strip():
            found.append(Word(text, *span, confidence, joined=joined))
    return found
