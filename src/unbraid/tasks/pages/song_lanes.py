"""The music of a song on its page: singers, chords, the melody and notes over a spectrogram, and lyrics.

A lane stays small however long the song is: of chords there are a few each second at most, the line of the
melody has at most `MOST_POINTS` points.
"""

from collections.abc import Iterator, Sequence
from html import escape
from itertools import pairwise

import numpy as np

from unbraid.tasks.analysis.chords import Chord, Chords
from unbraid.tasks.analysis.key import FLAT_CLASSES, PITCH_CLASSES, Key
from unbraid.tasks.analysis.lyrics import NO_LYRICS, Lyrics
from unbraid.tasks.analysis.melody import Melody
from unbraid.tasks.analysis.notes import Notes
from unbraid.tasks.analysis.singers import Singers
from unbraid.tasks.analysis.song import Song
from unbraid.tasks.pages.document import clock
from unbraid.tasks.pages.turns import COLOURS, lane, strip

MOST_POINTS = 20_000
HEIGHT = 1000  # of the overlay, in units
_GAP_SECONDS = 0.05  # between frames of one line


def song_facts(song: Song) -> dict[str, str]:
    """The facts about a song below the title."""
    return {"Key": key_told(song.key)}


def key_told(key: Key) -> str:
    """The key and tuning of a song, or why there is none."""
    tuning = f", {abs(key.tuning_cents):.0f} cents {'sharp' if key.tuning_cents > 0 else 'flat'}"
    return f"{key.name}{tuning if abs(key.tuning_cents) >= 10 else ''}" if key.name else f"none: {key.reason}"


def singer_lanes(singers: Singers, seconds: float, over: str) -> Iterator[str]:
    """A lane of bars for each singer."""
    for index, (name, time) in enumerate(singers.singing_seconds.items()):
        passages = [passage for passage in singers.passages if passage.speaker == name]
        told = f"sings {clock(round(time))}"
        view = strip(lane(passages, seconds), f"{name} {told}, in {len(passages)} passages", seconds, over)
        yield (
            f'<section class="lane singer" style="--ink: var(--c{index % COLOURS})"><header>'
            f'<h3><span class="dot"></span>{escape(name)}</h3><span class="dim">{told}</span></header>{view}</section>'
        )


def lyrics_section(lyrics: Lyrics) -> str:
    """The lines of the lyrics, each with its times; those that were not found are pale."""
    if not len(lyrics):
        return ""
    lines = "".join(
        f'<button type="button" data-start="{line.start:.3f}" data-end="{line.end:.3f}">{escape(line.text)}</button>'
        if line.start is not None and line.end is not None
        else f'<span class="dim">{escape(line.text)}</span>'
        for line in lyrics.lines
    )
    how = "times by" if lyrics.given else "as heard by"
    return (
        f'<section class="lane lyrics"><header><h2>Lyrics</h2><span class="dim">{how} {escape(lyrics.model or "")}'
        f'</span></header><div class="lines">{lines}</div></section>'
    )


def chord_lane(chords: Chords, seconds: float) -> str:
    """A box for each chord, a hue for each root; silence is left out."""
    return "".join(_chord(chord, seconds) for chord in chords if chord.name != "N")


def _chord(chord: Chord, seconds: float) -> str:
    root, _, quality = chord.name.partition(":")
    place = f"left: {100 * chord.start / seconds:.3f}%; width: {100 * (chord.end - chord.start) / seconds:.3f}%"
    times = f'data-start="{chord.start:.3f}" data-end="{chord.end:.3f}"'
    return f'<span class="{quality}" {times} style="{place}; --hue: {chord_hue(root)}">{escape(chord.short)}</span>'


def chord_hue(root: str) -> int:
    """The hue of a chord's root, in degrees; neighbours in the circle of fifths are 30 apart."""
    return 210 * (FLAT_CLASSES if root in FLAT_CLASSES else PITCH_CLASSES).index(root) % 360


def music_overlay(song: Song, seconds: float, band: tuple[float, float], stems: Sequence[str]) -> str:
    """The melody and notes, as SVG to lie over a spectrogram of this band in Hz; in the colours of the stems."""
    rolls = "".join(
        f'<path class="roll" style="--ink: var(--p{stems.index(stem) % COLOURS})" d="{_roll(notes, band)}"/>'
        for stem, notes in song.notes.items()
        if len(notes) and stem in stems
    )
    told = f"Melody of {len(song.melody.notes)} notes; " + "; ".join(
        f"{len(notes)} notes of {stem}" for stem, notes in song.notes.items()
    )
    return (
        f'<svg class="overlay" role="img" aria-label="{escape(told)}" preserveAspectRatio="none" '
        f'viewBox="0 0 {seconds:.3f} {HEIGHT}">{rolls}<path class="melody" d="{_line(song.melody, band)}"/></svg>'
    )


def music_legend(song: Song, stems: Sequence[str]) -> str:
    """What the colours mean, and why something is missing."""
    keys = ['<span><span class="dot melody"></span>melody of the voice</span>']
    for stem, notes in song.notes.items():
        if len(notes) and stem in stems:
            ink = f"var(--c{stems.index(stem) % COLOURS})"
            keys.append(f'<span style="--ink: {ink}"><span class="dot"></span>notes of {escape(stem)}</span>')
    parts = {"Singers": song.singers.reason, "Chords": song.chords.reason, "Melody": song.melody.reason}
    parts |= {f"Notes of {stem}": notes.reason for stem, notes in song.notes.items()}
    parts["Drums"] = song.drums.reason
    if song.lyrics.reason != NO_LYRICS:
        parts["Lyrics"] = song.lyrics.reason
    named: dict[str, list[str]] = {}
    for name, reason in parts.items():
        if reason:
            named.setdefault(reason, []).append(name)
    missing = [f"{', '.join(names)}: none, {escape(reason)}." for reason, names in named.items()]
    shown = keys if len(song.melody) else keys[1:]
    told = f'<span class="reasons">{" ".join(missing)}</span>' if missing else ""
    return f'<span class="keys">{" ".join(shown)}</span>{told}'


def _height(hz: float, band: tuple[float, float]) -> float:
    """The place of a frequency in the overlay, from the top."""
    return float(HEIGHT * (1 - np.log(hz / band[0]) / np.log(band[1] / band[0])))


def _roll(notes: Notes, band: tuple[float, float]) -> str:
    """The notes of a stem as bars of a little more than a semitone, or they would hardly be seen."""
    half = HEIGHT * np.log(2) / 20 / np.log(band[1] / band[0])
    return "".join(
        f"M{n.start:.2f} {_height(n.hz, band) - half:.1f}h{n.end - n.start:.2f}v{2 * half:.1f}h{n.start - n.end:.2f}z"
        for n in notes
        if band[0] < n.hz < band[1]
    )


def _line(melody: Melody, band: tuple[float, float]) -> str:
    """The melody as lines, one for each passage."""
    voiced = np.flatnonzero(melody.hz > band[0])
    voiced = voiced[:: -(-len(voiced) // MOST_POINTS) or 1]
    if not len(voiced):
        return ""
    step = float(np.median(np.diff(melody.times))) * max(1, -(-len(melody) // MOST_POINTS))
    times, heights = melody.times[voiced], [_height(hz, band) for hz in melody.hz[voiced].tolist()]
    begins = [True, *(after - before > step + _GAP_SECONDS for before, after in pairwise(times.tolist()))]
    return "".join(
        f"{'M' if begin else 'L'}{time:.2f} {height:.1f}"
        for begin, time, height in zip(begins, times.tolist(), heights, strict=True)
    )
