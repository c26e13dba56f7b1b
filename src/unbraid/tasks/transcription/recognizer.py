"""A model that writes down what it hears in one window of audio: Wav2Vec2, HuBERT, or an audio Transformer.

The first two say what each step sounds like, and CTC makes a text of it. An audio Transformer has a decoder, which
writes the text symbol by symbol, and may have CTC on its encoder besides: then the decoder's best texts, and CTC's own,
are weighed by both (Watanabe et al., "Hybrid CTC/attention architecture for end-to-end speech recognition", 2017),

    log p(text) = (1 - w) log p_decoder(text) + w log p_ctc(text)

which rules out texts that skip or repeat what was said, and CTC says when each symbol is said.
"""

import dataclasses
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from unbraid.dsp.mel import mel_levels
from unbraid.errors import UsageError
from unbraid.hub.folder import open_model_folder
from unbraid.hub.names import entries, resolve
from unbraid.hub.spec import ModelSpec, read_spec
from unbraid.hub.vocabulary import Vocabulary
from unbraid.models.audio_transformer.config import (
    AudioTransformerConfig,
    PretrainedSide,
    SpectrogramSide,
    samples_in_step,
)
from unbraid.models.audio_transformer.padding import steps_in, whole_steps
from unbraid.models.family import FAMILIES
from unbraid.models.wav2vec2.config import Wav2Vec2Config
from unbraid.runtime import Executor, open_executor
from unbraid.tasks.decoding.ctc import FloatArray, Span, align, greedy, score
from unbraid.tasks.decoding.generator import Generator
from unbraid.tasks.decoding.search import Hypothesis, log_softmax
from unbraid.tasks.decoding.state import Array

CTC_WEIGHT = 0.7  # w
COARSE_SECONDS = 0.03  # steps at least as long are read twice: what lies between two of them is easily missed
LEAD_SECONDS = 0.4  # of silence around what is read: a word that begins with the recording is easily missed
Network = Executor | Generator


class CachedEncoder:
    """An encoder that is asked for the same two windows again and again: by the decoder, by CTC, for other texts."""

    def __init__(self, encoder: Executor):
        self.device, self.reason = encoder.device, encoder.reason
        self._encoder = encoder
        self._runs: deque[tuple[dict[str, Array], dict[str, Array]]] = deque(maxlen=2)  # given, found

    def run(self, inputs: dict[str, Array]) -> dict[str, Array]:
        """As the encoder, which runs when its inputs are others than the last two times."""
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
    """A window as an audio Transformer's encoder and decoder have read it."""

    item: FloatArray  # log-mel (N·stride, F) or samples (N·stride,)
    log_probs: FloatArray  # of CTC, (N, V)
    text: Hypothesis  # that both like best


class Recognizer:
    """A loaded model. Use it as often as you like; `close()` it, or use it in a `with` statement, to free memory."""

    def __init__(self, model: str | Path, *, device: str = "auto", threads: int | None = None):
        """Load a model by name or folder; see `runtime.open_executor` for `device` and `threads`.

        Raises:
            ModelError: there is no such model, or its folder is damaged.
            RuntimeUnavailable: the device is not there.
            UsageError: the model does not write down what it hears.
        """
        folder = resolve(model)
        spec = open_model_folder(folder)
        check_task(spec)
        graphs = ("model",) if spec.family == "wav2vec2" else ("encoder", "decoder")
        first, *others = (open_executor(spec, folder, graph=graph, device=device, threads=threads) for graph in graphs)
        self._start(Generator.over(CachedEncoder(first), others[0], spec) if others else first, spec)

    @classmethod
    def over(cls, network: Network, spec: ModelSpec) -> Self:
        """A recognizer over a network of one's own: a Generator for an audio Transformer, else an executor."""
        check_task(spec)
        recognizer = cls.__new__(cls)
        recognizer._start(network, spec)
        return recognizer

    def _start(self, network: Network, spec: ModelSpec) -> None:
        assert spec.vocabularies is not None
        assert isinstance(spec.geometry, AudioTransformerConfig | Wav2Vec2Config)
        self.spec, self._network, self._geometry = spec, network, spec.geometry
        self.vocabulary = Vocabulary(spec.vocabularies.target)
        if isinstance(spec.geometry, Wav2Vec2Config):
            self.step_samples = spec.geometry.stride
        else:
            self.step_samples = samples_in_step(spec.geometry.source, spec.mel)
        self.device: str = network.device
        self.device_reason: str = network.device_reason if isinstance(network, Generator) else network.reason

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the network."""
        self._network.close()

    @property
    def step_seconds(self) -> float:
        """How long a step is."""
        return self.step_samples / self.spec.sample_rate

    @property
    def has_decoder(self) -> bool:
        """Whether texts are written symbol by symbol (`read`), and not just read off the steps (`log_probs`)."""
        return isinstance(self._geometry, AudioTransformerConfig)

    @property
    def has_steps(self) -> bool:
        """Whether it says what each step sounds like, and so when a symbol is said."""
        return isinstance(self._geometry, Wav2Vec2Config) or self._geometry.ctc

    @property
    def hears_samples(self) -> bool:
        """Whether it reads waveforms, and not spectrograms."""
        return isinstance(self._geometry, Wav2Vec2Config) or not isinstance(self._geometry.source, SpectrogramSide)

    def steps(self, samples: int) -> int:
        """How many steps there are in so many samples."""
        if isinstance(self._geometry, Wav2Vec2Config):
            return steps_in(PretrainedSide(self._geometry), samples)
        hop = self.spec.mel.hop_samples if self.spec.mel else 1
        return steps_in(self._geometry.source, -(-samples // hop))

    def log_probs(self, audio: FloatArray) -> FloatArray:
        """What each step of a waveform (T,) at the model's rate says, by CTC: log probabilities (N, V)."""
        if isinstance(self._network, Generator):
            return self._network.ctc(self._item(audio))
        assert isinstance(self._geometry, Wav2Vec2Config)
        padded = np.pad(audio, (0, max(0, self._geometry.receptive_field - len(audio))))
        waveform = np.ascontiguousarray(padded[None], np.float32)  # (1, T)
        return log_softmax(self._network.run({"waveform": waveform})["logits"][0])

    def read(self, audio: FloatArray, beams: int) -> list[Span]:
        """The decoder's best text for a waveform (T,) at the model's rate, weighed with CTC where the model has it.

        It is read with some silence around it, which is not in the times. Without CTC nobody knows when a symbol is
        said: each spans all steps. With it, what has coarse steps is read once more from half a step later, and where
        the texts differ, both readings say which is better.
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
        """A waveform (T,) as the encoder reads it: samples or log-mel (N·stride, F)."""
        assert isinstance(self._geometry, AudioTransformerConfig)
        heard = np.asarray(audio, np.float32)
        if not self.hears_samples:
            assert self.spec.mel is not None
            heard = mel_levels(heard, self.spec.mel, self.spec.sample_rate, without_noise=True)
        return whole_steps(heard, self._geometry.source)


def _read(network: Generator, item: FloatArray, beams: int, most_symbols: int) -> Reading:
    """The decoder writes some texts, CTC one more."""
    (texts,) = network.generate([item], beams=beams, most_symbols=most_symbols)
    log_probs = network.ctc(item)
    heard = tuple(span.symbol for span in greedy(log_probs))
    if all(heard != text.symbols for text in texts):
        texts = [*texts, network.score(item, heard)]
    return Reading(item, log_probs, max(texts, key=lambda text: _joint(text, log_probs)))


def _agreed(network: Generator, readings: list[Reading]) -> list[Span]:
    """The text that all readings together like best, with the first one's times; CTC's own if none fits its steps."""
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
    """A span of what had so many steps before it; what is heard there begins or ends with the recording."""
    start = min(max(0, span.start - lead), steps - 1)
    return dataclasses.replace(span, start=start, end=min(max(start + 1, span.end - lead), steps))


def _joint(text: Hypothesis, log_probs: FloatArray) -> float:
    """What decoder and CTC think of a text."""
    return (1 - CTC_WEIGHT) * sum(text.log_probabilities) + CTC_WEIGHT * score(log_probs, text.symbols)


def find_reader(spec: ModelSpec) -> Path | None:
    """A model on this machine that reads spectrograms and writes with the symbols of this one."""
    for entry in entries():
        if entry.folder is None or entry.family != "audio_transformer":
            continue
        other = read_spec(entry.folder)
        assert isinstance(other.geometry, AudioTransformerConfig)
        reads = isinstance(other.geometry.source, SpectrogramSide)
        if reads and other.vocabularies and spec.vocabularies and other.vocabularies.target == spec.vocabularies.target:
            return entry.folder
    return None


def check_task(spec: ModelSpec) -> None:
    """Refuse a model that does not write down what it hears.

    Raises:
        UsageError: saying what it does instead.
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
