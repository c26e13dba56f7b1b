"""Rendering of a plan into a folder: every part is played or sung, mixed and written; the folder appears atomically."""

from pathlib import Path

import numpy as np

from unbraid import audio
from unbraid.corpora.rendering.arrange import arranged
from unbraid.corpora.rendering.draw import play_through
from unbraid.corpora.rendering.effects import Array, active_rms, saturated, tilted
from unbraid.corpora.rendering.kits import play_kit
from unbraid.corpora.rendering.midi import NOTE_ON, Event, notes_of
from unbraid.corpora.rendering.plan import PartPlan, Plan, SingerPlan
from unbraid.corpora.rendering.singer import sung_part
from unbraid.corpora.rendering.synth import RATE, Room, play
from unbraid.files.atomic import appearing
from unbraid.files.workdir import disk_errors

RECORD = "song.json"
_EVEN_RMS = 0.1
_PEAK = 10 ** (-1.05 / 20)  # a little below -1 dBFS: stems are rounded to 16 bit one by one
_SILENT_RMS = 1e-4


def is_there(plan: Plan, place: Path) -> bool:
    """Whether the song was rendered before, from the same plan."""
    record = place / plan.name / RECORD
    return record.is_file() and record.read_text(encoding="utf-8") == plan.as_json()


def render_song(plan: Plan, place: Path, extension: str) -> list[str]:
    """Write place/NAME/{part}.EXTENSION and song.json; the parts that sound are returned.

    Raises:
        UnbraidError: a file or a program failed.
    """
    parts = mixed(plan)
    with disk_errors(place, " with --out"), appearing(place / plan.name) as hidden:
        hidden.mkdir()
        for name, sound in parts.items():
            fmt = audio.choose_format(extension, subtype="16")
            audio.write(hidden / f"{name}.{extension}", sound, RATE, fmt)
        (hidden / RECORD).write_text(plan.as_json(), encoding="utf-8")
    return sorted(parts)


def mixed(plan: Plan) -> dict[str, Array]:
    """The parts (2, T) that sound, under one gain that brings the loudest of them, or their sum, to -1 dBFS."""
    events = play_through(plan.excerpts, plan.tempo)
    parts = {name: balanced(sound, plan.parts[name]) for name, sound in _played(arranged(events, plan), plan).items()}
    if plan.singer is not None:
        parts["vocals"] = balanced(sung_part(plan.singer, plan, notes_of(events)), plan.singer)
    parts = {name: sound for name, sound in parts.items() if np.sqrt(np.mean(sound**2)) > _SILENT_RMS}
    if not parts:
        return {}
    mixture = np.sum(list(parts.values()), axis=0)
    gain = _PEAK / max(float(np.abs(sound).max()) for sound in (*parts.values(), mixture))
    return {name: sound * np.float32(gain) for name, sound in parts.items()}


def balanced(sound: Array, part: PartPlan | SingerPlan) -> Array:
    """The part with its tone, and at its level."""
    sound = saturated(tilted(sound, part.tilt_db, RATE), part.drive)
    rms = active_rms(sound, RATE)
    gain = _EVEN_RMS * 10 ** (part.level_db / 20) / rms if rms > 1e-6 else 0.0
    return np.asarray(sound * np.float32(gain), np.float32)


def _played(parts: dict[str, list[Event]], plan: Plan) -> dict[str, Array]:
    """The sound (2, T) of each part that has notes; parts on one SoundFont are played in one go."""
    sounds: dict[str, Array] = {}
    together: dict[tuple[str, Room], list[str]] = {}
    for name, events in parts.items():
        part = plan.parts[name]
        if not any(event.kind == NOTE_ON for event in events):
            continue
        if part.kit is not None:
            notes = notes_of(events)
            sounds[name] = play_kit(notes, Path(part.kit), plan.seconds, plan.drum_semitones, plan.drum_choice)
        else:
            together.setdefault((part.soundfont, part.room), []).append(name)
    for (soundfont, room), names in together.items():
        takes = play([parts[name] for name in names], Path(soundfont), plan.seconds, room)
        sounds.update(zip(names, takes, strict=True))
    return sounds
