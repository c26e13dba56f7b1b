"""The chords of a song: major and minor triads, or none, from beat to beat.

The chroma of a beat, in the bass and above, is compared with a template of each quality that is turned to the twelve
roots; the templates are those of a multinomial logistic regression. A chord that goes on from one beat to the next is
likelier than another one, and the Viterbi algorithm finds the likeliest chords (after Sheh & Ellis, "Chord segmentation
and recognition using EM-trained hidden Markov models", ISMIR 2003).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from unbraid.dsp.arrays import FloatArray
from unbraid.dsp.chroma import FRAMES_PER_SECOND
from unbraid.tasks.analysis.key import FLAT_CLASSES, LEAST_SECONDS, NO_PITCH, PITCH_CLASSES
from unbraid.tasks.analysis.music_features import BASS, OTHER, ROLES, VOCALS, MusicFeatures
from unbraid.tasks.analysis.weights import chord_weights

METHOD = "chord templates"
GRID_SECONDS = 0.5  # where there are no beats
CHANGE = 1.0  # price of another chord, as a log probability
PARTS: tuple[tuple[int, int], ...] = ((BASS, 0), (OTHER, 0), (OTHER, 1), (VOCALS, 1), (BASS, 1))  # role, register
MIXTURE_PARTS: tuple[tuple[int, int], ...] = ((0, 0), (0, 1))
SILENT = 0.15  # of the median length of chroma: no chord

Times = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Chord:
    """A chord of a song."""

    start: float  # seconds
    end: float
    name: str  # of Harte's syntax: "A:min", "C:maj", or "N" for no chord
    confidence: float = 0.0  # 0 to 1: its mean probability among the 24 triads

    @property
    def short(self) -> str:
        """The name that musicians write: Am, C, or N."""
        root, _, quality = self.name.partition(":")
        return root + "m" * (quality == "min")


@dataclass(frozen=True)
class Chords:
    """The chords of a song, one after the other without gaps."""

    chords: tuple[Chord, ...]
    model: str = METHOD
    stem: str | None = "bass, other, vocals"  # None: the recording as it is
    separator: str | None = None  # the model that separated the stems
    seconds: float = 0.0  # of the recording
    reason: str | None = None  # why there are none

    def __iter__(self) -> Iterator[Chord]:
        return iter(self.chords)

    def __len__(self) -> int:
        return len(self.chords)


def chords_of(
    features: MusicFeatures,
    beats: Sequence[float] | Times,
    weights: FloatArray | None = None,
    *,
    flats: bool = False,
) -> Chords:
    """The chords of a song whose beats are known, in seconds; with the weights of the package.

    With `flats`, their roots are written with flats, as in the keys that have some.
    """
    separated = features.chroma.shape[1] == len(ROLES)
    nothing = Chords((), stem="bass, other, vocals" if separated else None, seconds=features.seconds)
    if features.reason or features.seconds < LEAST_SECONDS:
        return replace(nothing, reason=features.reason or f"it is shorter than {LEAST_SECONDS:g} s")
    if not features.has_pitch:
        return replace(nothing, reason=NO_PITCH)
    edges = edges_of(beats, features.seconds)
    heard, sounding = beat_chroma(features, edges)  # (n, M, 12), (n,)
    log_probs = log_probabilities(heard, chord_weights() if weights is None else weights)  # (n, 24)
    path = np.where(sounding, likeliest(log_probs, CHANGE), -1)
    certain = np.exp(log_probs[np.arange(len(path)), path])
    starts = np.flatnonzero(np.diff(path, prepend=-2))
    chords = [
        Chord(
            float(edges[first]),
            float(edges[end]),
            chord_name(int(path[first]), flats=flats),
            round(float(certain[first:end].mean()), 3) if path[first] >= 0 else 0.0,
        )
        for first, end in zip(starts, [*starts[1:], len(path)], strict=True)
    ]
    return replace(nothing, chords=tuple(chords))


def edges_of(beats: Sequence[float] | Times, seconds: float) -> Times:
    """The bounds of the spans that have one chord each: the beats, or half seconds where there are none."""
    inside = np.asarray([beat for beat in beats if 0.1 < beat < seconds - 0.1])
    grid = inside if len(inside) else np.arange(GRID_SECONDS, seconds - 0.1, GRID_SECONDS)
    return np.concatenate(([0.0], grid, [seconds]))


def chord_name(number: int, *, flats: bool = False) -> str:
    """The name of a chord: 0 to 11 are major, 12 to 23 minor, and -1 is none; its root as the song's key is written."""
    roots = FLAT_CLASSES if flats else PITCH_CLASSES
    return "N" if number < 0 else f"{roots[number % 12]}:{'maj' if number < 12 else 'min'}"


def beat_chroma(features: MusicFeatures, edges: Times) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """The mean chroma between edges (n, M, 12), of length 1 where it is loud, and where anything sounds (n,)."""
    chroma = features.chroma
    parts = PARTS if chroma.shape[1] == len(ROLES) else MIXTURE_PARTS
    chosen = np.stack([chroma[:, role, register] for role, register in parts], 1)  # (M, parts, 12)
    sums = np.concatenate((np.zeros((1, *chosen.shape[1:])), np.cumsum(chosen, 0, dtype=np.float64)))
    frames = np.clip(np.round(edges * FRAMES_PER_SECOND + 0.5).astype(int), 0, len(chosen))
    firsts = np.minimum(frames[:-1], len(chosen) - 1)
    ends = np.maximum(frames[1:], firsts + 1)
    means = (sums[ends] - sums[firsts]) / (ends - firsts)[:, None, None]  # (n, parts, 12)
    lengths = np.sqrt(np.square(means).sum(-1).mean(-1))  # (n,)
    scaled = means / (lengths + 0.05 * lengths.mean() + 1e-6)[:, None, None]
    return scaled.astype(np.float32), lengths > SILENT * np.median(lengths)


def turned(heard: FloatArray) -> FloatArray:
    """Chroma (n, M, 12) as seen from each root: (n, 12, M · 12)."""
    return np.stack([np.roll(heard, -root, -1).reshape(len(heard), -1) for root in range(12)], 1)


def log_probabilities(heard: FloatArray, weights: FloatArray) -> FloatArray:
    """Log probabilities (n, 24) of the triads, given templates with a bias at the end (2, M · 12 + 1)."""
    seen = turned(heard)
    scores = np.concatenate([seen @ template[:-1] + template[-1] for template in weights], 1)  # (n, 24)
    scores -= scores.max(1, keepdims=True)
    return np.asarray(scores - np.log(np.exp(scores).sum(1, keepdims=True)), np.float32)


def likeliest(log_probs: FloatArray, change: float) -> npt.NDArray[np.int_]:
    """The likeliest sequence (n,) of chords, where another chord has a price."""
    values, states = log_probs[0].astype(np.float64), np.arange(log_probs.shape[1])
    back = np.zeros(log_probs.shape, np.int16)
    for step in range(1, len(log_probs)):
        best = int(values.argmax())
        stays = values >= values[best] - change
        back[step] = np.where(stays, states, best)
        values = np.where(stays, values, values[best] - change) + log_probs[step]
    path = np.zeros(len(log_probs), int)
    path[-1] = int(values.argmax())
    for step in range(len(log_probs) - 1, 0, -1):
        path[step - 1] = back[step, path[step]]
    return path
