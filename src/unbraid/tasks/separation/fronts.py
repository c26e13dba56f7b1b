"""Front ends of separation networks: blocks of audio at the model's rate in, blocks of stems out.

Networks on waveforms (SepFormer, band-split, denoisers) get windows, a U-Net gets segments of a spectrogram; those on
complex spectrograms are in `complex_front`. All return blocks (S, C, n) of the same total length as the input (those of
a U-Net may have some more samples at the end).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from unbraid.dsp.arrays import Blocks, ComplexArray, FloatArray
from unbraid.dsp.masks import extend, soft_masks
from unbraid.dsp.metrics import best_order, best_permutation
from unbraid.dsp.mid_side import as_mixed, with_side
from unbraid.dsp.overlap import Joiner, windows
from unbraid.dsp.stft import analysis, synthesis
from unbraid.dsp.wiener import Spatial, Sums, estimate
from unbraid.errors import UsageError
from unbraid.hub.spec import Spectral
from unbraid.runtime.executor import Executor
from unbraid.tasks.conversation.pieces import Seam

RAW_LIMIT_SECONDS = 300.0
RAW_BYTES_PER_8000 = 27_000_000  # samples, of a published SepFormer: measured up to a minute
SLICE_FRAMES = 64  # of a spectrogram, filtered and transformed at a time
QUIETEST = 1e-20  # lowest magnitude that is divided by
RIDGE = 1e-3  # of the level fit, relative to each output's own power


def run_network(executor: Executor, name: str, items: FloatArray, at_once: int) -> FloatArray:
    """The network's only output for items (B, …), so many at a time: two are faster than one, more only take memory."""
    batches = (np.ascontiguousarray(items[i : i + at_once]) for i in range(0, len(items), at_once))
    outputs = [output for batch in batches for output in executor.run({name: batch}).values()]
    return outputs[0] if len(outputs) == 1 else np.concatenate(outputs)


# --- waveform -> waveforms ---------------------------------------------------------------------------


@dataclass(frozen=True)
class WaveformFront:
    """A network on waveforms, and its windows."""

    executor: Executor
    least_samples: int  # the network's kernel, and so its shortest input
    window_samples: int
    overlap_samples: int
    fits_level: bool = True  # scale outputs to the mixture: the network's own level means nothing


def speech_stems(
    speech: WaveformFront, blocks: Blocks, agreement_db: list[float], seams: list[Seam] | None = None
) -> Blocks:
    """Voices (S, C, n) of blocks (C, n), speakers in order across windows, levels fitted where the network has none.

    How well neighbouring windows agree where they overlap, the SNR of one against the other, goes to `agreement_db`,
    and that of each output, with the place, to `seams`.
    """
    joiner, done = Joiner(speech.overlap_samples), 0
    for window, new in windows(blocks, speech.window_samples, speech.overlap_samples):
        voices = run_sepformer(speech, window)  # (S, C, T)
        voices = align_channels(fit_level(voices, window) if speech.fits_level else voices)
        if (pair := joiner.overlap(voices, new)) is not None:
            before, again = pair
            order = best_permutation(before, again)
            voices = voices[order]
            if before.any() or again.any():  # silence says nothing about agreement
                agreement_db.append(_snr(before, again[order]))
            if seams is not None:
                each = tuple(map(_snr, before, again[order]))
                seams.append(Seam(done - before.shape[-1] // 2, each))
        yield joiner.add(voices, new)
        done += new
    if (rest := joiner.finish()) is not None:
        yield rest


def raw_speech(
    speech: WaveformFront, blocks: Blocks, sample_rate: int, seconds: float | None, *, force: bool
) -> Blocks:
    """The network's own output (S, C, T) of blocks (C, n) in one window; `seconds`: how long it is, if that is known.

    Raises:
        UsageError: it is long, which takes much memory, and `force` is not set.
    """
    pieces: list[FloatArray] = []
    samples = 0
    for block in blocks:
        pieces.append(block)
        samples += block.shape[1]
        if not force:
            _check_raw_length(seconds or samples / sample_rate, sample_rate)
    if pieces:
        yield run_sepformer(speech, np.concatenate(pieces, axis=1))


def _check_raw_length(seconds: float, sample_rate: int) -> None:
    if seconds > RAW_LIMIT_SECONDS:
        gigabytes = seconds * sample_rate / 8000 * RAW_BYTES_PER_8000 / 1e9
        raise UsageError(
            f"Raw runs the whole file in one window: {seconds / 60:.0f} minutes take about {gigabytes:.0f} GB of "
            "memory. Use --force (force=True) to do it all the same, or leave raw out."
        )


def run_sepformer(speech: WaveformFront, audio: FloatArray) -> FloatArray:
    """The network's own output (S, C, T): each distinct channel of (C, T) is one item of the batch."""
    kinds, place = distinct(audio)
    samples = audio.shape[-1]
    padded = np.pad(audio[kinds], ((0, 0), (0, max(0, speech.least_samples - samples))))
    sources = run_network(speech.executor, "mixture", padded, 2)  # (B, S, T)
    return sources[place, :, :samples].swapaxes(0, 1)


def distinct(audio: FloatArray) -> tuple[list[int], list[int]]:
    """The first of each set of equal channels in (C, T), or items in (B, …), and for each the number of its set."""
    kinds: dict[bytes, int] = {}
    place = [kinds.setdefault(channel.tobytes(), len(kinds)) for channel in audio]
    return [place.index(kind) for kind in range(len(kinds))], place


def align_channels(voices: FloatArray) -> FloatArray:
    """Voices (S, C, T) with those of every channel in the order of the loudest channel's.

    The network separates each channel on its own, with the voices in any order. They are matched by the largest
    cross-correlation at any lag and of either sign: microphones may be apart, or of opposite polarity.
    """
    if voices.shape[0] == 1 or all(np.array_equal(voices[:, 0], voices[:, c]) for c in range(1, voices.shape[1])):
        return voices
    loudest = int(np.argmax(np.square(voices, dtype=np.float64).sum((0, 2))))
    spectra = np.fft.rfft(voices, 2 * voices.shape[-1])  # (S, C, F)
    aligned = np.empty_like(voices)
    for c in range(voices.shape[1]):
        likeness = [[np.abs(np.fft.irfft(e * r.conj())).max() for r in spectra[:, loudest]] for e in spectra[:, c]]
        aligned[:, c] = voices[best_order(np.asarray(likeness)), c]
    return aligned


def fit_level(sources: FloatArray, mixture: FloatArray) -> FloatArray:
    """Scale outputs (S, C, T), with any sign, so that their sum is nearest to the mixture (C, T), per channel.

    The level of a network trained on a scale-invariant loss means nothing. Least squares with a small ridge, which
    shares one voice's level evenly where two outputs are alike.
    """
    s = sources.swapaxes(0, 1).astype(np.float64)  # (C, S, T)
    gram = s @ s.swapaxes(-1, -2)  # (C, S, S)
    power = np.einsum("css->cs", gram)
    diagonal = RIDGE * power + np.where(power > 0, 0.0, 1.0)  # any gain will do for a silent output
    system = gram + diagonal[..., None] * np.eye(len(sources))
    gains = np.linalg.solve(system, (s @ mixture.astype(np.float64)[..., None]))  # (C, S, 1)
    return sources * gains.swapaxes(0, 1).astype(np.float32)


def _snr(reference: FloatArray, estimate: FloatArray) -> float:
    noise = float(np.sum(np.square(reference - estimate, dtype=np.float64)))
    signal = float(np.sum(np.square(reference, dtype=np.float64)))
    return 10 * float(np.log10((signal + 1e-20) / (noise + 1e-20)))


# --- U-Nets: magnitude spectrogram -> magnitudes ------------------------------------------------------------------


@dataclass(frozen=True)
class SpectrogramFront:
    """A network on magnitude spectrograms, its transform, and how magnitudes become stems."""

    executor: Executor
    spectral: Spectral
    wiener_iterations: int = 0  # 0: soft masks
    full_band: bool = True  # extend masks above the network's last bin, even if the published system does not
    exponent: float | None = None  # of the masks; None: the model's
    side: bool = False  # the magnitude of left minus right is a third input


def music_stems(music: SpectrogramFront, open_blocks: Callable[[], Blocks]) -> Blocks:
    """Stems (S, B, 2, n) of stereo items (B, 2, n), whose blocks are opened once for every pass."""
    spatial: list[Spatial] = []
    peak = 0.0
    for _ in range(music.wiener_iterations):
        sums = Sums()
        for mixture, stems in _segments(music, open_blocks()):
            magnitudes = _magnitudes(music, mixture, stems)
            sums.add(estimate(magnitudes, mixture, spatial, peak), mixture)
        peak = sums.peak
        spatial.append(sums.spatial())

    def spectra() -> Iterator[ComplexArray]:
        for mixture, stems in _segments(music, open_blocks()):
            if music.wiener_iterations:
                yield estimate(_magnitudes(music, mixture, stems), mixture, spatial, peak)
            else:
                yield _masks(music, stems) * mixture

    yield from synthesis(spectra(), music.spectral.frame_samples, music.spectral.hop_samples)


def _segments(music: SpectrogramFront, blocks: Blocks) -> Iterator[tuple[ComplexArray, FloatArray]]:
    """Spectra (B, 2, N, bins) of the mixture with the stems' magnitudes (S, B, 2, N, F) as the network sees them.

    The network sees T frames at a time; its output is cut into smaller slices to limit the memory of later steps.
    """
    spectral = music.spectral
    for mixture in analysis(blocks, spectral.frame_samples, spectral.hop_samples, spectral.frames):
        frames = mixture.shape[-2]
        band = mixture[..., : spectral.bins]  # (B, 2, N, F)
        shown = as_mixed(band) if music.side else band
        planes = with_side(shown) if music.side else np.abs(shown)
        seen = np.zeros((*planes.shape[:2], spectral.frames, spectral.bins), np.float32)
        seen[..., :frames, :] = planes
        stems = run_network(music.executor, "magnitude", seen, 1).swapaxes(0, 1)  # (S, B, 2, T, F)
        if shown is not band:  # a channel replaced by the other one in the input keeps its own level
            stems[..., :frames, :] *= np.abs(band) / np.maximum(planes[:, :2], QUIETEST)
        for i in range(0, frames, SLICE_FRAMES):
            piece = slice(i, min(i + SLICE_FRAMES, frames))
            yield mixture[..., piece, :], stems[..., piece, :]


def _masks(music: SpectrogramFront, stems: FloatArray) -> FloatArray:
    """Ratio masks (S, B, 2, N, bins) over all bins."""
    if music.exponent is None:
        masks = soft_masks(stems, music.spectral.exponent)
    else:  # relative to the loudest stem, so that no power over- or underflows float32
        masks = soft_masks(stems / np.maximum(stems.max(0), QUIETEST), music.exponent)
    extension = "average" if music.full_band else music.spectral.extension
    return extend(masks, music.spectral.frame_samples // 2 + 1, extension)


def _magnitudes(music: SpectrogramFront, mixture: ComplexArray, stems: FloatArray) -> FloatArray:
    """Magnitudes (S, B, 2, N, bins) over all bins: zero above the network's last, or masks times the mixture."""
    if not music.full_band:
        return extend(stems, mixture.shape[-1], "zeros")
    above = _masks(music, stems)[..., stems.shape[-1] :] * np.abs(mixture[..., stems.shape[-1] :])
    return np.concatenate((stems, above), axis=-1)


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
