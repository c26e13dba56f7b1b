"""Random augmentation of speech, so that a recogniser learns words and not voices, rooms or microphones.

    faster or slower     resampled: tempo, pitch and formants change alike (Ko et al., "Audio augmentation", 2015)
    another microphone   a random smooth gain over frequency
    noise                of random colour and level
    a noise gate         soft parts are cut off, fricatives with them, as by some recorders
    another level        so that recordings need not be normalised
    masks                of bands and moments of the log-mel spectrogram (SpecAugment, arXiv 1904.08779)

New texts: recordings of single words with pauses between them can be cut there and joined in another order.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft

from unbraid.audio import resample
from unbraid.corpora.levels import Array, scaled_to, with_noise
from unbraid.training.tables import NonNegative, Positive, Share, Span, SpeedSpan, Table, Whole

_CURVE_POINTS = 8  # of a gain over frequency
_NOISE_SLOPE_DB = 20.0  # how much the gain over frequency of a noise wanders
_QUIET = (0.001, 0.002, 0.004, 0.008, 0.0005)  # of the peak RMS: what may be a pause
_PAUSES_SECONDS = (0.04, 0.08, 0.12, 0.16)  # and how long it is at least
_FRAME_SECONDS = 0.01
_HOLD = 2  # frames that a gate stays open


@dataclass(frozen=True)
class Perturbing(Table):
    """The strength of augmentation; the table `perturbing`."""

    speed: SpeedSpan = (0.85, 1.18)  # factors
    equalise_db: NonNegative = 6.0  # standard deviation of the gain over frequency
    noise_probability: Share = 0.7
    snr_db: Span = (5.0, 40.0)
    gate_probability: Share = 0.3
    gate_db: Span = (-36.0, -12.0)  # the gate's threshold, relative to the RMS of the loudest moment
    level_db: Span = (-40.0, -12.0)  # RMS, over full scale
    lead_seconds: NonNegative = 0.4  # most silence before and after
    abrupt_probability: Share = 0.0  # of beginnings, and of ends, without any
    joined_probability: Share = 0.5  # of texts that are joined of pieces
    joined_words: Positive = 8  # in them, at most
    pause_seconds: Span = (0.0, 0.4)  # between pieces
    silence_probability: Share = 0.02  # nothing but noise, and no text
    band_masks: Whole = 2
    band_share: Share = 0.15  # of the bands, at most, in each mask
    time_masks: Whole = 2
    time_seconds: NonNegative = 0.12  # at most, each
    full_after: Whole = 0  # items; before, all is milder and texts are shorter, or CTC takes long to find its way


def milder(values: Perturbing, share: float) -> Perturbing:
    """All alterations at a share of their strength, from 0 to 1; silence and joined texts come as often."""

    def near(span: tuple[float, float]) -> tuple[float, float]:
        middle = sum(span) / 2
        return middle + share * (span[0] - middle), middle + share * (span[1] - middle)

    return dataclasses.replace(
        values,
        speed=(values.speed[0] ** share, values.speed[1] ** share),
        equalise_db=share * values.equalise_db,
        noise_probability=share * values.noise_probability,
        gate_probability=share * values.gate_probability,
        level_db=near(values.level_db),
        joined_words=1 + round(share * (values.joined_words - 1)),
        band_masks=round(share * values.band_masks),
        time_masks=round(share * values.time_masks),
    )


def perturbed(speech: Array, values: Perturbing, sample_rate: int, random: np.random.Generator) -> Array:
    """Speech (T,) with random alterations: (T',)."""
    factor = float(np.exp(random.uniform(*np.log(values.speed))))
    (speech,) = resample(speech[None], max(1, round(sample_rate * factor)), sample_rate)
    lead, trail = (_silence_beside(values, sample_rate, random) for _ in range(2))
    speech = equalised(np.pad(speech, (lead, trail)), values.equalise_db, random)
    if random.random() < values.noise_probability:
        speech = with_noise(speech, coloured_noise(len(speech), random), random.uniform(*values.snr_db))
    if random.random() < values.gate_probability:
        speech = gated(speech, random.uniform(*values.gate_db), sample_rate)
    level = 10 ** (random.uniform(*values.level_db) / 20)
    return scaled_to(speech, level).clip(-1, 1)


def gated(speech: Array, gate_db: float, sample_rate: int) -> Array:
    """Speech (T,) after a noise gate: zeros where it is softer than the threshold below its loudest moment."""
    size = max(1, round(_FRAME_SECONDS * sample_rate))
    frames = np.pad(speech, (0, -len(speech) % size)).reshape(-1, size)
    loudness = np.sqrt((frames**2).mean(1))
    opens = loudness >= loudness.max(initial=0) * 10 ** (gate_db / 20)
    opens[_HOLD:] |= opens[:-_HOLD].copy()
    return np.where(opens[:, None], frames, 0).reshape(-1)[: len(speech)].astype(np.float32, copy=False)


def silence(samples: int, values: Perturbing, random: np.random.Generator) -> Array:
    """(samples,) of noise or of digital silence."""
    if random.random() >= values.noise_probability:
        return np.zeros(samples, np.float32)
    return scaled_to(coloured_noise(samples, random), 10 ** (random.uniform(-80, -30) / 20))


def coloured_noise(samples: int, random: np.random.Generator) -> Array:
    """(samples,) of Gaussian noise whose spectrum is any smooth one."""
    return equalised(random.standard_normal(samples, np.float32), _NOISE_SLOPE_DB, random)


def equalised(audio: Array, deviation_db: float, random: np.random.Generator) -> Array:
    """Audio (T,) after a zero-phase filter with a random smooth gain over frequency."""
    size = next_fast_len(len(audio) + 256, real=True)  # room for what the filter smears beyond the end
    points = random.normal(0, deviation_db, _CURVE_POINTS)
    gain_db = np.interp(np.linspace(0, _CURVE_POINTS - 1, size // 2 + 1), np.arange(_CURVE_POINTS), points)
    gain = (10 ** (gain_db / 20)).astype(np.float32)
    out: Array = irfft(rfft(audio, size) * gain, size)[: len(audio)]
    return out.astype(np.float32, copy=False)


def masked(levels: Array, values: Perturbing, frame_seconds: float, random: np.random.Generator) -> Array:
    """Log-mel (N, F) with some bands and some moments at their mean level."""
    levels, fill = levels.copy(), levels.mean() if levels.size else 0.0
    frames, bands = levels.shape
    for _ in range(values.band_masks):
        start, stop = _span(bands, round(values.band_share * bands), random)
        levels[:, start:stop] = fill
    for _ in range(values.time_masks):
        start, stop = _span(frames, round(values.time_seconds / frame_seconds), random)
        levels[start:stop] = fill
    return levels


def cut_at_pauses(speech: Array, pieces: int, sample_rate: int) -> list[slice]:
    """Split speech at pauses into the given number of pieces; empty if that is impossible.

    What counts as a pause is tried from short and quiet to long and loud.
    """
    size = max(1, round(_FRAME_SECONDS * sample_rate))
    frames = speech[: len(speech) // size * size].reshape(-1, size)
    loudness = np.sqrt((frames**2).mean(1))
    for quiet in _QUIET:
        sounds = loudness > quiet * loudness.max(initial=0)
        for seconds in _PAUSES_SECONDS:
            spans = _spans(sounds, round(seconds / _FRAME_SECONDS))
            if len(spans) == pieces:
                return [slice(max(0, start - 1) * size, (stop + 1) * size) for start, stop in spans]
    return []


def joined(pieces: Sequence[Array], values: Perturbing, sample_rate: int, random: np.random.Generator) -> Array:
    """Pieces one after the other with pauses between them, each a little louder or softer."""
    parts = []
    for piece in pieces:
        parts.append(piece * np.float32(10 ** (random.uniform(-3, 3) / 20)))
        parts.append(np.zeros(round(sample_rate * random.uniform(*values.pause_seconds)), np.float32))
    return np.concatenate(parts[:-1])


def _silence_beside(values: Perturbing, sample_rate: int, random: np.random.Generator) -> int:
    samples = round(sample_rate * random.uniform(0, values.lead_seconds))
    return 0 if random.random() < values.abrupt_probability else samples


def _spans(sounds: np.ndarray, gap: int) -> list[tuple[int, int]]:
    """The spans of sound (first frame, frame after the last), with gaps below `gap` frames closed."""
    found: list[tuple[int, int]] = []
    for frame in np.flatnonzero(sounds).tolist():
        if found and frame - found[-1][1] < gap:
            found[-1] = (found[-1][0], frame + 1)
        else:
            found.append((frame, frame + 1))
    return found


def _span(count: int, most: int, random: np.random.Generator) -> tuple[int, int]:
    width = int(random.integers(min(most, count) + 1))
    start = int(random.integers(count - width + 1))
    return start, start + width
