"""Speech recognition by an audio Transformer's decoder, and by CTC on its encoder where it has that as well.

Texts of the decoder, and CTC's, are scored by both (Watanabe et al., "Hybrid CTC/attention architecture for end-to-end
speech recognition", 2017),

    log p(text) = (1 - w) log p_decoder(text) + w log p_ctc(text)

which rules out texts with omissions or repetitions, and CTC aligns symbols with steps.
"""

import dataclasses
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from unbraid.dsp.arrays import Blocks
from unbraid.dsp.mel import mel_levels
from unbraid.models.audio_transformer.config import as_audio_transformer
from unbraid.models.audio_transformer.padding import whole_steps
from unbraid.runtime import Executor
from unbraid.tasks.decoding.ctc import FloatArray, Span, align, greedy, score
from unbraid.tasks.decoding.generator import Generator
from unbraid.tasks.decoding.search import Hypothesis
from unbraid.tasks.decoding.state import Array
from unbraid.tasks.transcription.recognizer import Note, Recognizer, ignored, is_silent, vocabulary_of
from unbraid.tasks.transcription.stitching import blanks, joined_steps, joined_words
from unbraid.tasks.transcription.transcript import Word, words_of

BEAMS = 4
CTC_WEIGHT = 0.7  # w
COARSE_SECONDS = 0.03  # steps from this length on are read twice: sounds between two of them are easily missed
LEAD_SECONDS = 0.4  # of silence around a window: a word right at its start is easily missed


class CachedEncoder:
    """Caches an encoder's last two results: decoder, CTC and the scoring of other texts ask for the same windows."""

    def __init__(self, encoder: Executor):
        self.device, self.reason = encoder.device, encoder.reason
        self._encoder = encoder
        self._runs: deque[tuple[dict[str, Array], dict[str, Array]]] = deque(maxlen=2)  # inputs, outputs

    def run(self, inputs: dict[str, Array]) -> dict[str, Array]:
        """Run the encoder, unless these inputs are one of the last two."""
        for given, found in self._runs:
            if all(np.array_equal(inputs[name], value) for name, value in given.items()):
                return found
        found = self._encoder.run(inputs)
        self._runs.append((inputs, found))
        return found

    def close(self) -> None:
        """Free the network."""
        self._runs.clear()
        self._encoder.close()


@dataclass(frozen=True)
class Reading:
    """One reading of a window by encoder and decoder."""

    item: FloatArray  # log-mel (N·stride, F) or samples (N·stride,)
    log_probs: FloatArray  # of CTC, (N, V)
    text: Hypothesis  # the best by the joint score


class DecoderRecognizer(Recognizer):
    """A recogniser that decodes each window, after which the words of neighbouring windows are stitched."""

    def __init__(self, generator: Generator):
        """`generator` is the recogniser's network; it is closed with it."""
        super().__init__(generator.spec, as_audio_transformer(generator.spec.geometry).source, generator)
        self.vocabulary = vocabulary_of(generator.spec)
        self._network = generator
        self._has_ctc = as_audio_transformer(self.spec.geometry).ctc

    def words(self, blocks: Blocks, beams: int | None = None, note: Note = ignored) -> Iterator[Word]:
        """The words of blocks (1, n) at the model's rate, by beam search: 4 beams by default."""
        return joined_words(self._said(first, window, beams or BEAMS) for first, window in self.windows(blocks))

    def log_probs_of(self, blocks: Blocks) -> Iterator[FloatArray]:
        """CTC's log probabilities (n, V) at all steps of blocks (1, n) at the model's rate, windows stitched.

        Raises:
            UsageError: the model has no CTC.
        """
        if not self._has_ctc:
            return super().log_probs_of(blocks)
        return joined_steps((first, self._heard(window)) for first, window in self.windows(blocks))

    def _heard(self, window: FloatArray) -> FloatArray:
        """CTC's log probabilities (N, V) of a window, in silence of its own."""
        steps = self.steps(len(window))
        if is_silent(window):
            return blanks(steps, len(self.vocabulary))
        padded, lead = self._padded(window)
        return self._network.ctc(self._item(padded))[lead : lead + steps]

    def _padded(self, audio: FloatArray) -> tuple[FloatArray, int]:
        """A waveform (T,) with silence around it, and the steps of silence on either side."""
        lead = max(1, round(LEAD_SECONDS / self.step_seconds))
        return np.pad(audio, lead * self.step_samples), lead

    def _said(self, first: int, window: FloatArray, beams: int) -> tuple[float, float, list[Word]]:
        """The start and end of a window in seconds, and its words."""
        begin = first * self.step_seconds
        spans = [] if is_silent(window) else self.read(window, beams)
        words = words_of(spans, self.vocabulary, self.step_seconds, first)
        return begin, begin + len(window) / self.spec.sample_rate, words

    def read(self, audio: FloatArray, beams: int) -> list[Span]:
        """The best text for a waveform (T,) at the model's rate, by the decoder, and by CTC where the model has it.

        Silence is added around it, which is not in the times. Without CTC the times of symbols are unknown: each spans
        all steps. With CTC and coarse steps the window is read once more from half a step later; where the texts
        differ, the one with the better score over both readings is taken.
        """
        steps = self.steps(len(audio))
        (padded, lead), most = self._padded(audio), max(1, steps)
        if not self._has_ctc:
            (texts,) = self._network.generate([self._item(padded)], beams=beams, most_symbols=most)
            return [
                Span(s, 0, steps, log) for s, log in zip(texts[0].symbols, texts[0].log_probabilities, strict=False)
            ]
        starts = (0, self.step_samples // 2) if self.step_seconds >= COARSE_SECONDS else (0,)
        readings = [_read(self._network, self._item(padded[start:]), beams, most) for start in starts]
        return [_without(lead, steps, span) for span in _agreed(self._network, readings)]

    def _item(self, audio: FloatArray) -> FloatArray:
        """The encoder's input for a waveform (T,): samples or log-mel (N·stride, F)."""
        heard = np.asarray(audio, np.float32)
        if not self.hears_samples:
            assert self.spec.mel is not None
            heard = mel_levels(heard, self.spec.mel, self.spec.sample_rate, without_noise=True)
        return whole_steps(heard, self._source)


def _read(network: Generator, item: FloatArray, beams: int, most_symbols: int) -> Reading:
    """The best of the decoder's texts and CTC's one, by the joint score."""
    (texts,) = network.generate([item], beams=beams, most_symbols=most_symbols)
    log_probs = network.ctc(item)
    heard = tuple(span.symbol for span in greedy(log_probs))
    if all(heard != text.symbols for text in texts):
        texts = [*texts, network.score(item, heard)]
    return Reading(item, log_probs, max(texts, key=lambda text: _joint(text, log_probs)))


def _agreed(network: Generator, readings: list[Reading]) -> list[Span]:
    """The best text over all readings, with the first one's times; CTC's own if none fits into its steps."""
    reading, text = readings[0], readings[0].text
    if len(said := dict.fromkeys(one.text.symbols for one in readings)) > 1:
        each = [  # of them, as each reading scores it
            [one.text if one.text.symbols == symbols else network.score(one.item, symbols) for one in readings]
            for symbols in said
        ]
        likings = [sum(_joint(t, one.log_probs) for t, one in zip(texts, readings, strict=True)) for texts in each]
        text = each[int(np.argmax(likings))][0]
    if _joint(text, reading.log_probs) == -np.inf:
        return greedy(reading.log_probs)
    spans = align(reading.log_probs, text.symbols)
    return [
        Span(span.symbol, span.start, span.end, (1 - CTC_WEIGHT) * log + CTC_WEIGHT * span.log_probability)
        for span, log in zip(spans, text.log_probabilities, strict=False)  # its end has no span
    ]


def _without(lead: int, steps: int, span: Span) -> Span:
    """A span without the `lead` steps of silence before it, limited to the recording."""
    start = min(max(0, span.start - lead), steps - 1)
    return dataclasses.replace(span, start=start, end=min(max(start + 1, span.end - lead), steps))


def _joint(text: Hypothesis, log_probs: FloatArray) -> float:
    """The joint score of a text by decoder and CTC."""
    return (1 - CTC_WEIGHT) * sum(text.log_probabilities) + CTC_WEIGHT * score(log_probs, text.symbols)
