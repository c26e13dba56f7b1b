"""Standard MIDI Files of notes, written without a library.

A file of format 1: a track with the tempo, then one for each part. At 120 beats a minute and 500 ticks a beat, a tick
is a millisecond. Source: MIDI Manufacturers Association, "Standard MIDI Files 1.0" (RP-001).
"""

import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

TICKS_PER_BEAT, MICROSECONDS_PER_BEAT = 500, 500_000
DRUM_CHANNEL = 9  # counted from zero
_NOTE_OFF, _NOTE_ON, _PROGRAM = 0x80, 0x90, 0xC0  # status bytes without their channel
_NAME, _END, _TEMPO = 0x03, 0x2F, 0x51  # meta events


class Played(Protocol):
    """A note to write."""

    @property
    def start(self) -> float:
        """Seconds."""

    @property
    def end(self) -> float:
        """Seconds."""

    @property
    def pitch(self) -> int:
        """0 to 127."""

    @property
    def velocity(self) -> int:
        """1 to 127."""


def midi_file(parts: Mapping[str, Sequence[Played]], programs: Mapping[str, int]) -> bytes:
    """The bytes of a file with a track for each part; `programs` are General MIDI's, from 0, and -1 for percussion.

    A part that is played at once with others has a channel of its own as long as there are any; percussion is on the
    tenth.
    """
    tempo = _meta(0, _TEMPO, MICROSECONDS_PER_BEAT.to_bytes(3, "big"))
    tracks = [tempo]
    channels = [channel for channel in range(16) if channel != DRUM_CHANNEL]
    for number, (name, notes) in enumerate(parts.items()):
        program = programs.get(name, 0)
        channel = DRUM_CHANNEL if program < 0 else channels[number % len(channels)]
        start = _meta(0, _NAME, name.encode()) + b"\0" + bytes([_PROGRAM | channel, max(0, program)])
        tracks.append(start + _events(notes, channel))
    head = struct.pack(">4sIHHH", b"MThd", 6, 1, len(tracks), TICKS_PER_BEAT)
    return head + b"".join(_chunk(track + _meta(0, _END, b"")) for track in tracks)


def _events(notes: Iterable[Played], channel: int) -> bytes:
    """The notes as events; one ends before another of its pitch begins, and lasts for at least a tick."""
    events: list[tuple[int, int, int, int]] = []
    for note in notes:
        start = max(0, round(1000 * note.start))
        events.append((start, 1, note.pitch, note.velocity))
        events.append((max(start + 1, round(1000 * note.end)), 0, note.pitch, 0))
    events.sort()
    track, now = bytearray(), 0
    for tick, begins, pitch, velocity in events:
        track += _variable(tick - now) + bytes([(_NOTE_ON if begins else _NOTE_OFF) | channel, pitch, velocity])
        now = tick
    return bytes(track)


def _meta(ticks: int, kind: int, content: bytes) -> bytes:
    return _variable(ticks) + bytes([0xFF, kind]) + _variable(len(content)) + content


def _chunk(track: bytes) -> bytes:
    return struct.pack(">4sI", b"MTrk", len(track)) + track


def _variable(number: int) -> bytes:
    """A number in seven bits a byte, the highest bit set in all but the last."""
    digits = [number & 0x7F]
    while number := number >> 7:
        digits.append(0x80 | number & 0x7F)
    return bytes(reversed(digits))
