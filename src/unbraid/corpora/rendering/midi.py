"""MIDI files as lists of events in seconds, and their notes.

Only reading and writing need `mido`; everything in between works on plain tuples.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from unbraid.errors import UnbraidError, lacking

if TYPE_CHECKING:
    import mido as mido_module

NOTE_OFF, NOTE_ON, CONTROL, PROGRAM = 0x80, 0x90, 0xB0, 0xC0  # status bytes without their channel
VOLUME, PAN, REVERB, CHORUS, SOUND_OFF, RESET = 7, 10, 91, 93, 120, 121  # controllers
BANK = (0, 32)  # controllers that choose other sounds than General MIDI's
CHANNELS = 16
DRUM_CHANNEL = 9  # counted from zero
LONGEST_NOTE = 8.0  # seconds; a note without an end
_TICKS_PER_SECOND = 1000  # 500 ticks a beat at MIDI's default tempo of 120 beats a minute


class Event(NamedTuple):
    """A channel message and when it comes."""

    seconds: float
    kind: int  # NOTE_ON, ...
    channel: int
    data: tuple[int, ...]


class Note(NamedTuple):
    """A note, from its NOTE_ON to its NOTE_OFF."""

    start: float  # seconds
    end: float
    channel: int
    program: int
    pitch: int
    velocity: int


def mido() -> "mido_module":
    """The package that reads and writes MIDI files."""
    try:
        import mido as found
    except ModuleNotFoundError:
        raise lacking("Rendering", "mido") from None
    return found


@lru_cache(maxsize=8)
def read_events(path: Path) -> list[Event]:
    """All channel messages of a file in order, with changes of tempo applied. The list is cached: do not change it.

    Raises:
        UnbraidError: the file is not MIDI, or damaged.
    """
    reader = mido()
    try:
        file = reader.MidiFile(path, clip=True)
        return list(_timed(file.tracks, file.ticks_per_beat))
    except Exception as error:  # a damaged file makes mido raise nearly anything
        reason = str(error) or type(error).__name__
        raise UnbraidError(f"{path} cannot be read as MIDI ({reason}). Repair it, or take it out.") from error


def _timed(tracks: "Sequence[mido_module.MidiTrack]", ticks_per_beat: int) -> Iterator[Event]:
    """The tracks' channel messages together. Iterating over a MidiFile does the same, in thrice the time."""
    messages: list[tuple[int, mido_module.Message]] = []
    for track in tracks:
        ticks = 0
        for message in track:
            ticks += message.time
            messages.append((ticks, message))
    messages.sort(key=lambda item: item[0])
    seconds, before, beat = 0.0, 0, 0.5
    for ticks, message in messages:
        seconds += (ticks - before) * beat / ticks_per_beat
        before = ticks
        if message.type == "set_tempo":
            beat = message.tempo / 1e6
        elif not message.is_meta:
            status, *data = message.bytes()
            if status < 0xF0:
                ended = status & 0xF0 == NOTE_ON and data[1] == 0
                yield Event(seconds, NOTE_OFF if ended else status & 0xF0, status & 0x0F, tuple(data))


def write_events(events: Iterable[Event], path: Path) -> None:
    """A file that plays the events, to the millisecond."""
    writer = mido()
    file = writer.MidiFile(ticks_per_beat=_TICKS_PER_SECOND // 2)
    track, now = file.add_track(), 0
    for event in events:
        ticks = max(now, round(event.seconds * _TICKS_PER_SECOND))
        track.append(writer.Message.from_bytes([event.kind | event.channel, *event.data], time=ticks - now))
        now = ticks
    file.save(path)


def cut(events: Sequence[Event], start: float, seconds: float) -> list[Event]:
    """`seconds` from `start` on: settings made before it are kept, notes before it are not."""
    kept = []
    for event in events:
        if event.seconds >= start + seconds:
            break
        if event.seconds >= start or event.kind not in (NOTE_ON, NOTE_OFF):
            kept.append(event._replace(seconds=max(0.0, event.seconds - start)))
    return kept


def faster(events: Iterable[Event], factor: float, offset: float = 0.0) -> list[Event]:
    """The events played `factor` times as fast, from `offset` seconds on."""
    return [event._replace(seconds=offset + event.seconds / factor) for event in events]


def notes_of(events: Iterable[Event]) -> list[Note]:
    """The notes in the order of their starts; each ends at the latest with the events, or after 8 s."""
    programs = [0] * CHANNELS
    open_: dict[tuple[int, int], Note] = {}
    notes: list[Note] = []
    now = 0.0

    def close(key: tuple[int, int]) -> None:
        if key in open_:
            note = open_.pop(key)
            notes.append(note._replace(end=min(now, note.start + LONGEST_NOTE)))

    for now, kind, channel, data in events:
        if kind == PROGRAM:
            programs[channel] = data[0]
        elif kind in (NOTE_ON, NOTE_OFF):
            close((channel, data[0]))
            if kind == NOTE_ON:
                open_[channel, data[0]] = Note(now, now, channel, programs[channel], data[0], data[1])
    for key in list(open_):
        now = max(now, open_[key].start + 0.1)
        close(key)
    return sorted(notes)


def part_of(channel: int, program: int) -> str:
    """Which part a note belongs to, by General MIDI: channel 10 is drums, programs 1-8 are piano, 33-40 bass."""
    if channel == DRUM_CHANNEL:
        return "drums"
    return {0: "piano", 4: "bass"}.get(program // 8, "other")


def is_drums_only(notes: Iterable[Note]) -> bool:
    """Whether it is a drum performance rather than a song."""
    return all(note.channel == DRUM_CHANNEL for note in notes)
