"""The key of a song: the profile of pitch classes that fits what sounds best.

The profiles are Temperley's ("What's key for key? The Krumhansl-Schmuckler key-finding algorithm reconsidered", Music
Perception 17, 1999), which suit compressed magnitudes: theirs count whether a pitch class is in use more than how long.
"""

from dataclasses import dataclass

import numpy as np

from unbraid.dsp.arrays import FloatArray
from unbraid.tasks.analysis.music_features import DRUMS, ROLES, MusicFeatures

PITCH_CLASSES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
FLAT_CLASSES = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
FLAT_KEYS = {"major": (1, 3, 5, 8, 10), "minor": (0, 2, 3, 5, 7, 10)}  # roots of the keys that are written with flats
PROFILES = {
    "major": np.array([5.0, 2.0, 3.5, 2.0, 4.5, 4.0, 2.0, 4.5, 2.0, 3.5, 1.5, 4.0]),
    "minor": np.array([5.0, 2.0, 3.5, 4.5, 2.0, 4.0, 2.0, 4.5, 3.5, 2.0, 1.5, 4.0]),
}
METHOD = "Temperley's key profiles"
LEAST_FIT = 0.4  # correlation with the best profile
LEAST_SECONDS = 4.0
NO_PITCH = "only drums are heard in it"
NO_KEY = "its pitches are of no major or minor key"


@dataclass(frozen=True)
class Key:
    """The key of a song."""

    name: str | None  # "A minor"; None: there is none
    fit: float = 0.0  # correlation with the key's profile, up to 1
    second: str | None = None  # the next best key
    tuning_cents: float = 0.0  # of the song above 440 Hz
    model: str = METHOD
    stem: str | None = "bass, other, vocals"  # None: the recording as it is
    separator: str | None = None  # the model that separated the stems
    reason: str | None = None  # why there is none

    def __str__(self) -> str:
        return self.name or "no key"

    @property
    def has_flats(self) -> bool:
        """Whether it is written with flats, as F major and D minor are."""
        return self.name is not None and self.name in FLAT_NAMES


def key_of(features: MusicFeatures) -> Key:
    """The key of a song."""
    separated = features.chroma.shape[1] == len(ROLES)
    stem, tuning = "bass, other, vocals" if separated else None, round(features.tuning_cents, 1)
    if features.reason or features.seconds < LEAST_SECONDS:
        return Key(None, stem=stem, reason=features.reason or f"it is shorter than {LEAST_SECONDS:g} s")
    if not features.has_pitch:
        return Key(None, stem=stem, reason=NO_PITCH)
    pitched = features.chroma[:, DRUMS + 1 :] if separated else features.chroma
    fits = key_fits(pitched.sum((0, 1, 2)))
    best, second = sorted(fits, key=lambda name: -fits[name])[:2]
    if fits[best] < LEAST_FIT:
        return Key(None, fits[best], tuning_cents=tuning, stem=stem, reason=NO_KEY)
    return Key(best, round(fits[best], 3), second, tuning, stem=stem)


def key_name(root: int, mode: str) -> str:
    """The usual name of a key: Bb major, but A# is the tonic of none."""
    return f"{(FLAT_CLASSES if root in FLAT_KEYS[mode] else PITCH_CLASSES)[root]} {mode}"


FLAT_NAMES = frozenset(key_name(root, mode) for mode, roots in FLAT_KEYS.items() for root in roots)


def key_fits(weights: FloatArray) -> dict[str, float]:
    """The correlation of weights of pitch classes (12,), from C on, with each profile; 0 where all are equal."""
    centred = weights - weights.mean()
    length = np.sqrt(np.square(centred).sum())
    fits = {}
    for mode, profile in PROFILES.items():
        shape = (profile - profile.mean()) / np.sqrt(np.square(profile - profile.mean()).sum())
        for root in range(12):
            fits[key_name(root, mode)] = float(np.roll(shape, root) @ centred / length) if length > 0 else 0.0
    return fits
