"""Separator: a model, loaded once, that pulls any audio apart, whole or block by block.

    stems = Separator("music-4")(audio, sample_rate)               # {"vocals": (C, T), …}
    for block in Separator("music-4").blocks("eight_hours.flac"):  # the same in flat memory
        ...

One stream, whatever the model: read a block, bring it to the model's rate, run the family's front end, bring the
stems back to the input's rate and length, share out what they leave over of the mixture (DESIGN: output contract).
"""

import dataclasses
import numbers
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import numpy as np

from unbraid.audio import Reader, Source
from unbraid.dsp import Blocks, FloatArray
from unbraid.dsp.share import shared
from unbraid.errors import AudioError, UsageError
from unbraid.folder import open_model_folder
from unbraid.frontends import Music, Seams, Speech, as_pairs, from_pairs, music_stems, run_sepformer, speech_stems
from unbraid.geometry import SepFormerGeometry
from unbraid.hub import resolve
from unbraid.runtime import Executor, open_executor
from unbraid.runtime.base import Precision
from unbraid.spec import ModelSpec
from unbraid.stream import Feed, Progress, Track

BLOCK_SECONDS = 1.0
MOST_CHANNELS = 64  # an array with more of them, and no more samples than this, is the wrong way round
LOUDEST = 1e9  # float32 has room for its square, and for sums of those; full scale is 1
RAW_LIMIT_SECONDS = 300.0
RAW_BYTES_PER_8000 = 27_000_000  # samples, of a published SepFormer: measured up to a minute


@dataclass(frozen=True)
class Options:
    """How a model is run; the defaults are what most people want."""

    wiener: int = 0  # iterations of the multichannel Wiener filter; 0: soft masks
    raw: bool = False  # just what the published system returns, at the model's rate
    residual: bool = False  # a stem for what the others leave over, which is then not shared out
    high_band: Literal["share", "drop"] = "share"  # what lies above half the model's sample rate
    window_seconds: float | None = None  # speech; the model's own by default
    overlap_seconds: float | None = None
    force: bool = False  # run a raw SepFormer however long the file is


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
        _check_options(spec, options)
        executor = open_executor(spec, folder, device=device, precision=precision, threads=threads)
        self._start(spec, executor, options)

    @classmethod
    def over(cls, executor: Executor, spec: ModelSpec, options: Options = Options()) -> Self:
        """A separator over an executor of one's own: another engine, or a fake in a test."""
        _check_options(spec, options)
        separator = cls.__new__(cls)
        separator._start(spec, executor, options)
        return separator

    def _start(self, spec: ModelSpec, executor: Executor, options: Options) -> None:
        self.spec, self.options, self._executor = spec, options, executor
        self.device, self.device_reason = executor.device, executor.reason
        self.seams = Seams()

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
        return not self.options.raw and (self.options.residual or len(self.spec.stems) == 1)

    def stems(self) -> tuple[str, ...]:
        """Names of the stems a run returns."""
        return (*self.spec.stems, "residual") if self.has_residual else self.spec.stems

    def output_rate(self, sample_rate: int) -> int:
        """The sample rate of the stems of audio at `sample_rate`."""
        return self.spec.sample_rate if self.options.raw else sample_rate

    def output_channels(self, channels: int) -> int:
        """The channels of the stems of audio with so many."""
        return max(channels, 2) if self.options.raw and self.spec.channels == 2 else channels

    def __call__(
        self, audio: FloatArray, sample_rate: int, *, progress: Progress | None = None
    ) -> dict[str, FloatArray]:
        """Pull an array (C, T) apart: {stem: (C, T)}. The input is not changed.

        Raises:
            AudioError: the array is not float (C, T), is empty, or holds NaN or infinity.
        """
        audio, sample_rate = _checked(audio), _checked_rate(sample_rate)
        block = max(1, round(BLOCK_SECONDS * sample_rate))
        track = Track(
            sample_rate, audio.shape[0], audio.shape[1],
            lambda: (audio[:, i : i + block] for i in range(0, audio.shape[1], block)),
        )  # fmt: skip
        pieces = list(self._stream(track, progress))
        return dict(zip(self.stems(), np.concatenate(pieces, axis=-1), strict=True))

    def blocks(
        self,
        source: Source,
        *,
        start: float = 0.0,
        duration: float | None = None,
        track: int = 0,
        progress: Progress | None = None,
    ) -> Iterator[dict[str, FloatArray]]:
        """Pull a file (or a binary file object) apart block by block: {stem: (C, n)}, in flat memory.

        `start` and `duration` are seconds. `progress(done_seconds, total_seconds or None)` is called as the file is
        read; raise `Cancelled` in it to stop.

        Raises:
            AudioError: the file cannot be read.
        """
        with Reader(source, start=start, duration=duration, track=track) as reader:
            info = reader.info
            block = max(1, round(BLOCK_SECONDS * info.sample_rate))
            opened = Track(info.sample_rate, info.channels, reader.frames, lambda: reader.blocks(block))
            for stems in self._stream(opened, progress):
                yield dict(zip(self.stems(), stems, strict=True))

    def _stream(self, track: Track, progress: Progress | None) -> Blocks:
        """Stems (S, C, n) of a track, residual included."""
        self.seams = Seams()  # a run that is still going keeps its own
        rate, passes = self.spec.sample_rate, 1 + self.options.wiener
        if self.options.raw:
            feed = Feed(track, rate, passes, "model", progress)
            return (stems for _, stems in feed.pair(self._network(feed, track)))
        drop = self.options.high_band == "drop" and track.sample_rate > rate
        feed = Feed(track, rate, passes, "narrow" if drop else "input", progress)
        pairs = feed.pair(self._network(feed, track))
        if self.has_residual:
            return (np.concatenate((stems, (whole - stems.sum(0))[None])) for whole, stems in pairs)
        if self.spec.spectral and not self.options.wiener and track.sample_rate == rate:
            return (stems for _, stems in pairs)  # masks add up to one, so nothing is left over
        return shared(pairs, cell_samples=max(1, track.sample_rate // 100))

    def _network(self, feed: Feed, track: Track) -> Blocks:
        """What the network makes of a track, at the model's rate."""
        if self.spec.spectral:
            music = Music(self._executor, self.spec.spectral, self.options.wiener, full_band=not self.options.raw)
            stems = music_stems(music, lambda: (as_pairs(block) for block in feed.open()))
            channels = self.output_channels(track.channels)
            return (from_pairs(block, channels) for block in stems)
        speech = self._speech()
        if self.options.raw:
            return self._raw_speech(speech, feed, track)
        return speech_stems(speech, feed.open(), self.seams)

    def _speech(self) -> Speech:
        assert isinstance(self.spec.geometry, SepFormerGeometry)
        window, overlap = (round(seconds * self.spec.sample_rate) for seconds in _windows(self.spec, self.options))
        return Speech(self._executor, self.spec.geometry.kernel_samples, window, overlap, self.spec.level == "fitted")

    def _raw_speech(self, speech: Speech, feed: Feed, track: Track) -> Blocks:
        """The whole file in one window."""
        pieces: list[FloatArray] = []
        samples = 0
        for block in feed.open():
            pieces.append(block)
            samples += block.shape[1]
            known = None if track.frames is None else track.frames / track.sample_rate
            self._check_raw_length(known or samples / self.spec.sample_rate)
        if pieces:
            yield run_sepformer(speech, np.concatenate(pieces, axis=1))

    def _check_raw_length(self, seconds: float) -> None:
        if seconds > RAW_LIMIT_SECONDS and not self.options.force:
            gigabytes = seconds * self.spec.sample_rate / 8000 * RAW_BYTES_PER_8000 / 1e9
            raise UsageError(
                f"Raw runs the whole file in one window: {seconds / 60:.0f} minutes take about {gigabytes:.0f} GB of "
                "memory. Use --force (force=True) to do it all the same, or leave raw out."
            )


def _check_options(spec: ModelSpec, options: Options) -> None:
    """Refuse what does not fit the model."""
    if spec.family == "unet" and spec.channels != 2:
        raise UsageError(f"{spec.name} takes {spec.channels} channels; U-Nets are run on pairs of channels only.")
    if options.wiener < 0:
        raise UsageError(f"Iterations of the Wiener filter are counted from 0, got {options.wiener}.")
    if options.wiener and spec.family != "unet":
        raise UsageError(f"The Wiener filter is for music models; {spec.name} is a {spec.family}.")
    if options.high_band not in (bands := ("share", "drop")):
        raise UsageError(f"high_band is one of {', '.join(bands)}, not {options.high_band!r}.")
    if spec.family == "unet" and (options.window_seconds, options.overlap_seconds) != (None, None):
        raise UsageError(f"Windows are for speech models; {spec.name} is a {spec.family}.")
    if options.raw and options.residual:
        raise UsageError("Raw returns just what the network gives: it has no residual.")
    if spec.windows:
        seconds, overlap = _windows(spec, options)
        if not 0 <= overlap <= seconds / 2:
            raise UsageError(
                f"An overlap of {overlap:g} s does not fit windows of {seconds:g} s; at most half may overlap."
            )
        assert isinstance(spec.geometry, SepFormerGeometry)
        least = spec.geometry.kernel_samples / spec.sample_rate
        if seconds < least:
            raise UsageError(
                f"Windows of {seconds:g} s are too short; they must hold a kernel of the network, {least:g} s."
            )


def _windows(spec: ModelSpec, options: Options) -> tuple[float, float]:
    """Seconds of a speech window and of the overlap of two."""
    assert spec.windows is not None
    overlap = options.overlap_seconds
    window = options.window_seconds
    return (
        spec.windows.seconds if window is None else window,
        spec.windows.overlap_seconds if overlap is None else overlap,
    )


def _checked_rate(sample_rate: float) -> int:
    """The sample rate as a whole number of Hz, or the reason why not."""
    number = isinstance(sample_rate, numbers.Real) and not isinstance(sample_rate, bool)
    if not number or not float(sample_rate).is_integer() or sample_rate < 1:
        raise AudioError(f"The sample rate must be a whole number of Hz above 0, got {sample_rate!r}.")
    return int(sample_rate)


def _checked(audio: FloatArray) -> FloatArray:
    """The array as float32 (C, T), or the reason why not."""
    array = np.asarray(audio)
    if array.ndim != 2:
        raise AudioError(
            f"Audio must be an array (channels, samples), got shape {array.shape}; for mono use audio[None]."
        )
    if array.dtype.kind != "f":
        raise AudioError(f"Audio must be floating point, got {array.dtype}; scale integers to -1 … 1 first.")
    if 0 in array.shape:
        raise AudioError(f"Audio of shape {array.shape} is empty.")
    if array.shape[0] > MOST_CHANNELS >= array.shape[1]:
        raise AudioError(f"Audio of shape {array.shape} looks like (samples, channels); pass audio.T.")
    with np.errstate(over="ignore"):  # a float64 too large for float32 becomes the infinity refused below
        array = array.astype(np.float32, copy=False)
    if not np.isfinite(array).all():
        raise AudioError("Audio holds NaN or infinity; repair it first.")
    if np.abs(array).max() > LOUDEST:
        raise AudioError(f"Audio holds samples above {LOUDEST:g}, where full scale is 1; scale it down first.")
    return array
