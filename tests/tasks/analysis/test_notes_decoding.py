"""Decoding of note activations: equal to the original's events, and what each rule of it means."""

import json
from pathlib import Path

import numpy as np
import pytest

from unbraid import UsageError
from unbraid.tasks.analysis.notes_decoding import DecodingOptions, Event, decode

PUBLISHED = DecodingOptions(0.5, 0.3, 11)
CASES = ("plain", "low thresholds", "high thresholds")


def activations(frames: int = 60) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros((frames, 88), np.float32), np.zeros((frames, 88), np.float32)


@pytest.mark.parametrize("case", CASES)
def test_events_are_those_of_the_original(case: str, goldens: Path) -> None:
    arrays = np.load(goldens / "basic_pitch" / "decoding.npz")
    known = json.loads((goldens / "basic_pitch" / "decoding.json").read_text())[case]
    notes, onsets = ((arrays[f"{case} {kind}"] / 255).astype(np.float32) for kind in ("notes", "onsets"))
    found = decode(notes, onsets, DecodingOptions(known["onset"], known["sustain"], known["least_frames"]))
    assert [event[:3] for event in found] == [tuple(event[:3]) for event in known["events"]]
    amplitudes = [[event[3] for event in events] for events in (found, known["events"])]
    np.testing.assert_allclose(*amplitudes, rtol=1e-6)
    assert len(found) > 10


def test_a_note_begins_at_its_onset_and_ends_with_its_activation() -> None:
    notes, onsets = activations()
    notes[10:40, 39], onsets[10, 39] = 0.8, 0.9
    assert decode(notes, onsets, PUBLISHED) == [Event(10, 40, 39, pytest.approx(0.8))]


def test_a_second_onset_divides_a_note() -> None:
    notes, onsets = activations()
    notes[5:50, 39] = 0.8
    onsets[5, 39] = onsets[28, 39] = 0.9
    assert [event[:3] for event in decode(notes, onsets, PUBLISHED)] == [(5, 28, 39), (28, 50, 39)]


def test_a_note_without_an_onset_is_found_and_its_neighbours_belong_to_it() -> None:
    notes, onsets = activations()
    notes[10:40, 38:41] = 0.6, 0.8, 0.6
    assert [event[:3] for event in decode(notes, onsets, PUBLISHED)] == [(10, 39, 39)]  # as the original, a frame short


def test_short_pauses_belong_to_a_note_and_short_notes_are_none() -> None:
    notes, onsets = activations()
    notes[10:50, 39], onsets[10, 39] = 0.45, 0.9
    notes[25:30, 39] = 0.25
    notes[5:12, 60], onsets[5, 60] = 0.8, 0.9
    assert [event[:3] for event in decode(notes, onsets, PUBLISHED)] == [(10, 50, 39)]


@pytest.mark.parametrize("frames", [0, 1, 2, 3, 60])
def test_silence_has_no_notes(frames: int) -> None:
    assert decode(*activations(frames)) == []


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"onset": 1.5}, "Thresholds of notes are activations above 0 and below 1, such as 0.5."),
        ({"sustain": 0.0}, "Thresholds of notes are activations above 0 and below 1, such as 0.5."),
        ({"least_frames": -1}, "The shortest note cannot be shorter than nothing; give 0 or more."),
    ],
)
def test_thresholds_that_cannot_be(options: dict, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        DecodingOptions(**options)
    assert str(caught.value) == told
