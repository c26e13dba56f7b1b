"""Runs a frame-aligned model (denoiser, vocoder) over audio of any length in constant memory.

    vocoder = AudioToAudio("vocoder")
    audio = vocoder(log_mel)                        # (N, F) as in `dsp.mel` -> (T,) at vocoder.spec.sample_rate

Such a model is an audio Transformer without a decoder. Its input and its output are each a waveform (T,) at the model's
rate or a log-mel spectrogram (N, F). The network sees windows of whole steps; the outputs of neighbouring windows are
cross-faded where they overlap.

A vocoder's network gets the pitch right, but its phases are slightly off, and rough. They are the starting point of
Griffin & Lim's algorithm (see dsp/griffin_lim.py) with the given magnitudes, which then converges in a few iterations
to a result that it does not reach in many from random phases.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import numpy as np

from unbraid.audio import ArrayLike, numbers_of
from unbraid.dsp.arrays import Blocks, FloatArray
from unbraid.dsp.griffin_lim import MOMENTUM, griffin_lim
from unbraid.dsp.overlap import Joiner, windows
from unbraid.dsp.rumble import without_rumble
from unbraid.errors import AudioError
from unbraid.hub.spec import ModelSpec
from unbraid.models.audio_transformer.config import (
    AudioTransformerConfig,
    SpectrogramSide,
    WaveSide,
    samples_in_step,
    source_name,
)
from unbraid.runtime import Engine, Executor
from unbraid.tasks.loading import Loaded, LoadedModel, load, transformer_sizes

SILENT_LEVEL = -1.0  # of a log-mel spectrogram
BLOCK_STEPS = 256
ROUNDS = 16  # iterations of Griffin & Lim's algorithm after a vocoder's network


class AudioToAudio(LoadedModel):
    """A loaded model; use it as often as you like. `close()`, or a `with` statement, frees its memory."""

    def __init__(
        self, model: str | Path | Loaded, *, device: str = "auto", threads: int | None = None, rounds: int = ROUNDS
    ):
        """Load a model by name or folder; after a vocoder's network come `rounds` of Griffin & Lim's algorithm.

        Raises:
            ModelError: there is no such model, or its folder is damaged.
            RuntimeUnavailable: the device is not there.
            UsageError: the model is not a frame-aligned audio model.
        """
        spec, (self._executor,) = load(model, _sizes, Engine(device, threads=threads))
        super().__init__(spec, self._executor)
        assert spec.windows is not None
        geometry = _sizes(spec)
        source, target = geometry.source, geometry.target
        assert isinstance(source, SpectrogramSide | WaveSide) and isinstance(target, SpectrogramSide | WaveSide)
        self._source, self._target, self._rounds = source, target, rounds
        rate, step = spec.sample_rate, samples_in_step(self._source, spec.mel)
        self._window_steps = max(2, round(spec.windows.seconds * rate / step))
        overlap = min(round(spec.windows.overlap_seconds * rate / step), self._window_steps // 2)
        hop, cycle = self._window_steps - overlap, cycle_steps(geometry)
        self._hop_steps = max(cycle, hop // cycle * cycle) if cycle <= self._window_steps else hop
        self._fills_windows = cycle > 1

    @classmethod
    def over(cls, executor: Executor, spec: ModelSpec, rounds: int = ROUNDS) -> Self:
        """A model over an executor of one's own: another engine, or a fake in a test."""
        return cls(Loaded(spec, (executor,)), rounds=rounds)

    def __call__(self, sound: ArrayLike) -> FloatArray:
        """Convert a waveform (T,) or log-mel spectrogram (N, F) into the model's output, one or the other.

        Frames belong to samples as in `dsp.mel`, so (T,) becomes ⌈T / hop⌉ frames and N frames N·hop samples.

        Raises:
            AudioError: it is of another shape, empty, or holds NaN or infinity.
        """
        sound = self._checked(sound)
        block = BLOCK_STEPS * self._source.stride
        pieces = list(self.blocks(sound[i : i + block] for i in range(0, len(sound), block)))
        return np.concatenate(pieces)

    def blocks(self, blocks: Iterator[FloatArray]) -> Blocks:
        """The same block by block, (n,) or (n, F) in and out, in constant memory."""
        source, target = self._source.stride, self._target.stride  # samples or frames in a step
        overlap = self._window_steps - self._hop_steps
        whole = (self._window_steps, self._hop_steps) if self._fills_windows else None
        if isinstance(self._source, WaveSide):
            clean = without_rumble((block[None] for block in blocks), self.spec.sample_rate)
            blocks = (block[0] for block in clean)
        joiner, padded, given = Joiner(overlap * target), _PaddedInput(blocks, self._source, whole), 0
        for window, new in windows(padded.steps(), self._window_steps * source, overlap * source):
            made = joiner.add(self._run(window), new // source * target)
            made = made[..., : self._length(padded.count) - given]  # without the padding of the last step
            given += made.shape[-1]
            if made.shape[-1]:
                yield self._out(made)
        if (rest := joiner.finish()) is not None and self._length(padded.count) > given:
            yield self._out(rest[..., : self._length(padded.count) - given])

    def _length(self, count: int) -> int:
        """The number of output samples or frames for so many of the input."""
        hop = self.spec.mel.hop_samples if self.spec.mel else 1
        samples = count if isinstance(self._source, WaveSide) else count * hop
        return samples if isinstance(self._target, WaveSide) else -(-samples // hop)

    def _run(self, window: FloatArray) -> FloatArray:
        """The network's output for a window: (1, n) of a waveform, or (F, n) of a spectrogram."""
        is_wave = isinstance(self._source, WaveSide)
        item = window if is_wave else window.T[None]
        lengths = np.array([window.shape[-1] // self._source.stride], np.int64)
        inputs: dict[str, np.ndarray] = {source_name(self._source): np.ascontiguousarray(item), "lengths": lengths}
        (made,) = self._executor.run(inputs).values()
        if isinstance(self._target, WaveSide):
            return made if is_wave else self._smoothed(made, window)
        return made[0].T

    def _smoothed(self, waveform: FloatArray, log_mel: FloatArray) -> FloatArray:
        """A vocoder's waveform (1, T) with the magnitudes of its input, the spectrogram (F, N)."""
        if self.spec.mel is None or not self._rounds:
            return waveform
        settings = self.spec.mel, self.spec.sample_rate, self._rounds
        return griffin_lim(log_mel.T, *settings, momentum=MOMENTUM, start=waveform[0])[None]

    def _out(self, made: FloatArray) -> FloatArray:
        return made[0] if isinstance(self._target, WaveSide) else np.maximum(made.T, SILENT_LEVEL)

    def _checked(self, sound: ArrayLike) -> FloatArray:
        side = self._source
        sound = numbers_of(sound, "Audio") if isinstance(side, WaveSide) else np.asarray(sound)
        shape = "(samples,)" if isinstance(side, WaveSide) else f"(frames, {side.bins})"
        fits = sound.ndim == 1 if isinstance(side, WaveSide) else sound.ndim == 2 and sound.shape[1] == side.bins
        if not fits or sound.dtype.kind != "f" or not len(sound):
            raise AudioError(f"{self.spec.name} reads floating-point arrays {shape}, got {sound.dtype} {sound.shape}.")
        if not np.isfinite(sound).all():
            raise AudioError("What is to be converted holds NaN or infinity; repair it first.")
        return np.asarray(sound, np.float32)


class _PaddedInput:
    """Blocks (n,) or (n, F) as (1, n) or (F, n), padded to a whole number of steps, and their length without padding.

    With `whole`, a window's length and hop in steps, audio longer than one window is padded to whole windows.
    """

    def __init__(
        self, blocks: Iterator[FloatArray], side: SpectrogramSide | WaveSide, whole: tuple[int, int] | None = None
    ):
        self._blocks, self._stride, self._whole = blocks, side.stride, whole
        self._rows, self._silent = (1, 0.0) if isinstance(side, WaveSide) else (side.bins, SILENT_LEVEL)
        self.count = 0  # samples or frames so far

    def steps(self) -> Blocks:
        """The blocks, and the padding."""
        for block in self._blocks:
            self.count += len(block)
            yield block.reshape(len(block), self._rows).T
        missing = -self.count % self._stride
        if self._whole:
            window, hop = (steps * self._stride for steps in self._whole)
            missing += -(self.count + missing - window) % hop if self.count > window else 0
        if missing:
            yield np.full((self._rows, missing), self._silent, np.float32)


class EnhancerExecutor:
    """Runs a network from waveform to waveform as a separation network with one source: (B, T) -> (B, 1, T)."""

    def __init__(self, executor: Executor, stride: int):
        self.device, self.reason = executor.device, executor.reason
        self._executor, self._stride = executor, stride

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """`mixture` (B, T) -> `sources` (B, 1, T)."""
        mixture = inputs["mixture"]
        samples = mixture.shape[1]
        waveform = np.pad(mixture, ((0, 0), (0, -samples % self._stride)))
        lengths = np.full(len(waveform), waveform.shape[1] // self._stride, np.int64)
        made = self._executor.run({"waveform": waveform, "lengths": lengths})["waveform_out"]
        return {"sources": made[:, None, :samples]}

    def close(self) -> None:
        """Free the network."""
        self._executor.close()


def _sizes(spec: ModelSpec) -> AudioTransformerConfig:
    return transformer_sizes(spec, "waveform", "spectrogram", is_aligned=True)


def cycle_steps(geometry: AudioTransformerConfig) -> int:
    """The period, in steps, of the sinusoids in a vocoder's output layer (`wave_ends`); 1 for all other models.

    Windows that begin a multiple of it apart agree on their phases.
    """
    side = geometry.target
    if not isinstance(side, WaveSide) or geometry.alters:
        return 1
    period = 2 * max(1, side.filters - 1)  # in samples
    return period // math.gcd(period, side.stride)
