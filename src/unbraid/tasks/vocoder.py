"""Vocoders: log-mel spectrograms to waveforms, of any length in constant memory.

    with open_vocoder("microsoft/speecht5_hifigan") as vocoder:
        audio = vocoder(levels)                     # (N, F) -> (N·hop,) at vocoder.spec.sample_rate

A vocoder is a frame-aligned audio Transformer (`audio_to_audio`) or a HiFi-GAN. A HiFi-GAN is made of convolutions
alone, so its windows with enough frames on either side give the same samples as one pass. It reads the spectrogram of
its training, or levels of `dsp.mel` in frames of the same size, which are converted.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Self

import numpy as np

from unbraid.dsp.arrays import FloatArray
from unbraid.dsp.framing import Mel
from unbraid.dsp.log_mel import FORMS, from_levels
from unbraid.errors import AudioError, UsageError
from unbraid.hub.spec import ModelSpec
from unbraid.models.hifigan.config import HifiganConfig
from unbraid.runtime import Engine, Executor
from unbraid.tasks.audio_to_audio import AudioToAudio
from unbraid.tasks.loading import Loaded, LoadedModel, check_task, find_model, load

WINDOW_FRAMES = 256  # without those around it


class HifiganVocoder(LoadedModel):
    """A loaded HiFi-GAN; use it as often as you like. `close()`, or a `with` statement, frees its memory."""

    def __init__(
        self, model: str | Path | Loaded, *, reads: Mel | None = None, device: str = "auto", threads: int | None = None
    ):
        """Load a model by name or folder; `reads` is the spectrogram to read if it is not the model's own.

        Raises:
            ModelError: there is no such model, or its folder is damaged.
            RuntimeUnavailable: the device is not there.
            UsageError: the model is no HiFi-GAN, or `reads` is a spectrogram that it cannot read.
        """
        spec, (self._executor,) = load(model, _sizes, Engine(device, threads=threads))
        super().__init__(spec, self._executor)
        assert spec.mel is not None
        self._sizes, self._mel, self.reads = _sizes(spec), spec.mel, reads or spec.mel
        if not can_read(spec, self.reads, spec.sample_rate):
            self.close()
            raise UsageError(f"{spec.name} reads {mel_words(spec.mel, spec.sample_rate)}, and no other spectrogram.")

    @classmethod
    def over(cls, executor: Executor, spec: ModelSpec, reads: Mel | None = None) -> Self:
        """A vocoder over an executor of one's own: another engine, or a fake in a test."""
        return cls(Loaded(spec, (executor,)), reads=reads)

    def __call__(self, levels: FloatArray) -> FloatArray:
        """A spectrogram (N, F) as a waveform (N·hop,).

        Raises:
            AudioError: it is of another shape, empty, or holds NaN or infinity.
        """
        return np.concatenate(list(self.blocks([np.asarray(levels)])))

    def blocks(self, blocks: Iterable[FloatArray]) -> Iterator[FloatArray]:
        """The same block by block, (n, F) in and (m,) out, in constant memory.

        Raises:
            AudioError: a block is of another shape, there are no frames, or they hold NaN or infinity.
        """
        around = self._sizes.context_frames
        window = max(WINDOW_FRAMES, around)
        held, before, is_first = np.zeros((0, self._sizes.bins), np.float32), 0, True
        for block in blocks:
            held = np.concatenate((held, self._levels(block)))
            while len(held) >= before + window + 2 * around:
                end = before + window
                yield self._run(held[: end + around], before, end, is_first=is_first)
                kept = min(around, end)
                held, before, is_first = held[end - kept :], kept, False
        if not len(held):
            raise AudioError("There are no frames in this spectrogram; give at least one.")
        yield self._run(held, before, len(held), is_first=is_first, is_last=True)

    def _run(self, levels: FloatArray, start: int, end: int, *, is_first: bool, is_last: bool = False) -> FloatArray:
        """The samples of the frames from `start` to `end` of a window (n, F), which may be at an end of the whole."""
        before = self._sizes.edge_frames * is_first
        after = max(self._sizes.edge_frames * is_last, self._sizes.least_frames - before - len(levels))
        padded = np.pad(levels, ((before, after), (0, 0)), mode="edge")
        (made,) = self._executor.run({"log_mel": padded[None]}).values()  # (1, T)
        hop = self._sizes.hop_samples
        return made[0, (before + start) * hop : (before + end) * hop]

    def _levels(self, block: FloatArray) -> FloatArray:
        """A block of levels in the form that the network reads."""
        if block.ndim != 2 or block.shape[1] != self.reads.bins or block.dtype.kind != "f":
            raise AudioError(
                f"{self.spec.name} reads floating-point arrays (frames, {self.reads.bins}), got {block.dtype} "
                f"{block.shape}."
            )
        if not np.isfinite(block).all():
            raise AudioError("What is to be converted holds NaN or infinity; repair it first.")
        if self.reads.form == self._mel.form:
            return block.astype(np.float32)
        return from_levels(block, self.reads, self._mel, self.spec.sample_rate)


Vocoder = AudioToAudio | HifiganVocoder


def open_vocoder(
    model: str | Path, voice: ModelSpec | None = None, *, device: str = "auto", threads: int | None = None
) -> Vocoder:
    """Load a vocoder by name or folder, for the spectrograms of a voice if one is given.

    Raises:
        ModelError: there is no such model, or its folder is damaged.
        RuntimeUnavailable: the device is not there.
        UsageError: the model is no vocoder, or the voice has other spectrograms.
    """
    spec = find_model(model, lambda spec: check_vocoder(spec, voice)).spec
    if isinstance(spec.geometry, HifiganConfig):
        return HifiganVocoder(model, reads=voice.mel if voice else None, device=device, threads=threads)
    return AudioToAudio(model, device=device, threads=threads)


def vocoder_for(
    voice: ModelSpec, vocoder: str | Path | Vocoder, *, device: str = "auto", threads: int | None = None
) -> Vocoder:
    """The vocoder of a voice: loaded by name or folder, or one that is loaded already.

    Raises:
        ModelError: there is no such model, or its folder is damaged.
        RuntimeUnavailable: the device is not there.
        UsageError: the model is no vocoder, or the voice has other spectrograms.
    """
    if not isinstance(vocoder, LoadedModel):
        return open_vocoder(vocoder, voice, device=device, threads=threads)
    check_vocoder(vocoder.spec, voice)
    return vocoder


def check_vocoder(spec: ModelSpec, voice: ModelSpec | None) -> None:
    """Refuse a model that is not a vocoder for the spectrograms of a voice.

    Raises:
        UsageError: it does another task, or takes other spectrograms.
    """
    check_task(spec, "vocoder")
    if voice is not None and not (voice.mel and can_read(spec, voice.mel, voice.sample_rate)):
        raise UsageError(
            f"{spec.name} reads {mel_words(spec.mel, spec.sample_rate)}, but {voice.name} writes "
            f"{mel_words(voice.mel, voice.sample_rate)}; take a vocoder for the same spectrogram."
        )


def can_read(spec: ModelSpec, mel: Mel, sample_rate: int) -> bool:
    """Whether a vocoder reads such a spectrogram: its own, or for a HiFi-GAN levels in frames of the same size."""
    own = spec.mel
    if (own, spec.sample_rate) == (mel, sample_rate):
        return True
    if own is None or not isinstance(spec.geometry, HifiganConfig) or mel.form != "level" or mel.normalized:
        return False
    frames = (mel.frame_samples, mel.hop_samples, sample_rate)
    return frames == (own.frame_samples, own.hop_samples, spec.sample_rate)


def mel_words(mel: Mel | None, sample_rate: int) -> str:
    """A spectrogram, for people."""
    if mel is None:
        return "no spectrogram"
    levels = "decibels"
    if form := FORMS.get(mel.form):
        levels = f"{form.base}, {form.lowest_hz:g} to {form.highest_hz:g} Hz"
    sizes = f"{mel.bins} bands of {mel.frame_samples} samples every {mel.hop_samples} at {sample_rate} Hz"
    return f"{sizes} ({levels})"


def _sizes(spec: ModelSpec) -> HifiganConfig:
    check_task(spec, "vocoder")
    if not isinstance(spec.geometry, HifiganConfig):
        raise UsageError(f"{spec.name} is of the family {spec.family}, not hifigan; choose another model.")
    return spec.geometry
