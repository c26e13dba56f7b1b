"""Unusable training recordings: each is set aside with one warning, and the run continues without it.

Problems in the header (no audio, no samples, too many channels, lengths that differ) are found before the first step.
Problems in the samples (damage, NaN, silence) are found when a recording is drawn, and another one replaces it. The
replacement depends on the position alone, not on earlier reads, so that a resumed run draws the same; therefore a
recording that is damaged in one place is read again wherever it is drawn.
"""

import warnings
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np
from torch.utils.data import Dataset

from unbraid.corpora.levels import Array
from unbraid.corpora.set_aside import SetAside
from unbraid.errors import AudioError, UsageError

SILENT_PEAK = 1e-4  # -80 dBFS
T = TypeVar("T")
Key = TypeVar("Key", bound=Hashable)


class Aside:
    """The recordings set aside so far, and the reason for the first."""

    def __init__(self) -> None:
        self._keys: set[Hashable] = set()
        self.reason = ""

    def __len__(self) -> int:
        return len(self._keys)

    def attempt(self, key: Hashable, read: Callable[[], T]) -> T | None:
        """The result of `read`, or None if it fails; the first failure of a key is a warning."""
        try:
            return read()
        except AudioError as error:
            if key not in self._keys:
                self._keys.add(key)
                self.reason = self.reason or str(error)
                warnings.warn(SetAside(f"{error} It is set aside, and training goes on without it."), stacklevel=3)
            return None

    def usable(self, keys: Sequence[Key], check: Callable[[Key], object]) -> list[Key]:
        """The recordings that pass a check, in order."""

        def passes(key: Key) -> bool:
            return self.attempt(key, lambda: (check(key),)) is not None

        fine = {key: passes(key) for key in dict.fromkeys(keys)}
        return [key for key in keys if fine[key]]

    def told(self) -> str:
        """A sentence about the recordings set aside, to be added to an error about too few."""
        return f" {len(self)} set aside, the first because: {self.reason}" if self._keys else ""

    def first(self, position: int, keys: Sequence[Key], read: Callable[[Key], T]) -> T:
        """The result for the key at a position, or for the next key that can be read.

        Raises:
            AudioError: none can.
            IndexError: there is no such position, which ends a loop over a data set.
        """
        position = range(len(keys))[position]
        for k in range(len(keys)):
            key = keys[(position + k) % len(keys)]
            if (found := self.attempt(key, partial(read, key))) is not None:
                return found
        raise AudioError(f"None of {len(keys)} recordings can be read.{self.told()}")


class UsableItems(Dataset[Any]):
    """An item for each recording of a list that can be read, one after the other; a subclass knows how."""

    def __init__(self, recordings: Sequence[Any], none: str):
        self._aside = Aside()
        self.recordings = self._aside.usable(recordings, self._check)
        if not self.recordings:
            raise UsageError(f"{none}{self._aside.told()}")

    def __len__(self) -> int:
        return len(self.recordings)

    def __getitem__(self, position: int) -> Any:
        return self._aside.first(position, self.recordings, self._item)

    def _check(self, recording: Any) -> object:
        """Refuse a recording by its header (AudioError)."""
        raise NotImplementedError

    def _item(self, recording: Any) -> Any:
        raise NotImplementedError


def check_sounds(audio: Array, name: object) -> Array:
    """Pass on audio that is not silent.

    Raises:
        AudioError: it is.
    """
    if not audio.size or float(np.abs(audio).max()) <= SILENT_PEAK:
        raise AudioError(f"{name} is silent from its beginning to its end.")
    return audio
