"""Dynamic mixing: random mixtures of voices and noise, with their targets. NumPy, with an explicit random generator.

    speed → crop, or zeros around a short voice → level → room → sum → noise

Speed perturbation after Ko et al. (Interspeech 2015), dynamic mixing after Subakan et al. (SepFormer, arXiv
2010.13154). The level of a mixture follows from its voices, without clipping, in float32.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import soxr

from unbraid.corpora.levels import REFERENCE_RMS, Array, cropped, looped, scaled_to, with_noise
from unbraid.corpora.rooms import draw_room, in_room
from unbraid.training.tables import Above, NonNegative, Share, Span, SpeedSpan, Table

PAUSE_RMS = 1e-3  # a crop below this (-60 dBFS) is a pause: a silent target, not one brought to a level


@dataclass(frozen=True)
class Mixing(Table):
    """The distribution of mixtures; a pair holds the limits of a uniform distribution."""

    crop_seconds: Above = 4.0
    speed: SpeedSpan = (0.95, 1.05)  # the pitch goes along
    level_db: Span = (-12.0, 6.0)  # of the voices of a mixture, over an RMS of 0.05
    spread_db: NonNegative = 2.5  # each voice is up to so much louder or softer than that
    latest_start: Share = 0.0  # voices begin late by up to this share of the crop
    one_voice_probability: Share = 0.0  # the other targets are silent
    voice_shares: tuple[float, ...] = ()  # of mixtures in which 1, 2, … voices speak; instead of the above
    noise_probability: Share = 0.0
    noise_snr_db: Span = (0.0, 15.0)  # power of all voices together over that of the noise
    room_probability: Share = 0.0
    reverberation_seconds: tuple[Above, Above] = (0.2, 0.5)  # T60 of rooms
    reverberant_targets: bool = False  # targets are the voices as heard in the room, not their direct paths

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.voice_shares and (min(self.voice_shares) < 0 or not 0 < sum(self.voice_shares) < np.inf):
            raise ValueError(f"voice_shares must be 0 or more each, and not all 0, got {list(self.voice_shares)}.")
        if self.voice_shares and self.one_voice_probability:
            raise ValueError("voice_shares says how many voices speak; leave one_voice_probability out.")

    def has_fewer(self, sources: int) -> bool:
        """Whether some mixtures have fewer voices than there are sources."""
        return sources > 1 and (self.one_voice_probability > 0 or sum(self.voice_shares[: sources - 1]) > 0)

    def crop_samples(self, sample_rate: int) -> int:
        """The length of a mixture."""
        return max(1, round(self.crop_seconds * sample_rate))

    def voice_samples(self, sample_rate: int) -> int:
        """The samples of a voice that suffice for a crop at any speed."""
        return int(self.crop_samples(sample_rate) * self.speed[1]) + 2


def mix(
    voices: Sequence[Array], mixing: Mixing, sample_rate: int, random: np.random.Generator, noise: Array | None = None
) -> tuple[Array, Array]:
    """The mixture (T,) and targets (S, T) of voices (t,) and optionally a noise (t,), of any length and level."""
    samples = mixing.crop_samples(sample_rate)
    level_db = random.uniform(*mixing.level_db)
    speaking = speaking_voices(mixing, len(voices), random.random())
    targets = np.zeros((len(voices), samples), np.float32)
    for row, voice in zip(targets[:speaking], voices, strict=False):
        gain_db = level_db + mixing.spread_db * random.uniform(-1, 1)
        voice = change_speed(voice, random.uniform(*mixing.speed))
        late = int(samples * random.uniform(0, mixing.latest_start))
        row[late:] = placed(at_level(cropped(voice, samples - late, random), gain_db), samples - late, random)
    sound = targets
    if random.random() < mixing.room_probability:
        room = draw_room(len(voices), random.uniform(*mixing.reverberation_seconds), random)
        sound, direct = in_room(targets, room, sample_rate)
        targets = sound if mixing.reverberant_targets else direct
    mixture = sound.sum(0)
    if noise is not None:
        mixture = with_noise(mixture, looped(noise, samples, random), random.uniform(*mixing.noise_snr_db))
    return mixture, targets


def speaking_voices(mixing: Mixing, voices: int, chance: float) -> int:
    """The number of voices that speak; `chance` is drawn from 0 to 1."""
    if not mixing.voice_shares:
        return 1 if chance < mixing.one_voice_probability else voices
    shares = np.cumsum(mixing.voice_shares)
    return 1 + int(np.searchsorted(shares, chance * shares[-1], side="right"))


def change_speed(voice: Array, speed: float) -> Array:
    """(t,) or (t, C) played `speed` times as fast, higher by as much: (t / speed, …)."""
    return voice if speed == 1 else np.asarray(soxr.resample(voice, speed, 1.0, "HQ"), np.float32)


def placed(voice: Array, samples: int, random: np.random.Generator) -> Array:
    """(samples,): the voice at a random place among zeros."""
    before = int(random.integers(samples - len(voice) + 1))
    return np.pad(voice, (before, samples - len(voice) - before))


def at_level(voice: Array, gain_db: float) -> Array:
    """A voice scaled to an RMS of 0.05 and a gain; a pause becomes silence."""
    if voice.size == 0 or np.sqrt(np.mean(voice**2)) < PAUSE_RMS:
        return np.zeros_like(voice)
    return scaled_to(voice, REFERENCE_RMS * 10 ** (gain_db / 20))
