"""The features of a song for its beats, key and chords, gathered from its stems block by block.

Four roles matter: drums, bass, vocals, and all other stems as one. Onsets and chroma take about 10 kB a second of the
recording; nothing else grows with its length.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from unbraid.audio import Resampler
from unbraid.dsp.arrays import FloatArray
from unbraid.dsp.chroma import SAMPLE_RATE, Chroma
from unbraid.dsp.onsets import Onsets
from unbraid.errors import UsageError

DRUMS, BASS, OTHER, VOCALS = range(4)
ROLES = ("drums", "bass", "other", "vocals")
FAINT = 10 ** (-30 / 10)  # power of the instruments, relative to the recording: what a voice leaves in their stems
SILENT = 10 ** (-70 / 10)  # mean power of a recording


@dataclass(frozen=True, eq=False)
class MusicFeatures:
    """Features of a song; S is the four roles, or 1 for a recording that was not separated."""

    onsets: FloatArray  # (N, S, 3), 100 a second
    chroma: FloatArray  # (M, S, 2, 12), ten a second
    tuning_cents: float  # above 440 Hz
    seconds: float
    powers: tuple[float, ...] = ()  # (S,) mean squares

    @property
    def reason(self) -> str | None:
        """Why there is no music in it: it is silent, or only a voice is heard."""
        if sum(self.powers) <= SILENT:
            return "it is silent"
        if len(self.powers) == len(ROLES) and sum(self.powers[:VOCALS]) < FAINT * sum(self.powers):
            return "only a voice is heard in it, no instruments"
        return None

    @property
    def has_pitch(self) -> bool:
        """Whether anything but drums is heard."""
        if len(self.powers) < len(ROLES):
            return self.reason is None
        return self.reason is None and sum(self.powers[BASS:]) > FAINT * sum(self.powers)


class MusicFeatureStream:
    """Takes the blocks of a song's stems, and gives its features at the end."""

    def __init__(self, sample_rate: int, roles: int = len(ROLES)) -> None:
        """For stems, or with one role for a recording as it is."""
        self._resampler = Resampler(sample_rate, SAMPLE_RATE, roles)
        self._onsets, self._chroma = Onsets(roles), Chroma(roles)
        self._energy = np.zeros(roles)
        self._samples = 0

    def push(self, stems: Mapping[str, FloatArray]) -> None:
        """Take a block (C, n) of each stem."""
        check_stems(stems)
        mono = {name: block.mean(0) for name, block in stems.items()}
        rest = [block for name, block in mono.items() if name not in ROLES or name == "other"]
        other = np.sum(rest, 0) if rest else np.zeros_like(mono["drums"])
        self.push_roles(np.stack([mono["drums"], mono["bass"], other, mono["vocals"]]))

    def push_roles(self, block: FloatArray) -> None:
        """Take a block (S, n) of the roles."""
        self._see(self._resampler(np.asarray(block, np.float32)))

    def finish(self) -> MusicFeatures:
        """The features of all blocks."""
        self._see(self._resampler.finish())
        chroma, tuning = self._chroma.finish()
        powers = tuple((self._energy / max(1, self._samples)).tolist())
        return MusicFeatures(self._onsets.finish(), chroma, tuning, self._samples / SAMPLE_RATE, powers)

    def _see(self, block: FloatArray) -> None:
        if block.shape[1]:
            self._energy += np.square(block, dtype=np.float64).sum(1)
            self._samples += block.shape[1]
            self._onsets.add(block)
            self._chroma.add(block)


def check_stems(stems: Mapping[str, object] | tuple[str, ...]) -> None:
    """Refuse stems that are not those of a song.

    Raises:
        UsageError: drums, bass or vocals are missing.
    """
    if lacking := [stem for stem in ("vocals", "drums", "bass") if stem not in stems]:
        raise UsageError(
            f"Key and chords are found in the stems vocals, drums and bass; this model has no {lacking[0]}. "
            f"Use music-4 or another model that separates them."
        )
