"""An endless noise made of clips in random order, each at the same RMS, cross-faded."""

from collections.abc import Iterator, Sequence

import numpy as np

from unbraid.corpora.levels import Array, scaled_to
from unbraid.corpora.mixtures import Clip, read_clip, read_head
from unbraid.errors import AudioError

LONGEST_SECONDS = 30.0  # of a clip at a time; a longer one is entered at a random place
_FADE_SECONDS = 0.25
_TRIES = 10  # to find a clip that is not silent


class NoiseFeed:
    """Noise, read piece by piece."""

    def __init__(self, clips: Sequence[Clip], sample_rate: int, rms: float, random: np.random.Generator) -> None:
        self._clips, self._rate, self._rms, self._random = clips, sample_rate, rms, random
        self._fade = max(1, round(_FADE_SECONDS * sample_rate))
        self._pieces = self._faded()
        self._left = np.zeros(0, np.float32)

    def read(self, samples: int) -> Array:
        """The next (samples,).

        Raises:
            AudioError: a clip cannot be read, or ten that were drawn are silent.
        """
        found = [self._left]
        while (missing := samples - sum(map(len, found))) > 0:
            found.append(next(self._pieces))
        whole = np.concatenate(found)
        self._left = whole[len(whole) + min(0, missing) :]
        return whole[:samples]

    def _faded(self) -> Iterator[Array]:
        """Clips, the end of each mixed with the start of the next at constant power."""
        angle = np.linspace(0, np.pi / 2, self._fade, endpoint=False, dtype=np.float32)
        tail = np.zeros(self._fade, np.float32)
        while True:
            clip = self._drawn()
            clip[: self._fade] = np.sin(angle) * clip[: self._fade] + np.cos(angle) * tail
            tail = clip[-self._fade :].copy()
            yield clip[: -self._fade]

    def _drawn(self) -> Array:
        for _ in range(_TRIES):
            clip = self._clips[int(self._random.integers(len(self._clips)))]
            seconds = read_head(clip, self._rate).samples / self._rate
            if seconds > LONGEST_SECONDS:
                clip = clip.part(float(self._random.uniform(0, seconds - LONGEST_SECONDS)), LONGEST_SECONDS)
            sound = read_clip(clip, self._rate)  # (n,)
            if len(sound) > 2 * self._fade and sound.any():
                return scaled_to(sound, self._rms).copy()
        raise AudioError(
            f"{_TRIES} noises that were drawn are silent or shorter than {2 * _FADE_SECONDS:g} s, {clip.path} for one; "
            "take such files out of the folder."
        )
