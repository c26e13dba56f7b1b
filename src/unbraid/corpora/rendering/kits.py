"""Drum kits of samples, as Hydrogen has them: drumkit.xml and recordings, for each drum by loudness.

A kit is played by adding its samples. The kind of an instrument is guessed from its name, since kits number them
differently; a missing drum is replaced by a similar one. (http://hydrogen-music.org)
"""

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import numpy as np

from unbraid import audio
from unbraid.corpora.rendering.effects import Array
from unbraid.corpora.rendering.midi import Note
from unbraid.corpora.rendering.synth import RATE
from unbraid.errors import UnbraidError

# The kind of an instrument by its name; the first match counts.
_NAMES = (
    ("side stick", r"stick|rim"),
    ("kick", r"kick|bass ?drum|^bd"),
    ("snare", r"snare|^sn\d|^sd"),
    ("clap", r"clap|snap"),
    ("open hat", r"(hat|hh).*(op|free|swish)|(op).*(hat|hh)|\bohh"),
    ("pedal hat", r"(hat|hh).*(ped|pd)|(ped).*(hat|hh)"),
    ("closed hat", r"hat|hh"),
    ("low tom", r"tom.*(low|floor|lo\b|3)|floor"),
    ("middle tom", r"tom.*(mid|2)"),
    ("high tom", r"tom"),
    ("splash", r"splash"),
    ("bell", r"bell|cup"),
    ("ride", r"ride"),
    ("crash", r"crash|china"),
    ("cowbell", r"cowbell"),
    ("tambourine", r"tamb"),
)
# The percussion of General MIDI, and the drum that replaces a missing one.
_DRUMS = {
    35: "kick", 36: "kick", 37: "side stick", 38: "snare", 39: "clap", 40: "snare", 41: "low tom", 42: "closed hat",
    43: "low tom", 44: "pedal hat", 45: "middle tom", 46: "open hat", 47: "middle tom", 48: "high tom", 49: "crash",
    50: "high tom", 51: "ride", 52: "crash", 53: "bell", 54: "tambourine", 55: "splash", 56: "cowbell", 57: "crash",
    59: "ride",
}  # fmt: skip
_KIN = {
    "side stick": "snare", "clap": "snare", "pedal hat": "closed hat", "open hat": "closed hat", "low tom": "high tom",
    "middle tom": "low tom", "high tom": "snare", "splash": "crash", "bell": "ride", "ride": "crash", "crash": "ride",
    "cowbell": "side stick", "tambourine": "closed hat",
}  # fmt: skip
_ESSENTIAL = ("kick", "snare", "closed hat")
_HATS = ("closed hat", "pedal hat", "open hat")  # one at a time
_FADE_SECONDS, _LONGEST_SECONDS = 0.02, 4.0


@dataclass(frozen=True)
class Layer:
    """A recording for a range of loudness."""

    path: Path
    lowest: float  # of velocities, 0 to 1
    highest: float
    gain: float


@dataclass(frozen=True)
class Instrument:
    """A drum."""

    layers: tuple[Layer, ...]
    gains: tuple[float, float]  # left, right


Kit = dict[str, tuple[Instrument, ...]]  # kind of drum -> its instruments


@cache
def read_kit(path: Path) -> Kit:
    """The kit of a drumkit.xml.

    Raises:
        UnbraidError: it cannot be read, or lacks kick, snare or hi-hat.
    """
    try:
        root = ElementTree.parse(path).getroot()
    except (OSError, ElementTree.ParseError) as error:
        raise UnbraidError(f"The drum kit {path} cannot be read ({error}). Leave it out.") from error
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    kit: Kit = {}
    for element in root.iter("instrument"):
        kind = kind_of(element.findtext("name", ""))
        instrument = _instrument(element, path.parent)
        if kind and instrument.layers:
            kit[kind] = (*kit.get(kind, ()), instrument)
    if missing := [kind for kind in _ESSENTIAL if kind not in kit]:
        raise UnbraidError(f"The drum kit {path} has no {', '.join(missing)} that unbraid knows by name. Leave it out.")
    return kit


def is_kit(path: Path) -> bool:
    """Whether the kit can be read and has the basic drums; some kits have congas only."""
    try:
        return bool(read_kit(path))
    except UnbraidError:
        return False


def kind_of(name: str) -> str | None:
    """The kind of drum that an instrument's name stands for."""
    name = name.lower().replace("-", " ").replace("_", " ")
    return next((kind for kind, pattern in _NAMES if re.search(pattern, name)), None)


def play_kit(notes: Sequence[Note], path: Path, seconds: float, semitones: float, choice: int = 0) -> Array:
    """The drums (2, T) at 44.1 kHz; `choice` selects one of several instruments of a kind.

    An open hi-hat ends with the next stroke on it.
    """
    kit = read_kit(path)
    samples = round(seconds * RATE)
    sound = np.zeros((2, samples), np.float32)
    strokes = [(round(n.start * RATE), kind, n.velocity / 127) for n in notes if (kind := _played_by(kit, n.pitch))]
    for i, (start, kind, velocity) in enumerate(strokes):
        if start >= samples:
            continue
        instrument = kit[kind][choice % len(kit[kind])]
        stroke = _stroke(instrument, velocity, semitones)
        if kind in _HATS:
            after = next((at for at, other, _ in strokes[i + 1 : i + 40] if other in _HATS and at > start), samples)
            stroke = _choked(stroke, after - start)
        room = min(stroke.shape[1], samples - start)
        sound[:, start : start + room] += stroke[:, :room]
    return sound


def _played_by(kit: Kit, pitch: int) -> str | None:
    """The kit's instrument for a note of General MIDI."""
    kind = _DRUMS.get(pitch)
    for _ in _KIN:
        if kind is None or kind in kit:
            return kind
        kind = _KIN.get(kind)
    return None


def _stroke(instrument: Instrument, velocity: float, semitones: float) -> Array:
    """One stroke (2, t), by the first layer of its loudness, or the nearest."""
    fitting = [layer for layer in instrument.layers if layer.lowest <= velocity <= layer.highest]
    nearest = min(instrument.layers, key=lambda layer: abs((layer.lowest + layer.highest) / 2 - velocity))
    layer = (fitting or [nearest])[0]
    gains = np.array(instrument.gains, np.float32)[:, None] * np.float32(layer.gain * velocity)
    return np.asarray(_recording(layer.path, semitones) * gains, np.float32)


@lru_cache(maxsize=64)
def _recording(path: Path, semitones: float) -> Array:
    """A sample (2, t) at 44.1 kHz, transposed."""
    sound, rate = audio.read(path)
    sound = np.repeat(sound[:1], 2, 0) if len(sound) == 1 else sound[:2]
    played_at = round(rate * 2 ** (semitones / 12))
    return audio.resample(sound, played_at, RATE)[:, : round(_LONGEST_SECONDS * RATE)]


def _choked(stroke: Array, after: int) -> Array:
    """The stroke, faded out after so many samples."""
    fade = round(_FADE_SECONDS * RATE)
    if stroke.shape[1] <= after + fade:
        return stroke
    ended = stroke[:, : after + fade].copy()
    ended[:, after:] *= np.linspace(1, 0, fade, dtype=np.float32)
    return ended


def _instrument(element: "ElementTree.Element[str]", folder: Path) -> Instrument:
    """Layers lie in the instrument (old kits), in its components (newer ones), or are one file (oldest)."""
    layers = tuple(_layer(layer, folder) for layer in element.iter("layer") if layer.findtext("filename"))
    if not layers and (name := element.findtext("filename")):
        layers = (Layer(folder / name, 0.0, 1.0, 1.0),)
    level = _number(element, "volume", 1.0) * _number(element, "gain", 1.0)
    layers = tuple(layer for layer in layers if layer.path.is_file())
    return Instrument(layers, (level * _number(element, "pan_L", 1.0), level * _number(element, "pan_R", 1.0)))


def _layer(element: "ElementTree.Element[str]", folder: Path) -> Layer:
    ends = _number(element, "min", 0.0), _number(element, "max", 1.0)
    return Layer(folder / element.findtext("filename", ""), *ends, _number(element, "gain", 1.0))


def _number(element: "ElementTree.Element[str]", name: str, otherwise: float) -> float:
    try:
        return float(element.findtext(name, ""))
    except ValueError:
        return otherwise
