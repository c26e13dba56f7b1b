"""A melody for a voice: the most melodic channel of a song as one line of notes, moved into the voice's range."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from unbraid.corpora.rendering.midi import DRUM_CHANNEL, Note, part_of

_FEWEST_NOTES = 8
_LOWEST_PITCH, _HIGHEST_PITCH = 45, 96  # of a melody, as written: A2 to C7
_SHORTEST_SECONDS = 0.08  # of a note that can be sung
_BREATH_SECONDS, _LONGEST_PHRASE = 0.25, 6.0
_REST = 2.0  # seconds
_PENTATONIC = (0, 2, 4, 7, 9)


class Tone(NamedTuple):
    """A note of a melody."""

    start: float  # seconds
    end: float
    pitch: float  # MIDI's: 69 is 440 Hz


def melodic_channels(notes: Iterable[Note]) -> list[int]:
    """The channels that could be sung, the most melodic first: high, mostly one note at a time, and often sounding."""
    channels: dict[int, list[Note]] = {}
    for note in notes:
        if note.channel != DRUM_CHANNEL and part_of(note.channel, note.program) != "bass" and note.program < 112:
            channels.setdefault(note.channel, []).append(note)
    scores = {channel: _melodiousness(played) for channel, played in channels.items()}
    return sorted((c for c in scores if scores[c] > 0), key=lambda c: -scores[c])


def _melodiousness(notes: Sequence[Note]) -> float:
    pitch = float(np.mean([note.pitch for note in notes]))
    if len(notes) < _FEWEST_NOTES or not _LOWEST_PITCH <= pitch <= _HIGHEST_PITCH:
        return 0.0
    line = one_line(notes)
    sounding = sum(tone.end - tone.start for tone in line)
    alone = min(1.0, sounding / sum(max(0.01, note.end - note.start) for note in notes))
    changes = np.mean(np.diff([tone.pitch for tone in line]) != 0) if len(line) > 1 else 0.0
    return float(alone * (0.3 + changes) * min(1.0, sounding / 10) * (pitch / 60))


def one_line(notes: Sequence[Note]) -> list[Tone]:
    """The highest note at a time; one that begins while another sounds ends that, unless it is lower."""
    line: list[Tone] = []
    for note in sorted(notes, key=lambda n: (n.start, -n.pitch)):
        if line and note.start < line[-1].end:
            if note.start - line[-1].start < _SHORTEST_SECONDS or note.pitch < line[-1].pitch:
                continue
            line[-1] = line[-1]._replace(end=note.start)
        line.append(Tone(note.start, note.end, note.pitch))
    return [tone for tone in line if tone.end - tone.start >= _SHORTEST_SECONDS]


def together(lines: Iterable[Sequence[Tone]]) -> list[Tone]:
    """The first line, filled in its rests of 2 s or more from the next line."""
    sung: list[Tone] = []
    for line in lines:
        ends = [0.0, *(tone.end for tone in sung)]
        starts = [*(tone.start for tone in sung), np.inf]
        rests = [(end + 0.5, start - 0.5) for end, start in zip(ends, starts, strict=True) if start - end >= _REST]
        fitting = [tone for tone in line if any(start <= tone.start and tone.end <= end for start, end in rests)]
        sung = sorted([*sung, *fitting]) if sung else list(line)
    return sung


def made_up(seconds: float, random: np.random.Generator) -> list[Tone]:
    """A melody for songs that have none: a walk over a pentatonic scale, in phrases."""
    beat = random.uniform(0.25, 0.5)
    root, step, now = int(random.integers(12)) + 48, int(random.integers(8)), beat
    line: list[Tone] = []
    while now < seconds - 2 * beat:
        length = beat * float(random.choice((0.5, 1, 1, 2, 3)))
        step = int(np.clip(step + random.integers(-2, 3), 0, 9))
        line.append(Tone(now, min(seconds, now + 0.95 * length), root + 12 * (step // 5) + _PENTATONIC[step % 5]))
        now += length + (2 * beat if random.random() < 0.15 else 0)
    return line


def into_range(line: Sequence[Tone], centre_hz: float) -> list[Tone]:
    """The melody moved by octaves to lie around a pitch; notes further than an octave from it are moved alone."""
    if not line:
        return []
    centre = 69 + 12 * np.log2(centre_hz / 440)
    shift = 12 * round((centre - float(np.median([tone.pitch for tone in line]))) / 12)
    moved = []
    for tone in line:
        pitch = tone.pitch + shift
        while abs(pitch - centre) > 12:
            pitch += 12 if pitch < centre else -12
        moved.append(tone._replace(pitch=pitch))
    return moved


def phrases(line: Sequence[Tone]) -> list[list[Tone]]:
    """The melody between breaths."""
    found: list[list[Tone]] = []
    for tone in line:
        legato = found and tone.start - found[-1][-1].end < _BREATH_SECONDS
        if legato and tone.end - found[-1][0].start < _LONGEST_PHRASE:
            found[-1].append(tone)
        else:
            found.append([tone])
    return found
