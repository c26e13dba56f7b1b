"""Pairs of source and target for audio-to-audio networks: mixtures of one voice, or pairs of files.

Either side is a waveform (T,) or a log-mel spectrogram (N, F) of it (see `dsp.mel`), of a whole number of the network's
steps: waveforms end in zeros.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from unbraid.corpora.levels import Array
from unbraid.corpora.pairs import SourceTarget
from unbraid.errors import AudioError
from unbraid.training.data.aside import UsableItems
from unbraid.training.data.side_files import SideFiles
from unbraid.training.data.utterances import Hearing

SILENT_LEVEL = -1.0  # of a log-mel spectrogram


class Pair(NamedTuple):
    """One item, or several with an axis more in front."""

    source: Tensor  # (T,) or (N, F)
    target: Tensor  # (T,) or (N, F)
    heard: Tensor  # the mixture in the form of the target, the baseline


def pair_of(mixture: Array, voice: Array, source: Hearing, target: Hearing) -> Pair:
    """The pair of a mixture (T,) and the voice (T,) in it; a step is as long on both sides."""
    missing = -len(mixture) % source.step_samples
    mixture, voice = np.pad(mixture, (0, missing)), np.pad(voice, (0, missing))
    return Pair(*map(torch.from_numpy, (source(mixture), target(voice), target(mixture))))


class FilePairs(UsableItems):
    """One's own pairs of files, whole, or an excerpt of each that depends on (seed, position) alone.

    Source and target begin together, and are of the same number of steps, or differ by one.
    """

    def __init__(
        self,
        pairs: Sequence[SourceTarget],
        source: Hearing,
        target: Hearing,
        *,
        crop_steps: int | None = None,
        seed: int = 0,
    ):
        self._files = SideFiles(source), SideFiles(target)
        self._source, self._target = source, target
        self._crop_steps, self._seed = crop_steps, seed
        super().__init__(pairs, "There is no pair of files.")

    def __getitem__(self, position: int) -> Pair:
        if self._crop_steps is None:
            return self._aside.first(position, self.recordings, self._item)
        share = float(np.random.default_rng((self._seed, position)).random())
        return self._aside.first(position % len(self), self.recordings, lambda pair: self._item(pair, share))

    def _check(self, pair: SourceTarget) -> int:
        source, target = (files.steps(path) for files, path in self._sides(pair))
        if abs(source - target) > 1:
            seconds = [steps * self._source.step_samples / self._source.sample_rate for steps in (source, target)]
            raise AudioError(
                f"{pair.source.path} and {pair.target.path} differ in length ({seconds[0]:.3f} s, {seconds[1]:.3f} s); "
                "source and target last equally long."
            )
        return min(source, target)

    def _item(self, pair: SourceTarget, share: float = 0.0) -> Pair:
        """The pair, or an excerpt of it: from its beginning where `share` is 0, to its end where it is 1."""
        there = self._check(pair)
        steps = there if self._crop_steps is None else min(there, self._crop_steps)
        first = int(share * (there - steps + 1))
        source, target = (files.read(path, first, steps) for files, path in self._sides(pair))
        sides = ((source, self._source), (target, self._target), (self._heard(source, target), self._target))
        return Pair(*(torch.from_numpy(self._padded(*side)) for side in sides))

    def _heard(self, source: Array, target: Array) -> Array:
        """The source in the form of the target; of a vocoder, which has none, the target itself."""
        if self._source.mel == self._target.mel:
            return source
        return target if self._target.mel is None else self._target(source)

    def _padded(self, values: Array, hearing: Hearing) -> Array:
        """A side (n,) or (n, F) with silence behind it, up to the length of an excerpt."""
        missing = 0 if self._crop_steps is None else self._crop_steps * hearing.stride - len(values)
        ends = [(0, max(0, missing))] + [(0, 0)] * (values.ndim - 1)
        return np.pad(values, ends, constant_values=SILENT_LEVEL if hearing.mel else 0.0)

    def _sides(self, pair: SourceTarget) -> list[tuple[SideFiles, Path]]:
        return list(zip(self._files, (pair.source.path, pair.target.path), strict=True))
