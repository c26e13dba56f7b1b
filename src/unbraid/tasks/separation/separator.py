"""Separator: a model, loaded once, that pulls any audio apart, whole or block by block.

    stems = Separator("music-4")(audio, sample_rate)               # {"vocals": (C, T), …}
    for block in Separator("music-4").blocks("eight_hours.flac"):  # the same in constant memory
        ...

One stream, whatever the model: read a block, bring it to the model's rate, run the family's front end, bring the
stems back to the input's rate and length, share out what they leave over of the mixture (DESIGN: output contract).
"""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, Self

import numpy as np

from unbraid.audio import ArrayLike, Reader, ReadOptions, Source, TrackChoice, as_audio, checked_rate
from unbraid.dsp import Blocks, FloatArray
from unbraid.dsp.mixture_consistency import shared
from unbraid.hub.folder import open_model_folder
from unbraid.hub.names import resolve
from unbraid.hub.spec import ModelSpec
from unbraid.models.audio_transformer.config import AudioTransformerConfig
from unbraid.models.unet.config import UNetConfig
from unbraid.runtime import Executor, open_executor
from unbraid.runtime.executor import Precision
from unbraid.tasks.audio_to_audio import Waves
from unbraid.tasks.separation.fronts import (
    Seams,
    SpectrogramFront,
    WaveformFront,
    as_pairs,
    from_pairs,
    music_stems,
    raw_speech,
    speech_stems,
)
from unbraid.tasks.separation.options import Options, all_stems, check_options, has_residual, least_samples, windows_of
from unbraid.tasks.separation.stream import Feed, Progress, RumbleFree, Track


class Separates(Protocol):
    """As much of a Separator as is needed to write the stems of a file."""

    notices: tuple[str, ...]  # about the file of the last run

    def blocks(
        self,
        source: Path,
        *,
        start: float = 0.0,
        duration: float | None = None,
        track: TrackChoice = 0,
        reading: ReadOptions = ReadOptions(),
        progress: Progress | None = None,
    ) -> Iterator[dict[str, FloatArray]]:
        """The stems of a file, block by block: each (C, n)."""
        ...


class Separator:
    """A loaded model. Use it as often as you like; `close()` it, or use it in a `with` statement, to free memory."""

    def __init__(
        self,
        model: str | Path = "speech-2",
        *,
        device: str = "auto",
        precision: Precision = "float32",
        threads: int | None = None,
        wiener: bool | int = False,
        raw: bool = False,
        options: Options = Options(),
    ):
        """Load a model by name or folder.

        `wiener` and `raw` are short for the fields of `options` of the same name. See `runtime.open_executor` for
        `device` and `threads`.

        Raises:
            ModelError: there is no such model, or its folder is damaged.
            RuntimeUnavailable: the device is not there.
            UsageError: the options do not fit the model, or `model` is neither a name nor a path.
        """
        folder = resolve(model)
        spec = open_model_folder(folder)
        options = dataclasses.replace(options, wiener=int(wiener) or options.wiener, raw=raw or options.raw)
        check_options(spec, options)
        executor = open_executor(spec, folder, device=device, precision=precision, threads=threads)
        self._start(spec, executor, options)

    @classmethod
    def over(cls, executor: Executor, spec: ModelSpec, options: Options = Options()) -> Self:
        """A separator over an executor of one's own: another engine, or a fake in a test."""
        check_options(spec, options)
        separator = cls.__new__(cls)
        separator._start(spec, executor, options)
        return separator

    def _start(self, spec: ModelSpec, executor: Executor, options: Options) -> None:
        if isinstance(spec.geometry, AudioTransformerConfig):
            executor = Waves(executor, least_samples(spec))
        self.spec, self.options, self._executor = spec, options, executor
        self.device, self.device_reason = executor.device, executor.reason
        self.seams = Seams()
        self.notices: tuple[str, ...] = ()  # about the file of the last run

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the network."""
        self._executor.close()

    @property
    def has_residual(self) -> bool:
        """Whether a run adds a `residual` stem: on request, and always where there is one source."""
        return has_residual(self.spec, self.options)

    def stems(self) -> tuple[str, ...]:
        """Names of the stems a run returns."""
        stems = all_stems(self.spec, self.options)
        removed = [stem for stem in stems if stem in self.options.remove]
        return ("-".join(("no", *removed)),) if removed else stems

    def output_rate(self, sample_rate: int) -> int:
        """The sample rate of the stems of audio at `sample_rate`."""
        return self.spec.sample_rate if self.options.raw else sample_rate

    def output_channels(self, channels: int) -> int:
        """The channels of the stems of audio with so many."""
        return max(channels, 2) if self.options.raw and self.spec.channels == 2 else channels

    def __call__(
        self, audio: ArrayLike, sample_rate: int, *, progress: Progress | None = None
    ) -> dict[str, FloatArray]:
        """Pull an array (C, T) apart: {stem: (C, T)}. The input is not changed.

        It may be any array on the CPU, a tensor as well, or lists of numbers; integers are scaled by their type.

        Raises:
            AudioError: it is no array of real numbers (C, T), is empty, or holds NaN or infinity.
        """
        pieces = list(self._stream(Track.of(as_audio(audio), checked_rate(sample_rate)), progress))
        return dict(zip(self.stems(), np.concatenate(pieces, axis=-1), strict=True))

    def blocks(
        self,
        source: Source,
        *,
        start: float = 0.0,
        duration: float | None = None,
        track: TrackChoice = 0,
        reading: ReadOptions = ReadOptions(),
        progress: Progress | None = None,
    ) -> Iterator[dict[str, FloatArray]]:
        """Pull a file (or a binary file object) apart block by block: {stem: (C, n)}, in constant memory.

        `start` and `duration` are in seconds; `track` is the number of an audio track, from 0, or "auto" for the first
        that is not silent. Warnings about the file are in `notices` afterwards.
        `progress(done_seconds, total_seconds or None)` is called as the file is read; raise `Cancelled` in it to stop.

        Raises:
            AudioError: the file cannot be read.
        """
        self.notices = ()
        with Reader(source, start=start, duration=duration, track=track, reading=reading) as reader:
            try:
                for stems in self._stream(Track.through(reader), progress):
                    yield dict(zip(self.stems(), stems, strict=True))
            finally:
                self.notices = reader.notices

    def _stream(self, track: Track, progress: Progress | None) -> Blocks:
        """Stems (S, C, n) of a track, or the sum of those that are not removed."""
        blocks = self._parts(track, progress)
        if not self.options.remove:
            return blocks
        kept = [i for i, stem in enumerate(all_stems(self.spec, self.options)) if stem not in self.options.remove]
        return (block[kept].sum(0, keepdims=True) for block in blocks)

    def _parts(self, track: Track, progress: Progress | None) -> Blocks:
        """All stems (S, C, n) of a track, residual included."""
        self.seams = Seams()  # a run that is still going keeps its own
        rate, passes = self.spec.sample_rate, 1 + self.options.wiener
        if self.options.raw:
            feed = Feed(track, rate, passes, "model", progress)
            return (stems for _, stems in feed.pair(self._network(feed, track)))
        free = RumbleFree(track, passes)
        drop = self.options.high_band == "drop" and track.sample_rate > rate
        feed = Feed(free.track, rate, passes, "narrow" if drop else "input", progress)
        stems = self._summing(feed.pair(self._network(feed, track)), track.sample_rate)
        return free.given_back(stems, residual=self.has_residual, strength=self.options.strength)

    def _summing(self, pairs: Iterator[tuple[FloatArray, FloatArray]], sample_rate: int) -> Blocks:
        """Stems (S, C, n), residual included, that add up to what they are paired with, (C, n)."""
        if self.has_residual:
            return (_with_residual(whole, stems, self.options.strength) for whole, stems in pairs)
        if self.spec.spectral and not self.options.wiener and sample_rate == self.spec.sample_rate:
            return (stems for _, stems in pairs)  # masks add up to one, so nothing is left over
        return shared(pairs, cell_samples=max(1, sample_rate // 100))

    def _network(self, feed: Feed, track: Track) -> Blocks:
        """What the network makes of a track, at the model's rate."""
        geometry, spectral, options = self.spec.geometry, self.spec.spectral, self.options
        if isinstance(geometry, UNetConfig) and spectral:
            full_band, exponent = not options.raw, options.mask_exponent
            music = SpectrogramFront(self._executor, spectral, options.wiener, full_band, exponent, geometry.side)
            stems = music_stems(music, lambda: (as_pairs(block) for block in feed.open()))
            channels = self.output_channels(track.channels)
            return (from_pairs(block, channels) for block in stems)
        speech = self._speech()
        if self.options.raw:
            known = None if track.frames is None else track.frames / track.sample_rate
            return raw_speech(speech, feed.open(), self.spec.sample_rate, known, force=self.options.force)
        return speech_stems(speech, feed.open(), self.seams)

    def _speech(self) -> WaveformFront:
        window, overlap = (round(seconds * self.spec.sample_rate) for seconds in windows_of(self.spec, self.options))
        return WaveformFront(self._executor, least_samples(self.spec), window, overlap, self.spec.level == "fitted")


def _with_residual(whole: FloatArray, stems: FloatArray, strength: float) -> FloatArray:
    """Stems (S, C, n) and what they leave over of the whole (C, n); of less strength, a lone stem keeps some of it."""
    rest = whole - stems.sum(0)
    if strength < 1:
        stems, rest = stems + (1 - strength) * rest, strength * rest
    return np.concatenate((stems, rest[None])).astype(np.float32, copy=False)
