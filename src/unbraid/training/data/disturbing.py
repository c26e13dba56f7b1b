"""Disturbances of one person's speech, as of speech that was separated from other voices.

    room → another voice, softer → noise → a gain over frequency → band limits → gate

Levels are not varied: the networks that learn from this read levels relative to the loudest one.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft

from unbraid.corpora.levels import Array, looped, with_noise
from unbraid.corpora.rooms import Response, draw_room, heard, responses
from unbraid.training.data.augmentation import Perturbing, equalised, gated
from unbraid.training.tables import Above, NonNegative, Positive, Share, Span, Table, Whole


@dataclass(frozen=True)
class Disturbing(Table):
    """The distribution of disturbances; the table `disturbing`. A pair holds the limits of a uniform distribution."""

    room_probability: Share = 0.3
    rooms: Positive = 100  # that are simulated; they are drawn over and over
    reverberation_seconds: tuple[Above, Above] = (0.15, 0.6)  # T60
    voice_probability: Share = 0.5
    voice_db: Span = (5.0, 25.0)  # how much softer another voice is
    noise_probability: Share = 0.5
    noise_snr_db: Span = (0.0, 25.0)
    equalise_db: NonNegative = 0.0  # standard deviation of a gain over frequency; means over time take it off again
    band_probability: Share = 0.2
    low_hz: Span = (50.0, 400.0)  # limits of the band that is left
    high_hz: Span = (2200.0, 4000.0)
    gate_probability: Share = 0.2
    gate_db: Span = (-36.0, -18.0)  # relative to the RMS of the loudest moment
    band_masks: Whole = 1  # of the log-mel spectrogram
    band_share: Share = 0.12  # of the bands, at most, in each mask
    time_masks: Whole = 1
    time_seconds: NonNegative = 0.12  # at most, each

    @property
    def masks(self) -> Perturbing:
        """The masks of the log-mel spectrogram."""
        return Perturbing(
            band_masks=self.band_masks,
            band_share=self.band_share,
            time_masks=self.time_masks,
            time_seconds=self.time_seconds,
        )


def disturbed(
    voice: Array,
    other: Array | None,
    noise: Array | None,
    values: Disturbing,
    sample_rate: int,
    random: np.random.Generator,
) -> Array:
    """A voice (T,) with all that befalls it: (T,). The other voice and the noise (t,) are of any length."""
    if random.random() < values.room_probability:
        near, far = _room(int(random.integers(values.rooms)), values.reverberation_seconds, sample_rate)
        voice = heard(voice, near.whole, near.delay)
        other = None if other is None else heard(other, far.whole, near.delay)
    if other is not None:
        voice = with_noise(voice, looped(other, len(voice), random), random.uniform(*values.voice_db))
    if noise is not None:
        voice = with_noise(voice, looped(noise, len(voice), random), random.uniform(*values.noise_snr_db))
    if values.equalise_db:
        voice = equalised(voice, values.equalise_db, random)
    if random.random() < values.band_probability:
        voice = band_limited(voice, random.uniform(*values.low_hz), random.uniform(*values.high_hz), sample_rate)
    if random.random() < values.gate_probability:
        voice = gated(voice, random.uniform(*values.gate_db), sample_rate)
    return voice


def band_limited(audio: Array, low_hz: float, high_hz: float, sample_rate: int) -> Array:
    """Audio (T,) between two frequencies, with slopes of 24 dB per octave (those of a Butterworth filter, order 4)."""
    size = next_fast_len(len(audio), real=True)
    hz = np.maximum(np.fft.rfftfreq(size, 1 / sample_rate), 1e-3)
    gain = 1 / np.sqrt((1 + (low_hz / hz) ** 8) * (1 + (hz / high_hz) ** 8))
    out: Array = irfft(rfft(audio, size) * gain.astype(np.float32), size)[: len(audio)]
    return out.astype(np.float32, copy=False)


@cache
def _room(number: int, reverberation_seconds: tuple[float, float], sample_rate: int) -> list[Response]:
    """Two voices in a room, the same in every run."""
    random = np.random.default_rng(number)
    return responses(draw_room(2, random.uniform(*reverberation_seconds), random), sample_rate)
