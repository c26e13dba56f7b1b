"""Noise from a folder, added to every mixture at a signal-to-noise ratio, the same noise in every run.

The clip, its start and, if there is a range, the ratio are drawn by a generator seeded with the mixture's name,
independently of the other mixtures. A clip that is too short is repeated. SNR: power of the mixture over power of the
noise.
"""

import os
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unbraid.corpora import Clip, read_clip
from unbraid.corpora.levels import looped, with_noise
from unbraid.errors import AudioError

_TRIES = 10  # to find a clip that is not silent


@dataclass(frozen=True)
class AddedNoise:
    """Clips to draw from, and how loud they become."""

    clips: tuple[Clip, ...]
    snr_db: float
    to_db: float | None = None  # ratios are drawn from snr_db up to this; None: all are snr_db


def noisy(mixture: NDArray[np.float32], name: str, sample_rate: int, noise: AddedNoise) -> NDArray[np.float32]:
    """A mixture (T,) and its noise.

    Raises:
        AudioError: a clip cannot be read, or ten that were drawn are silent.
    """
    random = np.random.default_rng(zlib.crc32(os.fsencode(name)))
    for _ in range(_TRIES):
        clip = read_clip(noise.clips[random.integers(len(noise.clips))], sample_rate)  # (n,)
        piece = looped(clip, mixture.size, random)  # (T,)
        if piece.any():
            ratio = noise.snr_db if noise.to_db is None else random.uniform(noise.snr_db, noise.to_db)
            return with_noise(mixture, piece, ratio)
    raise AudioError(f"{_TRIES} noises drawn for {name} are all silent; take the silent ones out of the folder.")
