"""What stands between a stream of audio at the model's rate and its network, per family: blocks in, stems out.

A SepFormer gets windows of waveform, a U-Net gets segments of a spectrogram. Both return blocks (S, C, n) that add
up to the length of what came in (a U-Net's may have some samples more at the end).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from unbraid.dsp import ComplexArray, FloatArray
from unbraid.dsp.band import extend, soft_masks
from unbraid.dsp.overlap import Joiner, windows
from unbraid.dsp.stft import analysis, synthesis
from unbraid.dsp.wiener import Spatial, Sums, estimate
from unbraid.metrics import best_permutation
from unbraid.runtime.base import Executor
from unbraid.spec import Spectral

RIDGE = 1e-3  # of the level fit, relative to each output's own power
KERNEL_SAMPLES = 16  # the shortest input a network is given

Blocks = Iterator[FloatArray]


# --- SepFormer: waveform -> waveforms ---------------------------------------------------------------------------


@dataclass
class Seams:
    """How well neighbouring windows agreed where they overlap, in dB (SNR of one against the other)."""

    agreement_db: list[float] = field(default_factory=list)


def speech_stems(blocks: Blocks, executor: Executor, window_samples: int, overlap_samples: int, seams: Seams) -> Blocks:
    """Voices (S, C, n) of blocks (C, n), level fitted per window, speakers kept in order across windows."""
    joiner = Joiner(overlap_samples)
    for window, new in windows(blocks, window_samples, overlap_samples):
        voices = fit_level(run_sepformer(executor, window), window)  # (S, C, T)
        if (pair := joiner.overlap(voices, new)) is not None:
            voices = voices[best_permutation(pair[0], pair[1])]
            before, again = pair[0], joiner.overlap(voices, new)[1]  # type: ignore[index]
            seams.agreement_db.append(_snr(before, again))
        yield joiner.add(voices, new)
    if (rest := joiner.finish()) is not None:
        yield rest


def run_sepformer(executor: Executor, audio: FloatArray) -> FloatArray:
    """The network's own output (S, C, T): each distinct channel of (C, T) is one item of the batch."""
    distinct, place = np.unique(audio, axis=0, return_inverse=True)
    samples = audio.shape[-1]
    padded = np.pad(distinct, ((0, 0), (0, max(0, KERNEL_SAMPLES - samples))))
    sources = executor.run({"mixture": np.ascontiguousarray(padded)})["sources"]  # (B, S, T)
    return sources[place.reshape(-1), :, :samples].swapaxes(0, 1)


def fit_level(sources: FloatArray, mixture: FloatArray) -> FloatArray:
    """Scale outputs (S, C, T) so that their sum is nearest to the mixture (C, T), per channel, signs free.

    A network trained on a scale-invariant loss has no level of its own. Least squares with a small ridge, which
    shares one voice's level evenly where two outputs are alike.
    """
    s = sources.swapaxes(0, 1).astype(np.float64)  # (C, S, T)
    gram = s @ s.swapaxes(-1, -2)  # (C, S, S)
    power = np.einsum("css->cs", gram)
    diagonal = RIDGE * power + np.where(power > 0, 0.0, 1.0)  # a silent output: any gain will do
    system = gram + diagonal[..., None] * np.eye(len(sources))
    gains = np.linalg.solve(system, (s @ mixture.astype(np.float64)[..., None]))  # (C, S, 1)
    return sources * gains.swapaxes(0, 1).astype(np.float32)


def _snr(reference: FloatArray, estimate: FloatArray) -> float:
    noise = float(np.sum(np.square(reference - estimate, dtype=np.float64)))
    signal = float(np.sum(np.square(reference, dtype=np.float64)))
    return 10 * float(np.log10((signal + 1e-20) / (noise + 1e-20)))


# --- U-Nets: magnitude spectrogram -> magnitudes ------------------------------------------------------------------


@dataclass(frozen=True)
class Music:
    """What a song's run needs: the network, its spectrogram, and how magnitudes become stems."""

    executor: Executor
    spectral: Spectral
    wiener_iterations: int = 0  # 0: soft masks
    full_band: bool = True  # masks go on above the network's last bin, whatever the published system does


def music_stems(music: Music, open_blocks: Callable[[], Blocks]) -> Blocks:
    """Stems (S, B, 2, n) of stereo items (B, 2, n), whose blocks can be opened again for every pass."""
    spatial: list[Spatial] = []
    peak = 0.0
    for _ in range(music.wiener_iterations):
        sums = Sums()
        for mixture, magnitudes in _segments(music, open_blocks()):
            sums.add(estimate(magnitudes, mixture, spatial, peak), mixture)
        peak = sums.peak
        spatial.append(sums.spatial())
    spectra = (_filter(music, *segment, spatial, peak) for segment in _segments(music, open_blocks()))
    yield from synthesis(spectra, music.spectral.frame_samples, music.spectral.hop_samples)


def _segments(music: Music, blocks: Blocks) -> Iterator[tuple[ComplexArray, FloatArray]]:
    """Spectra (B, 2, N, bins) of the mixture with the stems' magnitudes (S, B, 2, N, bins), T frames at a time."""
    spectral = music.spectral
    bins = spectral.frame_samples // 2 + 1
    for mixture in analysis(blocks, spectral.frame_samples, spectral.hop_samples, spectral.frames):
        magnitude = np.abs(mixture)
        frames = mixture.shape[-2]
        seen = np.zeros((*mixture.shape[:-2], spectral.frames, spectral.bins), np.float32)
        seen[..., :frames, :] = magnitude[..., : spectral.bins]
        stems = music.executor.run({"magnitude": seen})["magnitudes"]  # (B, S, 2, T, F)
        stems = stems.swapaxes(0, 1)[..., :frames, :]
        if music.wiener_iterations and not music.full_band:
            yield mixture, extend(stems, bins, "zeros")
        elif music.wiener_iterations:
            above = extend(soft_masks(stems, spectral.exponent), bins, "average")[..., spectral.bins :]
            yield mixture, np.concatenate((stems, above * magnitude[..., spectral.bins :]), axis=-1)
        else:
            extension = "average" if music.full_band else spectral.extension
            yield mixture, extend(soft_masks(stems, spectral.exponent), bins, extension)


def _filter(
    music: Music, mixture: ComplexArray, stems: FloatArray, spatial: list[Spatial], peak: float
) -> ComplexArray:
    """Spectra of the stems (S, B, 2, N, bins): masks times the mixture, or the Wiener filter."""
    return estimate(stems, mixture, spatial, peak) if music.wiener_iterations else stems * mixture


def as_pairs(audio: FloatArray) -> FloatArray:
    """Channels (C, n) as stereo items (B, 2, n): in pairs, a mono one (or the last of an odd number) twice."""
    channels = audio.shape[0]
    if channels % 2:
        audio = np.concatenate((audio, audio[-1:]))
    return audio.reshape(-1, 2, audio.shape[-1])


def from_pairs(stems: FloatArray, channels: int) -> FloatArray:
    """Stems (S, B, 2, n) -> (S, C, n); the two outputs of a doubled channel are averaged."""
    flat = stems.reshape(stems.shape[0], -1, stems.shape[-1])
    if channels % 2:
        flat[:, channels - 1] = (flat[:, channels - 1] + flat[:, channels]) / 2
    return flat[:, :channels]
