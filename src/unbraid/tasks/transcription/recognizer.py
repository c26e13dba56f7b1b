"""Speech recognition on one window of audio: Wav2Vec2, HuBERT, or an audio Transformer.

The first two are decoded by CTC. An audio Transformer has an autoregressive decoder, and may have CTC on its encoder as
well: then the decoder's best texts, and CTC's, are scored by both (Watanabe et al., "Hybrid CTC/attention architecture
for end-to-end speech recognition", 2017),

    log p(text) = (1 - w) log p_decoder(text) + w log p_ctc(text)

which rules out texts with omissions or repetitions, and CTC aligns symbols with steps.
"""

import dataclasses
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from unbraid.dsp.mel import mel_levels
from unbraid.errors import UsageError
from unbraid.hub.names import entries
from unbraid.hub.spec import ModelSpec, read_spec
from unbraid.hub.vocabulary import Vocabulary
from unbraid.models.audio_transformer.config import (
    PretrainedSide,
    Side,
    SpectrogramSide,
    as_audio_transformer,
    samples_in_step,
)
from unbraid.models.audio_transformer.padding import steps_in, whole_steps
from unbraid.models.family import FAMILIES
from unbraid.models.wav2vec2.config import Wav2Vec2Config
from unbraid.runtime import Executor
from unbraid.tasks.decoding.ctc import FloatArray, Span, align, greedy, score
from unbraid.tasks.decoding.generator import Generator
from unbraid.tasks.decoding.search import Hypothesis, log_softmax
from unbraid.tasks.decoding.state import Array
from unbraid.tasks.loading import Loaded, LoadedModel, load

CTC_WEIGHT = 0.7  # w
COARSE_SECONDS = 0.03  # steps from this length on are read twice: sounds between two of them are easily missed
LEAD_SECONDS = 0.4  # of silence around a window: a word right at its start is easily missed
Network = Executor | Generator


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


class Recognizer(LoadedModel):
    """A loaded model; use it as often as you like. `close()`, or a `with` statement, frees its memory."""

    def __init__(self, model: str | Path | Loaded | Generator, *, device: str = "auto", threads: int | None = None):
        """Load a model by name or folder; see `runtime.open_executor` for `device` and `threads`.

        Raises:
            ModelError: there is no such model, or its folder is damaged.
            RuntimeUnavailable: the device is not there.
            UsageError: the model is not a speech recogniser.
        """
        self._network: Network
        if isinstance(model, Generator):
            check_task(model.spec)
            spec, self._network = model.spec, model
        else:
            spec, executors = load(model, check_task, device=device, threads=threads)
            self._network = _joined(spec, *executors)
        super().__init__(spec, self._network)
        assert spec.vocabularies is not None
        self.vocabulary = Vocabulary(spec.vocabularies.target)
        if isinstance(spec.geometry, Wav2Vec2Config):  # it reads as one in front of an audio Transformer does
            self._source: Side = PretrainedSide(spec.geometry)
        else:
            self._source = as_audio_transformer(spec.geometry).source
        self.step_samples = samples_in_step(self._source, spec.mel)

    @classmethod
    def over(cls, network: Network, spec: ModelSpec) -> Self:
        """A recognizer over a network of one's own: a Generator for an audio Transformer, else an executor."""
        return cls(network if isinstance(network, Generator) else Loaded(spec, (network,)))

    @property
    def step_seconds(self) -> float:
        """The duration of a step."""
        return self.step_samples / self.spec.sample_rate

    @property
    def has_decoder(self) -> bool:
        """Whether texts are decoded autoregressively (`read`), and not only by CTC (`log_probs`)."""
        return "decoder" in self.spec.geometry.graphs

    @property
    def has_steps(self) -> bool:
        """Whether there is CTC, and so the times of symbols."""
        return not self.has_decoder or as_audio_transformer(self.spec.geometry).ctc

    @property
    def hears_samples(self) -> bool:
        """Whether its input is a waveform, not a spectrogram."""
        return not isinstance(self._source, SpectrogramSide)

    def steps(self, samples: int) -> int:
        """The number of steps in so many samples."""
        hop = self.spec.mel.hop_samples if self.spec.mel else 1
        return steps_in(self._source, -(-samples // hop))

    def log_probs(self, audio: FloatArray) -> FloatArray:
        """CTC's log probabilities (N, V) of a waveform (T,) at the model's rate."""
        if isinstance(self._network, Generator):
            return self._network.ctc(self._item(audio))
        padded = np.pad(audio, (0, max(0, self.spec.geometry.least_samples - len(audio))))
        waveform = np.ascontiguousarray(padded[None], np.float32)  # (1, T)
        return log_softmax(self._network.run({"waveform": waveform})["logits"][0])

    def read(self, audio: FloatArray, beams: int) -> list[Span]:
        """The best text for a waveform (T,) at the model's rate, by the decoder, and by CTC where the model has it.

        Silence is added around it, which is not in the times. Without CTC the times of symbols are unknown: each spans
        all steps. With CTC and coarse steps the window is read once more from half a step later; where the texts
        differ, the one with the better score over both readings is taken.
        """
        assert isinstance(self._network, Generator)
        steps, lead = self.steps(len(audio)), max(1, round(LEAD_SECONDS / self.step_seconds))
        padded, most = np.pad(audio, lead * self.step_samples), max(1, steps)
        if not self.has_steps:
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


def _joined(spec: ModelSpec, first: Executor, decoder: Executor | None = None) -> Network:
    """A model's only graph, or its encoder and decoder as a generator."""
    return first if decoder is None else Generator.over(CachedEncoder(first), decoder, spec)


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


def find_reader(spec: ModelSpec) -> Path | None:
    """A model on this machine that reads spectrograms and has the same target vocabulary."""
    for entry in entries():
        if entry.folder is None or entry.family != "audio_transformer":
            continue
        other = read_spec(entry.folder)
        reads = other.geometry.reads == "spectrogram"
        if reads and other.vocabularies and spec.vocabularies and other.vocabularies.target == spec.vocabularies.target:
            return entry.folder
    return None


def check_task(spec: ModelSpec) -> None:
    """Refuse a model that is not a speech recogniser.

    Raises:
        UsageError: it does another task, which the message names.
    """
    if spec.task == "transcription":
        return
    if spec.geometry.writes == "stems":
        what = "voices" if FAMILIES[spec.family].front == "waveform" else "songs"
        does = f"pulls {what} apart, and writes no text"
    elif spec.task in ("phonemes", "acoustic model"):
        does = "reads text, and hears nothing"
    else:
        does = "makes audio of audio, and writes no text"
    raise UsageError(f"{spec.name} {does}; choose a model that transcribes, as `unbraid models` tells.")
