"""Random plans of songs: music, instruments, mix and singer, from an explicit random generator.

Nothing is rendered here. Each part keeps its family of instruments (General MIDI has sixteen families of eight), so
bass stays bass. Other instruments may change their family, and become a piano in half of the songs without one, because
pianos are rare.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np

from unbraid.corpora.rendering.melody import melodic_channels
from unbraid.corpora.rendering.midi import (
    DRUM_CHANNEL,
    Event,
    Note,
    cut,
    faster,
    is_drums_only,
    notes_of,
    part_of,
    read_events,
)
from unbraid.corpora.rendering.plan import Excerpt, PartPlan, Plan, Rendering, SingerPlan, Strip
from unbraid.corpora.rendering.stock import Singer, Stock
from unbraid.corpora.rendering.synth import Room
from unbraid.errors import UnbraidError, UsageError

KITS = (0, 8, 16, 24, 25, 32, 40)  # General MIDI level 2 drum kits: standard, room, power, electronic, 808, jazz, brush
_PIANOS = (0, 0, 0, 1, 1, 2, 3, 4, 4, 5, 5, 6, 7)  # grand pianos more often than harpsichords
_FAMILIES = (1, 2, 3, 5, 6, 7, 8, 9, 10, 11)  # for instruments that leave theirs: those that play songs
_SOUND_EFFECTS = 112  # programs from here on are drums, sea shores and gunshots: they are not replaced
_DRUMS_ALONE = 0.12  # of the songs are performances of drums alone, where there are any
_FEWEST_NOTES, _SHORTEST_SECONDS = 8, 4.0  # less is no song
_MOST_TRIES = 80
_PAUSE_SECONDS = 0.25  # between drum performances
_RECORDED = 0.25  # of the songs have a voice as it was recorded


def draw_plan(stock: Stock, how: Rendering, number: int) -> tuple[Plan, list[str]]:
    """The plan of song `number`, and the problems of skipped MIDI files.

    Raises:
        UsageError: no file of the stock can be used.
    """
    random = np.random.default_rng((how.seed, number))
    tempo = _rounded(random.uniform(0.85, 1.15))
    excerpts, troubles = _draw_excerpts(stock.midi, how.seconds * tempo, random)
    events = play_through(excerpts, tempo)
    notes = notes_of(events)
    strips = _draw_strips(notes, random)
    programs = {(strip.channel, written): played for strip in strips for written, played in strip.programs}
    heard = {part_of(note.channel, programs[note.channel, note.program]) for note in notes}
    singer = None if is_drums_only(notes) else _draw_singer(stock.singers, notes, how.sung, random)
    if singer and singer.melody_channels and len(strips) > 3 and random.random() < 0.5:  # the voice plays it
        strips = [replace(s, muted=s.muted or s.channel == singer.melody_channels[0]) for s in strips]
    plan = Plan(
        seed=how.seed,
        number=number,
        seconds=_rounded(min(how.seconds, sum(e.seconds for e in excerpts) / tempo)),
        excerpts=tuple(excerpts),
        tempo=tempo,
        transpose=int(random.integers(-5, 7)),
        dynamics=_rounded(random.uniform(0.6, 1.5)),
        drum_program=int(random.choice(KITS)),
        drum_semitones=_rounded(random.uniform(-2, 2)),
        drum_choice=int(random.integers(12)),
        strips=tuple(strips),
        parts=_draw_parts(sorted(heard), stock, random),
        singer=singer,
    )
    return plan, troubles


def play_through(excerpts: Iterable[Excerpt], tempo: float) -> list[Event]:
    """The events of the excerpts one after the other, at this tempo."""
    events: list[Event] = []
    end = 0.0
    for excerpt in excerpts:
        piece = cut(read_events(Path(excerpt.file)), excerpt.start_seconds, excerpt.seconds)
        events += faster(piece, tempo, end)
        end += excerpt.seconds / tempo
    return events


def _draw_excerpts(
    files: Sequence[Path], seconds: float, random: np.random.Generator
) -> tuple[list[Excerpt], list[str]]:
    """A piece of a song, or pieces of as many drum performances as fill the time."""
    drums_alone = random.random() < _DRUMS_ALONE
    excerpts: list[Excerpt] = []
    troubles: list[str] = []
    filled, spare = 0.0, None
    for index in random.permutation(len(files))[:_MOST_TRIES]:
        try:
            kind = _kind(files[index])
        except UnbraidError as error:
            troubles.append(str(error))
            continue
        if kind == "song" and not excerpts:
            return [_draw_piece(files[index], seconds, random)], troubles
        if kind != "drums":
            continue
        if not drums_alone:
            spare = spare or _draw_piece(files[index], seconds, random)
            continue
        piece = _draw_piece(files[index], min(seconds - filled, seconds), random)
        excerpts.append(piece)
        filled += piece.seconds
        if seconds - filled < _SHORTEST_SECONDS:
            break
    excerpts = excerpts or ([spare] if spare else [])
    if not excerpts:
        raise UsageError("None of the MIDI files can be used: they are damaged, or shorter than 4 s or 8 notes.")
    return excerpts, troubles


@cache
def _kind(path: Path) -> Literal["song", "drums", "nothing"]:
    """The kind of a MIDI file; cached, because each song looks at many files."""
    notes = notes_of(read_events(path))
    if len(notes) < _FEWEST_NOTES or max(note.end for note in notes) < _SHORTEST_SECONDS:
        return "nothing"
    return "drums" if is_drums_only(notes) else "song"


def _draw_piece(path: Path, seconds: float, random: np.random.Generator) -> Excerpt:
    """A piece where much is going on: the liveliest of four."""
    notes = notes_of(read_events(path))
    end = max(note.end for note in notes) + _PAUSE_SECONDS
    starts = np.array([note.start for note in notes])
    candidates = random.uniform(0, max(0.0, end - seconds), 4)

    def liveliness(start: float) -> float:
        inside = [n for n, at in zip(notes, starts, strict=True) if start <= at < start + seconds]
        parts = [part_of(n.channel, n.program) for n in inside]
        enough = sum(parts.count(part) >= _FEWEST_NOTES for part in set(parts))
        return enough + 0.25 * min(4, len({n.channel for n in inside}))

    start = max(candidates, key=liveliness)
    return Excerpt(str(path), _rounded(start), _rounded(min(seconds, end - start)))


def _draw_strips(notes: Sequence[Note], random: np.random.Generator) -> list[Strip]:
    """A strip for each channel that sounds, with programs drawn anew."""
    used: dict[int, set[int]] = {}
    for note in notes:
        used.setdefault(note.channel, set()).add(note.program)
    swaps = {channel: {p: _draw_program(channel, p, random) for p in sorted(used[channel])} for channel in sorted(used)}
    others = [c for c in swaps if any(part_of(c, p) == "other" for p in swaps[c])]
    has_piano = any(part_of(channel, p) == "piano" for channel in used for p in used[channel])
    if others and not has_piano and random.random() < 0.5:
        channel = others[random.integers(len(others))]
        swaps[channel] = dict.fromkeys(swaps[channel], int(random.choice(_PIANOS)))
    melodic = [channel for channel in swaps if channel != DRUM_CHANNEL]
    mute = random.random() < 0.15 and len(melodic) > 3
    muted = melodic[random.integers(len(melodic))] if mute else None
    return [
        Strip(
            channel=channel,
            programs=tuple(swaps[channel].items()),
            volume=_rounded(random.uniform(0.5, 1.0)),
            pan=int(np.clip(64 + (8 if channel == DRUM_CHANNEL else 26) * random.standard_normal(), 0, 127)),
            reverb=int(random.choice((0, 20, 40, 80))),
            chorus=int(random.choice((0, 0, 15, 60))),
            muted=channel == muted,
        )
        for channel in swaps
    ]


def _draw_program(channel: int, program: int, random: np.random.Generator) -> int:
    """Another instrument of the family, mostly."""
    part = part_of(channel, program)
    if part == "drums" or program >= _SOUND_EFFECTS:
        return program
    if part == "piano":
        return int(random.choice(_PIANOS))
    leaves = part == "other" and random.random() < 0.25
    family = int(random.choice(_FAMILIES)) if leaves else program // 8
    return 8 * family + int(random.integers(8))


def _draw_parts(names: Sequence[str], stock: Stock, random: np.random.Generator) -> dict[str, PartPlan]:
    """Draw the instrument and mix of each part; parts on the same SoundFont share its room."""
    lowest, highest = (0.0, 0.0, 0.0, 0.5, 0.2), (0.8, 0.8, 1.0, 3.0, 1.0)
    rooms = [Room(*map(_rounded, random.uniform(lowest, highest))) for _ in stock.soundfonts]
    parts = {}
    for name in names:
        kit = random.random() < 0.5 and name == "drums" and len(stock.kits) > 0
        soundfont = int(random.integers(len(stock.soundfonts)))
        parts[name] = PartPlan(
            soundfont=str(stock.soundfonts[soundfont]),
            kit=str(stock.kits[random.integers(len(stock.kits))]) if kit else None,
            room=rooms[soundfont],
            level_db=_rounded(random.uniform(-5, 5)),
            tilt_db=_rounded(random.uniform(-1.2, 1.2)),
            drive=_rounded(max(0.0, random.uniform(-1, 2))),
        )
    return parts


def _draw_singer(
    folders: Sequence[Sequence[Singer]], notes: Sequence[Note], sung: float, random: np.random.Generator
) -> SingerPlan | None:
    """Draw a singer, or none: folders of voices are equally likely, and so are the voices in each."""
    way = random.random()
    if not folders or way >= min(1.0, sung + _RECORDED):
        return None
    speaking = [[s for s in folder if not s.sings] for folder in folders]
    singing = [[s for s in folder if s.sings] for folder in folders]
    wanted, rest = (speaking, singing) if way < sung else (singing, speaking)
    choice = [folder for folder in wanted if folder] or [folder for folder in rest if folder]
    folder = choice[random.integers(len(choice))]
    singer = folder[random.integers(len(folder))]
    files = [singer.files[i] for i in random.permutation(len(singer.files))[: 1 if singer.sings else 6]]
    channels = melodic_channels(notes)[:3]
    if random.random() < 0.25:
        channels = channels[1:]
    draw = random.uniform
    return SingerPlan(
        sung=way < sung and not singer.sings,
        files=tuple(map(str, files)),
        start=_rounded(draw(0, 1)),
        melody_channels=tuple(channels),
        formants=_rounded(draw(0.9, 1.15)),
        stretch=_rounded(draw(1.0, 2.0)),
        portamento_seconds=_rounded(draw(0.04, 0.08)),
        vibrato_hz=_rounded(draw(5.0, 6.0)),
        vibrato_cents=_rounded(draw(30, 60)) if random.random() < 0.8 else 0.0,
        harmony_semitones=float(random.choice((0, 0, 3, 4, 7, 12, -5, -12))) if random.random() < 0.3 else None,
        pan=_rounded(np.clip(0.15 * random.standard_normal(), -1, 1)),
        width=_rounded(max(0.0, draw(-0.5, 1))),
        hall_seconds=_rounded(draw(0.3, 2.0)),
        hall_db=_rounded(draw(-20, -6)),
        level_db=_rounded(draw(-3, 6)),
        tilt_db=_rounded(draw(-1, 1)),
        drive=_rounded(max(0.0, draw(-1, 1.5))),
    )


def _rounded(value: float) -> float:
    return round(float(value), 4)
