"""The outputs of a network at its own sample rate, by the front end of its family."""

from collections.abc import Callable

import numpy as np

from unbraid.dsp.arrays import Blocks
from unbraid.hub.spec import ModelSpec
from unbraid.models.causal_lstm.config import CausalLSTMConfig
from unbraid.models.family import FAMILIES
from unbraid.models.htdemucs.config import HtdemucsConfig
from unbraid.models.roformer.config import RoformerConfig
from unbraid.models.tiger.config import TigerConfig
from unbraid.runtime import Executor
from unbraid.tasks.audio_to_audio import EnhancerExecutor
from unbraid.tasks.results import Diagnostics
from unbraid.tasks.separation.causal import causal_stems
from unbraid.tasks.separation.complex_front import ComplexFront, published_stems, windowed_stems
from unbraid.tasks.separation.fronts import (
    SpectrogramFront,
    WaveformFront,
    as_pairs,
    from_pairs,
    music_stems,
    raw_speech,
    speech_stems,
)
from unbraid.tasks.separation.hybrid_front import HybridFront, hybrid_stems, published_segments
from unbraid.tasks.separation.masked import MaskingExecutor, NamedFront, published_means
from unbraid.tasks.separation.options import Options, windows_of
from unbraid.tasks.separation.stream import Track


def outputs(
    executor: Executor,
    spec: ModelSpec,
    options: Options,
    track: Track,
    diagnostics: Diagnostics,
    open_blocks: Callable[[], Blocks],
) -> Blocks:
    """The network's stems at the model's rate; a U-Net with a Wiener filter opens the blocks once for each pass."""
    geometry, spectral = spec.geometry, spec.spectral
    if spectral and FAMILIES[spec.family].front == "spectrogram":
        full_band, exponent = not options.raw, options.mask_exponent
        music = SpectrogramFront(executor, spectral, options.wiener, full_band, exponent, geometry.side)
        stems = music_stems(music, lambda: (as_pairs(block) for block in open_blocks()))
        channels = output_channels(spec, options, track.channels)
        return (from_pairs(block, channels) for block in stems)
    doubled = output_channels(spec, options, track.channels) > track.channels  # the published programs hear stereo

    def heard() -> Blocks:
        return (np.concatenate((block, block)) for block in open_blocks()) if doubled else open_blocks()

    if isinstance(geometry, RoformerConfig):
        masked = ComplexFront(executor, geometry, *_window_samples(spec, options))
        return published_stems(masked, heard()) if options.raw else windowed_stems(masked, open_blocks())
    if isinstance(geometry, HtdemucsConfig):
        hybrid = HybridFront(executor, geometry, *_window_samples(spec, options), fits_level=not options.raw)
        return published_segments(hybrid, heard) if options.raw else hybrid_stems(hybrid, open_blocks())
    if isinstance(geometry, CausalLSTMConfig):
        return causal_stems(executor, geometry, open_blocks())
    speech = speech_front(spec, options, executor)
    if isinstance(geometry, TigerConfig) and geometry.separates_songs:
        return (published_means if options.raw else windowed_stems)(NamedFront(speech), open_blocks())
    if options.raw:
        known = None if track.frames is None else track.frames / track.sample_rate
        return raw_speech(speech, open_blocks(), spec.sample_rate, known, force=options.force)
    return speech_stems(speech, open_blocks(), diagnostics.agreement_db)


def on_waveforms(executor: Executor, spec: ModelSpec) -> Executor:
    """The network as one of waveforms, if its graph takes their spectra or has a name of its own for them."""
    if isinstance(spec.geometry, TigerConfig):
        return MaskingExecutor(executor, spec.geometry)
    is_enhancer = spec.family == "audio_transformer"
    return EnhancerExecutor(executor, spec.geometry.least_samples) if is_enhancer else executor


def output_channels(spec: ModelSpec, options: Options, channels: int) -> int:
    """The number of channels of the stems of audio with so many."""
    return max(channels, 2) if options.raw and spec.channels == 2 else channels


def passes_of(spec: ModelSpec, options: Options) -> int:
    """How often the network's outputs are made from the whole audio: once, but for statistics of all of it."""
    return 1 + (options.wiener or (options.raw and spec.family == "htdemucs"))


def speech_front(spec: ModelSpec, options: Options, executor: Executor) -> WaveformFront:
    """The front end of a network on waveforms."""
    window, overlap = _window_samples(spec, options)
    return WaveformFront(executor, spec.geometry.least_samples, window, overlap, spec.level == "fitted")


def _window_samples(spec: ModelSpec, options: Options) -> tuple[int, int]:
    window, overlap = windows_of(spec, options)
    return round(window * spec.sample_rate), round(overlap * spec.sample_rate)
