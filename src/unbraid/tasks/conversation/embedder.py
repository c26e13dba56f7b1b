"""SpeakerEmbedder: a stretch of speech as a vector that tells its speaker from others.

    embedder = SpeakerEmbedder("voice")
    anna = embedder(audio, sample_rate)             # (C, T) -> (D,), of length 1
    anna @ embedder.of_file("somebody.wav")         # cosine: near 1 for the same speaker

Channels are mixed with regard to their phases (`dsp/downmix.py`), DC offset and rumble are removed, and the audio is
resampled to the model's rate. Longer audio is cut into windows; its embedding is the mean of theirs, each weighted by
its amplitude, so that pauses count for little, and brought to length 1. Silent windows are left out.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Self, TypeVar

import numpy as np

from unbraid.audio import ArrayLike, Excerpt, Reader, Source, as_audio, checked_rate, numbers_of
from unbraid.dsp.arrays import FloatArray
from unbraid.dsp.downmix import Downmix
from unbraid.dsp.filterbank import centred_levels
from unbraid.dsp.overlap import windows
from unbraid.dsp.rumble import without_rumble
from unbraid.errors import AudioError
from unbraid.hub.defaults import DEFAULTS
from unbraid.hub.spec import ModelSpec
from unbraid.models.speaker_config import SpeakerConfig
from unbraid.runtime import Engine, Executor
from unbraid.tasks.loading import Loaded, LoadedModel, check_task, load
from unbraid.tasks.separation.stream import Track, resampled

LEAST_SECONDS = 0.4  # of speech; less tells too little
SILENT_RMS = 1e-4  # of a window: -80 dBFS
BATCH = 4  # windows that the network sees at once; more take memory, not less time
T = TypeVar("T")


class SpeakerEmbedder(LoadedModel):
    """A loaded model; use it as often as you like. `close()`, or a `with` statement, frees its memory."""

    def __init__(
        self,
        model: str | Path | Loaded = DEFAULTS["speaker embedding"],
        *,
        device: str = "auto",
        threads: int | None = None,
    ):
        """Load a model by name or folder; see `runtime.open_executor` for `device` and `threads`.

        Raises:
            ModelError: there is no such model, or its folder is damaged.
            RuntimeUnavailable: the device is not there.
            UsageError: the model is not one of speaker embeddings.
        """
        engine = Engine(device, threads=threads)
        spec, (self._executor,) = load(model, lambda spec: check_task(spec, "speaker embedding"), engine)
        super().__init__(spec, self._executor)
        config = spec.geometry
        assert isinstance(config, SpeakerConfig) and spec.windows is not None and spec.mel is not None
        self._mel, self._filterbank = spec.mel, config.filterbank
        self.features = config.features  # D
        rate, least_network = (
            spec.sample_rate,
            spec.mel.frame_samples + (config.least_frames - 1) * spec.mel.hop_samples,
        )
        self.least_samples = max(math.ceil(LEAST_SECONDS * rate), least_network)  # at the model's rate
        self._window = max(self.least_samples, round(spec.windows.seconds * rate))
        self._overlap = min(round(spec.windows.overlap_seconds * rate), self._window - 1)

    @classmethod
    def over(cls, executor: Executor, spec: ModelSpec) -> Self:
        """An embedder over an executor of one's own: another engine, or a fake in a test."""
        return cls(Loaded(spec, (executor,)))

    def __call__(self, audio: ArrayLike, sample_rate: int) -> FloatArray:
        """The embedding (D,) of the speaker of audio (C, T), of length 1.

        Raises:
            AudioError: it is not an array of real numbers (C, T), holds NaN or infinity, is silent, or is shorter than
                0.4 s.
        """
        return self._of_track(Track.of(as_audio(audio), checked_rate(sample_rate)), "The audio")

    def of_file(self, source: Source, excerpt: Excerpt = Excerpt()) -> FloatArray:
        """The embedding (D,) of the speaker of a file, or of an excerpt of it, in constant memory.

        Raises:
            AudioError: the file cannot be read, is silent, or is shorter than 0.4 s.
        """
        with Reader(source, excerpt) as reader:
            name = str(source) if isinstance(source, str | Path) else "The recording"
            return self._of_track(Track.through(reader), name)

    def embed(self, pieces: Sequence[FloatArray]) -> FloatArray:
        """The embeddings (P, D) of pieces (T,) of speech at the model's rate, each of length 1.

        A piece is as long as you like, `least_samples` or more. Windows of equal length are run in batches.

        Raises:
            AudioError: a piece is of another shape, shorter than `least_samples`, silent, or holds NaN or infinity.
        """
        sums = np.zeros((len(pieces), self.features), np.float32)
        cut = [(k, window) for k, piece in enumerate(pieces) for window in self._windows(piece, k)]
        for batch in _of_equal_length(cut):
            weighted = self._weighted([window for _, window in batch])
            np.add.at(sums, [k for k, _ in batch], weighted)
        if silent := [k for k in range(len(pieces)) if not sums[k].any()]:
            raise AudioError(f"Piece {silent[0]} is silent, so nobody can be told; leave it out.")
        return _unit(sums)

    def _of_track(self, track: Track, name: str) -> FloatArray:
        """The embedding (D,) of a track; `name` is what errors call it."""
        mono = Downmix(track.sample_rate).blocks(track.blocks())
        clean = without_rumble(mono, track.sample_rate)
        blocks = resampled(clean, track.sample_rate, self.spec.sample_rate)
        total, samples = np.zeros(self.features, np.float32), 0
        cut = windows((block for block in blocks if block.shape[-1]), self._window, self._overlap)
        for batch in batches(cut):
            samples += sum(new for _, new in batch)
            for alike in _of_equal_length((0, window[0]) for window, _ in batch if self._is_enough(window)):
                total += self._weighted([window for _, window in alike]).sum(0)
        if samples < self.least_samples:
            seconds = samples / self.spec.sample_rate
            raise AudioError(
                f"{name} is {seconds:.2f} s long; a voice is told by {LEAST_SECONDS} s of speech or more, best by "
                "several seconds."
            )
        if not total.any():
            raise AudioError(f"{name} is silent, so nobody can be told; give a recording of speech.")
        return _unit(total)

    def _is_enough(self, window: FloatArray) -> bool:
        return window.shape[-1] >= self.least_samples

    def _windows(self, piece: FloatArray, number: int) -> Iterator[FloatArray]:
        """The windows (n,) of a piece (T,)."""
        found = numbers_of(piece, f"Piece {number}")
        if found.ndim != 1:
            raise AudioError(f"Piece {number} must be samples (T,), got shape {found.shape}.")
        if len(found) < self.least_samples:
            raise AudioError(
                f"Piece {number} has {len(found)} samples; {self.spec.name} needs {self.least_samples} or more."
            )
        return (window[0] for window, _ in windows(iter([as_audio(found[None])]), self._window, self._overlap))

    def _weighted(self, batch: list[FloatArray]) -> FloatArray:
        """The embeddings (B, D) of windows (n,) of one length, as long as their RMS; zeros for silent ones."""
        audio = np.stack(batch)  # (B, n)
        rms = np.sqrt(np.square(audio, dtype=np.float64).mean(-1, keepdims=True)).astype(np.float32)  # (B, 1)
        levels = centred_levels(audio, self._mel, self.spec.sample_rate, self._filterbank)  # (B, N, F)
        found = self._executor.run({"levels": np.ascontiguousarray(levels)})["embedding"]  # (B, D)
        return _unit(found) * np.where(rms > SILENT_RMS, rms, 0)


def _of_equal_length(cut: Iterable[tuple[int, FloatArray]]) -> Iterator[list[tuple[int, FloatArray]]]:
    """Windows (n,), each with its number, in batches of one length."""
    lengths: dict[int, list[tuple[int, FloatArray]]] = {}
    for number, window in cut:
        lengths.setdefault(len(window), []).append((number, window))
    for alike in lengths.values():
        yield from batches(alike)


def batches(items: Iterable[T], size: int = BATCH) -> Iterator[list[T]]:
    """Items in lists of that size; the last one may be shorter."""
    waiting = iter(items)
    return iter(lambda: list(islice(waiting, size)), [])


def _unit(vectors: FloatArray) -> FloatArray:
    """Vectors (…, D) brought to length 1."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
