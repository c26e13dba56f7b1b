"""Speech, music or noise: what a recording holds, and the model that separates it where none is named.

At most ten passages of five seconds are heard, spread over the first five minutes; of a file whose length only decoding
can tell, they are the first fifty seconds. Each is classified by a small perceptron on the features of
`dsp.speech_music`, whose weights are in the package (`training/content.py` trains it), and the mean of the scores says
what the recording is. A voice in front of quiet music is speech, singing is music.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np
import safetensors.numpy

from unbraid.audio import ArrayLike, Excerpt, Reader, Source, as_audio, checked_rate, resample
from unbraid.dsp.arrays import FloatArray
from unbraid.dsp.downmix import Downmix
from unbraid.dsp.speech_music import LEAST_SAMPLES, SAMPLE_RATE, SILENT_POWER, passage_features
from unbraid.errors import UnbraidError
from unbraid.hub.defaults import DEFAULTS, MUSIC

Kind = Literal["speech", "music", "noise"]
KINDS: tuple[Kind, ...] = ("speech", "music", "noise")  # in the order of the network's outputs
WEIGHTS = Path(str(resources.files("unbraid") / "assets" / "content.safetensors"))
SURE = 0.7  # probability from which a recording is taken for what it seems

_PASSAGES, _PASSAGE_SECONDS, _HEARD_SECONDS = 10, 5.0, 300.0


@dataclass(frozen=True)
class Content:
    """What a recording holds."""

    kind: Kind | None  # None: it cannot be told
    probability: float = 0.0  # of the kind that is likeliest

    @property
    def model(self) -> str:
        """The name of the model that separates it."""
        return MUSIC if self.kind == "music" else DEFAULTS["separation"]

    def __str__(self) -> str:
        """What is heard and done, as a sentence."""
        other = DEFAULTS["separation"] if self.kind == "music" else MUSIC
        heard = f"sounds like {self.kind}" if self.kind else "is neither clearly speech nor music"
        aim = "for its voices" if self.kind == "music" else "for the stems of a song"
        return f"{heard}: separated with {self.model}; -m {other} {aim}"


def content_of(audio: ArrayLike, sample_rate: int) -> Content:
    """The content of an array (C, T).

    Raises:
        AudioError: it is not an array of real numbers (C, T), is empty, or holds NaN or infinity.
    """
    samples, rate = as_audio(audio), checked_rate(sample_rate)
    size = round(_PASSAGE_SECONDS * rate)
    return _classified((samples[:, size * k : size * (k + 1)] for k in _heard(samples.shape[1], size)), rate)


def content_of_file(source: Source, excerpt: Excerpt = Excerpt()) -> Content:
    """The content of an excerpt of a file, in constant memory; of one that cannot be read, nothing can be told."""
    try:
        with Reader(source, excerpt) as reader:
            return _classified(_passages(reader), reader.info.sample_rate)
    except (UnbraidError, OSError):
        return Content(None)  # who reads it next says why


def _passages(reader: Reader) -> Iterator[FloatArray]:
    """Passages (C, n) of a recording, which is read up to the last one."""
    size = round(_PASSAGE_SECONDS * reader.info.sample_rate)
    heard = _heard(_PASSAGES * size if reader.frames is None else reader.frames, size)
    blocks = islice(reader.blocks(size), heard[-1] + 1)
    return (block for number, block in enumerate(blocks) if number in heard)


def _heard(samples: int, size: int) -> list[int]:
    """The numbers of the passages of `size` that are heard of so many samples."""
    last = min(-(-samples // size), round(_HEARD_SECONDS / _PASSAGE_SECONDS)) - 1
    return sorted(set(np.linspace(0, last, _PASSAGES).round().astype(int).tolist()))


def _classified(passages: Iterator[FloatArray], sample_rate: int) -> Content:
    """The content of passages (C, n); silent ones do not count, nor do those shorter than a second."""
    scores = []
    for passage in passages:
        mono = np.concatenate([*Downmix(sample_rate).blocks(iter((passage,)))], axis=1)
        audio = resample(mono, sample_rate, SAMPLE_RATE)[0]
        if len(audio) >= LEAST_SAMPLES and np.mean(audio**2) > SILENT_POWER:
            scores.append(_log_probabilities(passage_features(audio)))
    if not scores:
        return Content(None)
    mean = np.exp(np.mean(scores, 0))
    probabilities = mean / mean.sum()
    likeliest = int(probabilities.argmax())
    probability = float(probabilities[likeliest])
    return Content(KINDS[likeliest] if probability >= SURE else None, probability)


def _log_probabilities(features: FloatArray) -> FloatArray:
    """Features (D,) -> log probabilities (K,) of the kinds."""
    weights = _weights()
    hidden = np.tanh(
        weights["hidden.weight"] @ ((features - weights["mean"]) / weights["scale"]) + weights["hidden.bias"]
    )
    scores = weights["output.weight"] @ hidden + weights["output.bias"]
    highest = scores.max()
    return scores - highest - np.log(np.exp(scores - highest).sum())


@cache
def _weights() -> dict[str, FloatArray]:
    return safetensors.numpy.load_file(WEIGHTS)
