"""The truth about a rendered song, from its MIDI file: beats, downbeats, key and chords.

Beats and bars are those of the tempo map and the time signatures; without one, a file has four quarters in a bar. Few
files tell their key, and those that do mostly say C; so the key is that of the written notes, by the profile that fits
their pitch classes best, weighted by duration. The chord of a beat is the major or minor triad whose three notes sound
and hold nearly all of what sounds; a beat with notes that are no such triad (power chords, single notes) is "X", which
mir_eval leaves out.
"""

from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from unbraid.corpora.rendering.draw import play_through
from unbraid.corpora.rendering.midi import DRUM_CHANNEL, mido, notes_of
from unbraid.corpora.rendering.plan import Plan

NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
TRIADS = {"maj": (0, 4, 7), "min": (0, 3, 7)}
LEAST_INSIDE = 0.8  # of what sounds, in the triad
LEAST_EACH = 0.04  # of what sounds, for each note of the triad
# Temperley, "What's key for key?", Music Perception 17 (1999)
MAJOR = np.array([5.0, 2.0, 3.5, 2.0, 4.5, 4.0, 2.0, 4.5, 2.0, 3.5, 1.5, 4.0])
MINOR = np.array([5.0, 2.0, 3.5, 4.5, 2.0, 4.0, 2.0, 4.5, 3.5, 2.0, 1.5, 4.0])


class Truth(NamedTuple):
    """The truth about a song, in seconds of the rendering."""

    beats: np.ndarray  # (n,)
    downbeats: np.ndarray  # (m,)
    key: str  # "C major"
    chords: list[tuple[float, float, str]]  # "C:maj", "N": silence, "X": anything else


def truth_of(plan: Plan) -> Truth:
    """The truth about a song of one excerpt."""
    excerpt, tempo, seconds = plan.excerpts[0], plan.tempo, plan.seconds
    beats, downbeats = (
        (times - excerpt.start_seconds) / tempo for times in grid(Path(excerpt.file), excerpt.start_seconds + 600)
    )
    notes = _sounding(plan)
    key = _key(_weights(notes, 0.0, seconds))
    edges = np.unique(np.clip(np.concatenate(([0.0], beats, [seconds])), 0, seconds))
    chords = [(a, b, _chord(_weights(notes, a, b))) for a, b in pairwise(edges)]
    inside = (beats >= 0) & (beats < seconds), (downbeats >= 0) & (downbeats < seconds)
    return Truth(beats[inside[0]], downbeats[inside[1]], key, chords)


def grid(path: Path, end: float) -> tuple[np.ndarray, np.ndarray]:
    """Beats and downbeats of a file in seconds: the quarters of its tempo map, or the beats of its time signatures."""
    file = mido().MidiFile(path, clip=True)
    tempos, metres = {0: 0.5}, {0: (4, 4)}
    for track in file.tracks:
        ticks = 0
        for message in track:
            ticks += message.time
            if message.type == "set_tempo":
                tempos[ticks] = message.tempo / 1e6
            elif message.type == "time_signature":
                metres[ticks] = (message.numerator, message.denominator)
    per_quarter = file.ticks_per_beat
    beats, downbeats, changes = [], [], sorted(metres)
    for index, change in enumerate(changes):
        top, bottom = metres[change]
        after = changes[index + 1] if index + 1 < len(changes) else np.inf
        step = per_quarter * 4 / bottom
        each = 3 if bottom >= 8 and top % 3 == 0 and top > 3 else 1  # 6/8 has two beats
        each = 2 if bottom == 8 and each == 1 else each  # 7/8: quarters, counted from the bar
        bar, tick = 0, float(change)
        while tick < after and _seconds(tick, tempos, per_quarter) < end:
            downbeats.append(tick)
            beats += [tick + step * n for n in range(0, top, each) if tick + step * n < after]
            bar += 1
            tick = change + bar * top * step
    return tuple(np.array([_seconds(t, tempos, per_quarter) for t in ticks]) for ticks in (beats, downbeats))


def _seconds(tick: float, tempos: dict[int, float], per_quarter: int) -> float:
    changes = [t for t in sorted(tempos) if t <= tick]
    spans = zip(changes, [*changes[1:], tick], strict=True)
    return sum((after - before) * tempos[before] / per_quarter for before, after in spans)


def _sounding(plan: Plan) -> list[tuple[float, float, int]]:
    """(start, end, pitch) of all notes but drums; a muted channel counts where the voice sings it."""
    sung = plan.singer.melody_channels[:1] if plan.singer and plan.singer.sung else ()
    silent = {strip.channel for strip in plan.strips if strip.muted and strip.channel not in sung}
    notes = notes_of(play_through(plan.excerpts, plan.tempo))
    return [
        (note.start, note.end, note.pitch + plan.transpose)
        for note in notes
        if note.channel != DRUM_CHANNEL and note.channel not in silent and note.program < 112
    ]


def _weights(notes: list[tuple[float, float, int]], start: float, end: float) -> np.ndarray:
    """How long each pitch class sounds within a time (12,)."""
    weights = np.zeros(12)
    for first, last, pitch in notes:
        weights[pitch % 12] += max(0.0, min(last, end) - max(first, start))
    return weights


def _key(weights: np.ndarray) -> str:
    fits = {
        f"{NAMES[root]} {mode}": np.corrcoef(np.roll(profile, root), weights)[0, 1]
        for mode, profile in (("major", MAJOR), ("minor", MINOR))
        for root in range(12)
    }
    return max(fits, key=lambda key: fits[key])


def _chord(weights: np.ndarray) -> str:
    total = weights.sum()
    if total <= 0:
        return "N"
    best, inside = "X", LEAST_INSIDE
    for quality, tones in TRIADS.items():
        for root in range(12):
            shares = weights[[(root + tone) % 12 for tone in tones]] / total
            if shares.sum() > inside and shares.min() >= LEAST_EACH:
                best, inside = f"{NAMES[root]}:{quality}", shares.sum()
    return best
