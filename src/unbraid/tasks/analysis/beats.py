"""Tempo and beats of a song.

The evidence for a beat is onsets of drums, bass, voice and the rest, in three bands each, and changes of harmony in
the bass and above. `beat_path` finds the beats that it speaks for. Where bars begin is not told: it is right too
seldom (docs/analysis.md). The result is empty, with the reason, where
nothing is heard that could have a beat.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from unbraid.dsp.arrays import FloatArray
from unbraid.dsp.chroma import FRAMES_PER_SECOND as CHROMA_RATE
from unbraid.dsp.onsets import FRAMES_PER_SECOND
from unbraid.tasks.analysis.beat_path import Weights, best_path
from unbraid.tasks.analysis.music_features import BASS, OTHER, ROLES, MusicFeatures
from unbraid.tasks.analysis.weights import beat_weights

METHOD = "beats"
LEAST_SECONDS = 6.0  # of a song that has a tempo
LEAST_SCORE = 2.0  # of the path for ten seconds: songs have 2.5 to 9, noise 1.2, people who talk 2
FEWEST = 4  # beats
FAINT_ONSETS = 0.003  # mean strength of a recording that has none
NO_PULSE = "no steady pulse is heard in it"
TOO_SHORT = f"it is shorter than {LEAST_SECONDS:g} s"

_SMOOTHING = np.array([0.25, 0.6, 1.0, 0.6, 0.25], np.float32)  # frames: onsets are not quite on time
_AROUND, _LOUDNESS = 41, 1001  # frames of the moving mean, and of the level
_QUIET = 0.1  # of the mean level: passages below it are not raised to it
_NOVELTY_FRAMES = 5  # of chroma on either side
_NOVELTY_WEIGHT = 0.1  # to be about as large as onsets
_ALIKE = 0.1  # intervals that differ from the median by less are those of the tempo

Times = npt.NDArray[np.float64]


def _none() -> Times:
    return np.zeros(0)


@dataclass(frozen=True, eq=False)
class Beats:
    """The beats of a song."""

    times: Times = field(default_factory=_none)  # (n,) seconds
    bpm: float | None = None  # beats a minute, of most of the song
    model: str = METHOD
    stem: str | None = "drums, bass, other, vocals"  # None: the recording as it is
    separator: str | None = None  # the model that separated the stems
    seconds: float = 0.0  # of the recording
    reason: str | None = None  # why there are none

    def __len__(self) -> int:
        return len(self.times)

    def __iter__(self) -> Iterator[float]:
        return iter(self.times.tolist())


def beats_of(features: MusicFeatures, weights: Weights | None = None) -> Beats:
    """The beats of a song, with the weights of the package."""
    stem = "drums, bass, other, vocals" if features.onsets.shape[1] == len(ROLES) else None
    nothing = Beats(stem=stem, seconds=features.seconds)
    if reason := features.reason:
        return replace(nothing, reason=reason)
    if features.seconds < LEAST_SECONDS:
        return replace(nothing, reason=TOO_SHORT)
    if features.onsets.mean() < FAINT_ONSETS:
        return replace(nothing, reason=NO_PULSE)
    path, score = best_path(evidence_of(features), weights or beat_weights())
    if score < LEAST_SCORE or len(path) < FEWEST:
        return replace(nothing, reason=NO_PULSE)
    times = np.array([beat.frame for beat in path]) / FRAMES_PER_SECOND
    return replace(nothing, times=times, bpm=tempo(times))


def tempo(times: Times) -> float:
    """Beats a minute of two beats or more: the mean of the intervals that are about as long as their median."""
    intervals = np.diff(times)
    median = np.median(intervals)
    return float(60 / intervals[np.abs(intervals - median) <= _ALIKE * median].mean())


def evidence_of(features: MusicFeatures) -> FloatArray:
    """The evidence (N, D) of `beat_path`, in frames of 10 ms; its level does not depend on that of the song."""
    onsets = features.onsets.reshape(len(features.onsets), -1).astype(np.float32)
    onsets = np.stack([np.convolve(column, _SMOOTHING, "same") for column in onsets.T], 1)
    onsets -= _moving_mean(onsets, _AROUND)
    energy = np.square(onsets).sum(1)
    level = np.sqrt(np.maximum(_moving_mean(energy[:, None], _LOUDNESS), 0))
    level = np.maximum(level, _QUIET * np.sqrt(energy.mean())) + 1e-6
    return np.concatenate((onsets / level, _NOVELTY_WEIGHT * _novelty(features, len(onsets))), 1).astype(np.float32)


def _novelty(features: MusicFeatures, frames: int) -> FloatArray:
    """How much the harmony changes (N, 2), in the bass and above, at the frames of onsets; of mean 0 and variance 1."""
    chroma = features.chroma
    roles = (0, 0) if chroma.shape[1] == 1 else (BASS, OTHER)
    registers = np.stack((chroma[:, roles[0], 0], chroma[:, roles[1], 1]), 1)  # (M, 2, 12)
    norms = np.sqrt(np.square(registers).sum(-1, keepdims=True))
    registers = registers / (norms.mean(0, keepdims=True) + 1e-6)
    sums = np.concatenate((np.zeros((1, *registers.shape[1:])), np.cumsum(registers, 0, dtype=np.float64)))
    places, most = np.arange(len(registers)), len(registers)
    after = sums[np.minimum(places + _NOVELTY_FRAMES, most)] - sums[places]
    before = sums[places] - sums[np.maximum(places - _NOVELTY_FRAMES, 0)]
    change = np.sqrt(np.square((after - before) / _NOVELTY_FRAMES).sum(-1))  # (M, 2)
    ratio = FRAMES_PER_SECOND // CHROMA_RATE
    moments = np.arange(frames)
    fine = np.stack([np.interp(moments, places * ratio, column) for column in change.T], 1)
    return np.asarray((fine - fine.mean(0)) / (fine.std(0) + 1e-6), np.float32)


def _moving_mean(values: FloatArray, size: int) -> FloatArray:
    """Means (N, D) over so many frames around each; at the ends, the first and last values go on."""
    half = size // 2
    padded = np.pad(values, ((half + 1, half), (0, 0)), mode="edge").cumsum(0, np.float64)
    return np.asarray((padded[size:] - padded[:-size]) / size, np.float32)
