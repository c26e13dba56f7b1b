"""Events, notes, arrangement and melody: all of it without sound."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unbraid.corpora.rendering import midi
from unbraid.corpora.rendering.arrange import arranged
from unbraid.corpora.rendering.melody import Tone, into_range, melodic_channels, one_line, phrases, together
from unbraid.corpora.rendering.midi import (
    CONTROL,
    NOTE_OFF,
    NOTE_ON,
    PAN,
    PROGRAM,
    Event,
    Note,
    cut,
    faster,
    notes_of,
    part_of,
)
from unbraid.corpora.rendering.plan import PartPlan, Plan, Strip
from unbraid.corpora.rendering.synth import Room, one_after_the_other
from unbraid.errors import RuntimeUnavailable, UnbraidError

NOTES = st.lists(
    st.tuples(st.floats(0, 20), st.floats(0.1, 4), st.integers(0, 15), st.integers(20, 100), st.integers(1, 127)),
    min_size=1,
    max_size=30,
)


def played(rows) -> list[Event]:
    """Events of (start, length, channel, pitch, velocity)."""
    events = []
    for start, length, channel, pitch, velocity in rows:
        events += [
            Event(start, NOTE_ON, channel, (pitch, velocity)),
            Event(start + length, NOTE_OFF, channel, (pitch, 0)),
        ]
    return sorted(events, key=lambda event: event.seconds)


def plan(**changes) -> Plan:
    """A song with an organ (0), a bass (2) and drums (9)."""
    strips = (
        Strip(0, ((16, 18),), 0.5, 30, 40, 0, False),
        Strip(2, ((33, 38),), 1.0, 64, 0, 0, False),
        Strip(9, ((0, 0),), 1.0, 64, 0, 0, False),
    )
    part = PartPlan("font.sf2", None, Room(), 0.0, 0.0, 0.0)
    parts = {"bass": part, "drums": part, "other": part}
    return replace(Plan(0, 0, 10.0, (), 1.0, 3, 1.0, 25, 0.0, 0, strips, parts, None), **changes)


def test_reading_gives_seconds_and_programs(midi_file):
    notes = notes_of(midi.read_events(midi_file(bars=2)))
    assert len(notes) == 32
    flute = [note for note in notes if note.channel == 1]
    assert [note.pitch for note in flute] == [72, 76, 79, 74] * 2
    assert [note.start for note in flute] == pytest.approx([0.5 * i for i in range(8)])
    assert {note.program for note in flute} == {73}
    assert {part_of(note.channel, note.program) for note in notes} == {"bass", "drums", "other"}


def test_what_is_written_is_read_again(tmp_path):
    events = [Event(0.0, PROGRAM, 3, (40,)), Event(0.25, NOTE_ON, 3, (60, 99)), Event(1.5, NOTE_OFF, 3, (60, 0))]
    pytest.importorskip("mido")
    midi.write_events(events, tmp_path / "x.mid")
    assert [event._replace(data=event.data[:1]) for event in midi.read_events(tmp_path / "x.mid")] == [
        event._replace(data=event.data[:1]) for event in events
    ]


def test_a_damaged_file_is_named(tmp_path):
    pytest.importorskip("mido")
    (tmp_path / "x.mid").write_bytes(b"MThd\0\0\0\6\0")
    with pytest.raises(UnbraidError) as error:
        midi.read_events(tmp_path / "x.mid")
    assert str(error.value) == f"{tmp_path / 'x.mid'} cannot be read as MIDI (EOFError). Repair it, or take it out."


def test_without_mido_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "mido", None)
    with pytest.raises(RuntimeUnavailable) as error:
        midi.read_events(Path("whatever.mid"))
    assert str(error.value) == (
        "Rendering needs mido, which is not installed; get it with `pip install 'unbraid[train]'`."
    )


@given(NOTES, st.floats(0, 10), st.floats(0.5, 10))
def test_a_cut_has_the_notes_that_begin_in_it(rows, start, seconds):
    cut_events = cut(played(rows), start, seconds)
    inside = sum(start <= row[0] < start + seconds for row in rows)
    assert sum(event.kind == NOTE_ON for event in cut_events) == inside
    assert all(0 <= event.seconds < seconds + 1e-9 for event in cut_events)
    assert all(note.end > note.start or note.start == note.end for note in notes_of(cut_events))


def test_a_cut_keeps_earlier_settings():
    events = [Event(0.0, PROGRAM, 1, (40,)), *played([(1.0, 0.5, 1, 60, 90), (5.0, 0.5, 1, 62, 90)])]
    assert [(note.start, note.program) for note in notes_of(cut(events, 4.0, 2.0))] == [(1.0, 40)]


def test_faster_is_shorter_and_later():
    assert [e.seconds for e in faster(played([(1.0, 1.0, 0, 60, 90)]), 2.0, offset=10.0)] == [10.5, 11.0]


def test_parts_follow_general_midi():
    assert [part_of(0, program) for program in (0, 7, 8, 31, 32, 39, 40)] == [
        *("piano", "piano", "other", "other", "bass", "bass", "other"),
    ]
    assert part_of(9, 0) == "drums"


@given(NOTES)
def test_every_note_of_the_plan_goes_to_one_part(rows):
    rows = [
        (start, length, (0, 2, 9)[channel % 3], pitch, velocity) for start, length, channel, pitch, velocity in rows
    ]
    programs = [Event(0.0, PROGRAM, 0, (16,)), Event(0.0, PROGRAM, 2, (33,))]
    parts = arranged([*programs, *played(rows)], plan())
    counts = {name: sum(event.kind == NOTE_ON for event in events) for name, events in parts.items()}
    channels = {"other": 0, "bass": 2, "drums": 9}
    assert counts == {name: sum(row[2] == channel for row in rows) for name, channel in channels.items()}


def test_an_arrangement_changes_key_program_level_and_kit():
    rows = [(0.0, 1.0, 0, 60, 127), (0.0, 1.0, 9, 22, 127)]
    events = [
        Event(0.0, PROGRAM, 0, (16,)),
        Event(0.0, CONTROL, 0, (PAN, 1)),
        Event(0.0, CONTROL, 0, (7, 100)),
        *played(rows),
    ]
    parts = arranged(events, plan())
    (organ,) = notes_of(parts["other"])
    assert (organ.pitch, organ.program, organ.velocity) == (63, 18, 127)
    (hat,) = notes_of(parts["drums"])
    assert (hat.pitch, hat.program) == (42, 25)  # an electronic kit's rim of the hi-hat; drums stay in their key
    assert [e.data for e in parts["other"] if e.kind == CONTROL and e.channel == 0] == [
        *((7, 50), (PAN, 30), (91, 40), (93, 0), (7, 50)),
    ]


def test_muted_channels_are_silent():
    strips = tuple(replace(strip, muted=strip.channel == 0) for strip in plan().strips)
    events = [Event(0.0, PROGRAM, 0, (16,)), *played([(0.0, 1.0, 0, 60, 90)])]
    assert notes_of(arranged(events, plan(strips=strips))["other"]) == []


def test_takes_follow_each_other_and_every_note_ends():
    take = [Event(0.5, NOTE_ON, 0, (60, 90))]
    events = one_after_the_other([take, take], 2.0)
    assert [event.seconds for event in events if event.kind == NOTE_ON] == [0.5, 6.5]
    assert events[-1].seconds == 8.0
    assert {(e.seconds, e.channel) for e in events if e.data == (120, 0)} == {
        (t, c) for t in (2.0, 8.0) for c in range(16)
    }


def test_the_melody_is_the_high_line_of_single_notes():
    chords = [Note(t, t + 1.0, 0, 16, pitch, 90) for t in range(20) for pitch in (55, 59, 62)]
    flute = [Note(t + 0.0, t + 0.9, 1, 73, 72 + t % 5, 90) for t in range(20)]
    bass = [Note(t, t + 1.0, 2, 33, 40, 90) for t in range(20)]
    assert melodic_channels([*chords, *flute, *bass]) == [1, 0]
    assert [tone.pitch for tone in one_line(chords)] == [62] * 20


def test_rests_are_sung_by_the_next_channel():
    first = [Tone(0.0, 1.0, 60), Tone(8.0, 9.0, 60)]
    assert together([first, [Tone(0.5, 2.0, 70), Tone(3.0, 4.0, 70)]]) == [first[0], Tone(3.0, 4.0, 70), first[1]]


@given(st.lists(st.floats(20, 110), min_size=1, max_size=20), st.floats(100, 400))
def test_a_melody_is_moved_by_octaves_into_the_range(pitches, centre_hz):
    line = [Tone(i, i + 1.0, pitch) for i, pitch in enumerate(pitches)]
    moved = into_range(line, centre_hz)
    for before, after in zip(line, moved, strict=True):
        assert (after.pitch - before.pitch) / 12 == pytest.approx(round((after.pitch - before.pitch) / 12), abs=1e-6)
        assert 0.49 * centre_hz <= 440 * 2 ** ((after.pitch - 69) / 12) <= 2.01 * centre_hz


def test_phrases_end_where_there_is_breath():
    line = [Tone(0.0, 0.9, 60), Tone(1.0, 1.9, 62), Tone(3.0, 4.0, 64)]
    assert phrases(line) == [line[:2], line[2:]]
