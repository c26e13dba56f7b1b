"""Melodies and notes as files: each can be read back by the programs that they are for."""

import csv
import io
import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

from unbraid import Melody, Note, Notes, UsageError
from unbraid.tasks.analysis.midi import midi_file

NOTES = Notes(
    (Note(0.5, 1.0, 60, 0.5), Note(0.5, 0.75, 64, 1.0), Note(1.0, 1.5, 60, 0.01), Note(300.123, 301.0, 21, 0.3)),
    "hearing",
    "piano",
    "music-5",
    seconds=302.0,
)
MELODY = Melody(
    "tracker",
    np.array([0.0, 0.016, 0.032]),
    np.array([0.0, 220.5, 221.25]),
    np.array([0.1, 0.9, 0.95]),
    Notes((Note(0.016, 0.048, 57, 0.9),), "tracker", "vocals"),
    stem="vocals",
    seconds=0.5,
)


def messages(content: bytes) -> list[tuple[float, str, int, int]]:
    """(seconds, kind, pitch, velocity) of every note message, as mido reads them."""
    mido = pytest.importorskip("mido")
    found, now = [], 0.0
    for message in mido.MidiFile(file=io.BytesIO(content)):
        now += message.time
        if message.type in ("note_on", "note_off"):
            found.append((round(now, 3), message.type, message.note, message.velocity))
    return found


def test_midi_is_read_back_to_the_millisecond() -> None:
    assert messages(NOTES.to_midi()) == [
        (0.5, "note_on", 60, 64),
        (0.5, "note_on", 64, 127),
        (0.75, "note_off", 64, 0),
        (1.0, "note_off", 60, 0),  # before the next of its pitch begins
        (1.0, "note_on", 60, 1),
        (1.5, "note_off", 60, 0),
        (300.123, "note_on", 21, 38),
        (301.0, "note_off", 21, 0),
    ]


def test_midi_has_a_track_and_a_channel_for_each_part() -> None:
    mido = pytest.importorskip("mido")
    parts = {"piano": [NOTES.notes[0]], "bass": [NOTES.notes[1]], "drums": [NOTES.notes[2]]}
    file = mido.MidiFile(file=io.BytesIO(midi_file(parts, {"bass": 33, "drums": -1})))
    assert [track.name for track in file.tracks] == ["", *parts]
    channels = [{message.channel for message in track if not message.is_meta} for track in file.tracks[1:]]
    assert channels == [{0}, {1}, {9}]
    programs = [message.program for track in file.tracks for message in track if message.type == "program_change"]
    assert programs == [0, 33, 0]


def test_midi_of_nothing_is_a_valid_file() -> None:
    assert messages(Notes((), "m").to_midi()) == []


def test_a_note_lasts_for_a_tick_at_least() -> None:
    assert messages(midi_file({"x": [Note(1.0, 1.0, 60, 1.0)]}, {})) == [
        (1.0, "note_on", 60, 127),
        (1.001, "note_off", 60, 0),
    ]


def test_tables_have_a_row_for_each() -> None:
    rows = list(csv.DictReader(io.StringIO(NOTES.to_csv())))
    assert rows[0] == {"start": "0.500", "end": "1.000", "pitch": "60", "name": "C4", "velocity": "64"}
    assert len(rows) == 4
    rows = list(csv.DictReader(io.StringIO(MELODY.to_csv())))
    assert rows[1] == {"time": "0.0160", "hz": "220.500", "confidence": "0.9000"}


def test_json_says_which_model_and_stem() -> None:
    data = json.loads(NOTES.to_json())
    assert (data["model"], data["stem"], data["separator"], data["seconds"]) == ("hearing", "piano", "music-5", 302.0)
    assert data["notes"][0] == {"start": 0.5, "end": 1.0, "pitch": 60, "name": "C4", "velocity": 64}
    data = json.loads(MELODY.to_json())
    assert (data["stem"], data["reason"], data["frames"][1]) == ("vocals", None, [0.016, 220.5, 0.9])
    assert json.loads(Notes((), "m", reason="it is silent").to_json())["notes"] == []


def test_layers_are_xml_with_points_in_milliseconds() -> None:
    root = ElementTree.fromstring(NOTES.to_svl())
    model = root.find("data/model")
    assert model is not None and model.attrib["sampleRate"] == "1000" and model.attrib["subtype"] == "note"
    points = [point.attrib for point in root.iterfind("data/dataset/point")]
    assert points[3] == {"frame": "300123", "value": "21", "duration": "877", "level": "0.3", "label": "A0"}
    layer = root.find("display/layer")
    assert layer is not None and (layer.attrib["type"], layer.attrib["model"]) == ("notes", model.attrib["id"])
    points = [point.attrib for point in ElementTree.fromstring(MELODY.to_svl()).iterfind("data/dataset/point")]
    assert points == [{"frame": "16", "value": "220.5"}, {"frame": "32", "value": "221.25"}]


@pytest.mark.parametrize("form", ["mid", "csv", "json", "svl"])
@pytest.mark.parametrize("result", [NOTES, MELODY], ids=["notes", "melody"])
def test_a_result_saves_itself(form: str, result: Melody | Notes, tmp_path: Path) -> None:
    place = tmp_path / f"x.{form.upper()}"
    result.save(place)
    assert place.read_bytes() == result.encoded(form)
    with pytest.raises(UsageError, match="exists already; choose another name, or set overwrite=True"):
        result.save(place)
    result.save(place, overwrite=True)


def test_to_midi_also_writes(tmp_path: Path) -> None:
    assert MELODY.to_midi(tmp_path / "x.mid") == (tmp_path / "x.mid").read_bytes()
    assert messages(MELODY.to_midi())[0] == (0.016, "note_on", 57, 114)


@pytest.mark.parametrize(
    ("result", "told"),
    [
        (NOTES, "Notes are written as mid, csv, json, svl, not as '.txt'."),
        (MELODY, "A melody is written as csv, json, mid, svl, not as '.txt'."),
    ],
    ids=["notes", "melody"],
)
def test_other_formats_are_refused(result: Melody | Notes, told: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        result.save(tmp_path / "x.txt")
    assert str(caught.value) == told
