"""A picture of a song, as PNG or SVG, if matplotlib is installed: singers, chords, and melody and notes over one time.

Backgrounds are transparent and inks of a middle lightness, as those of all plots.
"""

import importlib.util
import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import numpy as np

from unbraid.errors import lacking
from unbraid.tasks.analysis.chords import Chord
from unbraid.tasks.analysis.key import FLAT_CLASSES, PITCH_CLASSES
from unbraid.tasks.analysis.song import Song
from unbraid.tasks.pages.document import clock
from unbraid.tasks.pages.plots import BLUE, INK, ORANGE, figure
from unbraid.tasks.pages.times import ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Form = Literal["png", "svg"]
FORMS = ("png", "svg")
_INKS = (BLUE, "#4caf6a", "#b07fd6", "#3fb5a8", "#d98cb3", "#9a8f5a")  # of stems and singers
_WIDTH = 12.0  # inches
_LETTERS = 400  # chords, above which their names would lie on each other
_OCTAVES = (36, 48, 60, 72, 84)
_Panel = tuple[float, Callable[["Axes", Song], None]]  # its height in inches, and what draws it


def check_plots() -> None:
    """Refuse pictures where they cannot be drawn.

    Raises:
        RuntimeUnavailable: matplotlib is not installed.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise lacking("Plotting", "matplotlib", get="matplotlib")


def song_plot(song: Song, form: Form) -> bytes | None:
    """The picture; None where nothing was found.

    Raises:
        RuntimeUnavailable: matplotlib is not installed.
    """
    check_plots()
    panels: list[_Panel] = []
    if names := song.singers.names:
        panels.append((0.35 + 0.3 * len(names), _singers))
    if len(song.chords):
        panels.append((0.6, _chords))
    if len(song.melody) or any(map(len, song.notes.values())):
        panels.append((3.6, _pitches))
    if not panels:
        return None
    heights = [height for height, _ in panels]
    with figure(_WIDTH, sum(heights) + 0.7) as drawn:
        rows = drawn.subplots(len(panels), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
        for axes, (_, draw) in zip(rows, panels, strict=True):
            draw(axes, song)
        rows[-1].set_xlim(0, song.seconds)
        rows[-1].set_xticks(times := ticks(song.seconds), [clock(time) for time in times])
        content = io.BytesIO()
        drawn.savefig(content, format=form, transparent=True, metadata={"Date": None} if form == "svg" else None)
    return content.getvalue()


def _singers(axes: "Axes", song: Song) -> None:
    """A row of bars for each singer."""
    names = song.singers.names
    for row, name in enumerate(names):
        bars = [(p.start, p.seconds) for p in song.singers.passages if p.speaker == name]
        axes.broken_barh(bars, (row - 0.35, 0.7), color=_INKS[row % len(_INKS)])
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)


def _chords(axes: "Axes", song: Song) -> None:
    """A box for each chord, the hue of its root; minor ones are paler."""
    from matplotlib.colors import hsv_to_rgb

    shown = [chord for chord in song.chords if chord.name != "N"]
    for chord in shown:
        colour = (*hsv_to_rgb((_hue(chord), 0.6, 0.85)), 0.35 if chord.name.endswith(":min") else 0.7)
        axes.broken_barh(
            [(chord.start, chord.end - chord.start)], (0, 1), facecolor=colour, edgecolor=INK, linewidth=0.5
        )
        if len(shown) <= _LETTERS:
            middle = (chord.start + chord.end) / 2
            axes.text(middle, 0.5, chord.short, ha="center", va="center", fontsize=8, clip_on=True)
    axes.set_yticks([0.5], ["chords"])
    axes.set_ylim(0, 1)


def _hue(chord: Chord) -> float:
    """From 0 to 1, neighbours in the circle of fifths next to each other."""
    root = chord.name.partition(":")[0]
    classes = FLAT_CLASSES if root in FLAT_CLASSES else PITCH_CLASSES
    return 7 * classes.index(root) % 12 / 12


def _pitches(axes: "Axes", song: Song) -> None:
    """The notes of each stem as bars, and the melody of the voice over them."""
    for index, (stem, notes) in enumerate(song.notes.items()):
        ink, label = _INKS[index % len(_INKS)], f"notes of {stem}"
        for pitch in sorted({note.pitch for note in notes}):
            bars = [(note.start, note.end - note.start) for note in notes if note.pitch == pitch]
            axes.broken_barh(bars, (pitch - 0.5, 1), color=ink, alpha=0.8, label=label)
            label = "_"  # one entry for all pitches
    if len(song.melody):
        hz = np.where(song.melody.hz > 0, song.melody.hz, np.nan)
        axes.plot(
            song.melody.times, 69 + 12 * np.log2(hz / 440), color=ORANGE, linewidth=1.2, label="melody of the voice"
        )
    axes.set_yticks(_OCTAVES, [f"C{pitch // 12 - 1}" for pitch in _OCTAVES])
    axes.legend(loc="upper right", fontsize=8, ncols=4, frameon=False)
