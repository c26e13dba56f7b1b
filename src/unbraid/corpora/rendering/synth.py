"""Synthesis of MIDI events by the program FluidSynth with any SoundFont (https://www.fluidsynth.org)."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from unbraid import audio
from unbraid.corpora.rendering.effects import Array
from unbraid.corpora.rendering.midi import CHANNELS, CONTROL, RESET, SOUND_OFF, Event, faster, write_events
from unbraid.corpora.rendering.programs import find_program
from unbraid.errors import UnbraidError
from unbraid.files.workdir import temporary_folder

RATE = 44100  # Hz
_PATIENCE_SECONDS = 600
_DECAY_SECONDS = 4.0  # between takes: what its reverb needs
_GAIN = "0.2"  # far from clipping; levels are set afterwards


@dataclass(frozen=True)
class Room:
    """FluidSynth's reverb and chorus; controllers set how much of it each channel gets."""

    size: float = 0.2
    damp: float = 0.2
    width: float = 0.5
    chorus_level: float = 1.0
    chorus_hz: float = 0.3


def play(takes: Sequence[Sequence[Event]], soundfont: Path, seconds: float, room: Room) -> list[Array]:
    """The sound (2, T) of each take at 44.1 kHz, of just this length.

    FluidSynth plays them one after the other, so that it reads the SoundFont once, which can take longer than playing.
    """
    settings = {
        "synth.default-soundfont": "",  # or it would replace one that cannot be read
        "synth.dynamic-sample-loading": 1,  # read only the samples in use of a large SoundFont
        "synth.cpu-cores": 1,
        "synth.reverb.room-size": f"{room.size:.3f}",
        "synth.reverb.damp": f"{room.damp:.3f}",
        "synth.reverb.width": f"{room.width:.3f}",
        "synth.chorus.level": f"{room.chorus_level:.3f}",
        "synth.chorus.speed": f"{room.chorus_hz:.3f}",
    }
    with temporary_folder() as folder:
        midi, wav = folder / "song.mid", folder / "song.wav"
        write_events(one_after_the_other(takes, seconds), midi)
        command = [find_program("fluidsynth"), "-niq", "-g", _GAIN, "-r", str(RATE)]
        command += ["-T", "wav", "-O", "float", "-F", str(wav)]
        command += [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
        _run([*command, str(soundfont), str(midi)], wav, soundfont)
        sound = audio.read(wav)[0]
    samples, apart = round(seconds * RATE), seconds + _DECAY_SECONDS
    sound = np.pad(sound, ((0, 0), (0, max(0, round(len(takes) * apart * RATE) - sound.shape[1]))))
    starts = [round(i * apart * RATE) for i in range(len(takes))]
    return [sound[:, start : start + samples] for start in starts]


def one_after_the_other(takes: Sequence[Sequence[Event]], seconds: float) -> list[Event]:
    """The takes with silence in between; open notes are ended, or FluidSynth would not stop."""
    events: list[Event] = []
    for take in takes:
        ends = (Event(seconds, CONTROL, c, (control, 0)) for control in (SOUND_OFF, RESET) for c in range(CHANNELS))
        start = len(events) and events[-1].seconds + _DECAY_SECONDS
        events += faster((*take, *ends), 1.0, start)
    return events


def _run(command: list[str], made: Path, soundfont: Path) -> None:
    try:
        done = subprocess.run(command, capture_output=True, timeout=_PATIENCE_SECONDS, text=True, errors="replace")
    except subprocess.TimeoutExpired:
        raise UnbraidError(f"fluidsynth did not come to an end with {soundfont}. Leave that SoundFont out.") from None
    if "Failed to load the SoundFont" in done.stderr:
        raise UnbraidError(f"fluidsynth cannot load {soundfont}: it is damaged. Get it anew, or leave it out.")
    if done.returncode or not made.is_file():
        said = done.stderr.strip().splitlines() or ["nothing"]
        raise UnbraidError(f"fluidsynth failed with {soundfont}; it said: {said[-1]}. Leave that SoundFont out.")
