"""A song as a whole: every part names its origin, the files say the same, and speech has no music."""

import json
from dataclasses import replace

import numpy as np
import pytest

import unbraid.tasks.analysis.song_api as song_api
from song_fakes import RATE, STEMS, StemsInChannels, stems_of
from unbraid import audio
from unbraid.errors import UsageError
from unbraid.tasks.analysis.melody import Melody
from unbraid.tasks.analysis.notes import Note, Notes
from unbraid.tasks.analysis.song import Song, SongTracker
from unbraid.tasks.analysis.song_api import SongListening, analyse, song_of_file
from unbraid.tasks.analysis.song_formats import jams, labels, song_files, song_json
from unbraid.tasks.pages.song_lanes import MOST_POINTS, chord_lane, music_legend, music_overlay
from unbraid.tasks.separation.content import Content

WAV = audio.choose_format("wav", subtype="16")


def tracked(stems: dict[str, np.ndarray]) -> Song:
    tracker = SongTracker(RATE, "music-4")
    for start in range(0, stems["drums"].shape[1], RATE):
        tracker.push({stem: sound[:, start : start + RATE] for stem, sound in stems.items()})
    return tracker.finish()


@pytest.fixture(scope="module")
def song() -> Song:
    """With a melody and notes of our own, so that no model is needed."""
    found = tracked(stems_of())
    times = np.arange(500) * 0.016
    hz = np.where(times < 4, 440.0, 0.0)
    line = Notes((Note(0.0, 4.0, 69, 0.9),), "swift-f0", "vocals", "music-4", 8.0)
    melody = Melody("swift-f0", times, hz, np.full(500, 0.9), line, "vocals", "music-4", 8.0)
    bass = Notes((Note(0.5, 1.0, 36, 0.5), Note(1.0, 1.5, 41, 0.5)), "basic-pitch", "bass", "music-4", 8.0)
    nothing = Notes((), "basic-pitch", "other", "music-4", 8.0, "no note is heard in it")
    return replace(found, melody=melody, notes={"bass": bass, "other": nothing}, sung=((0.0, 4.0),))


def test_every_part_names_its_model_and_stems(song: Song) -> None:
    assert song.separator == "music-4"
    for part in (song.key, song.chords, song.melody, song.notes["bass"]):
        assert part.model
        assert part.stem
        assert part.separator == "music-4"


def test_json(song: Song) -> None:
    found = json.loads(song_json(song, "a “song”.mp3"))
    assert found["recording"] == "a “song”.mp3"
    assert found["chords"][1] == {
        "start": pytest.approx(song.chords.chords[1].start, abs=5e-4),
        "end": pytest.approx(song.chords.chords[1].end, abs=5e-4),
        "name": song.chords.chords[1].name,
        "confidence": song.chords.chords[1].confidence,
    }
    assert found["made_by"]["notes_other"] == {
        "model": "basic-pitch",
        "stem": "other",
        "reason": "no note is heard in it",
    }
    assert [note["pitch"] for note in found["notes_bass"]] == [36, 41]


def test_jams_has_the_published_form(song: Song) -> None:
    document = json.loads(jams(song, "song.mp3"))
    assert set(document) == {"annotations", "file_metadata", "sandbox"}
    assert document["file_metadata"]["duration"] == pytest.approx(song.seconds)
    kinds = [annotation["namespace"] for annotation in document["annotations"]]
    assert kinds == ["key_mode", "chord", "pitch_contour", "note_midi"]
    for annotation in document["annotations"]:
        data = annotation["data"]
        if annotation["namespace"] == "pitch_contour":
            assert {len(data[name]) for name in ("time", "duration", "value", "confidence")} == {500}
            continue
        assert all(set(row) == {"time", "duration", "value", "confidence"} for row in data)
        assert all(row["time"] >= 0 and row["duration"] >= 0 for row in data)
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed (pip install jsonschema)")
    observation = {"required": ["time", "duration", "value", "confidence"]}
    jsonschema.validate([row for a in document["annotations"][:2] for row in a["data"]], {"items": observation})


def test_files_of_a_song_and_of_silence(song: Song) -> None:
    both = {"song.json", "song.jams"}
    found = song_files(song, "song.mp3")
    tables = {"chords.csv", "chords.txt", "sung.txt"}
    assert set(found) == both | tables | {"melody.csv", "melody.svl", "melody.mid", "notes.mid"}
    assert found["sung.txt"] == b"0.000000\t4.000000\tvoice\n"
    assert found["notes.mid"][:4] == b"MThd"
    silent = tracked({stem: np.zeros((1, 8 * RATE), np.float32) for stem in STEMS})
    assert set(song_files(silent, "song.mp3")) == both
    assert silent.key.reason == silent.chords.reason == "it is silent"
    assert silent.sung == ()


def test_labels_have_no_control_characters() -> None:
    assert labels([(0, 1.5, "a\tb\n")]).count("\n") == 1


def test_overlay_and_lane_stay_small(song: Song) -> None:
    long = replace(song.melody, times=np.arange(10**6) * 0.016, hz=np.full(10**6, 440.0))
    drawn = music_overlay(replace(song, melody=long), 16_000.0, (40.0, 20_000.0), STEMS)
    assert drawn.count("L") <= MOST_POINTS
    assert 'class="roll"' in drawn
    assert chord_lane(song.chords, song.seconds).count("<span") == len([c for c in song.chords if c.name != "N"])
    reason = '<span class="reasons">Notes of other: none, no note is heard in it.</span>'
    assert music_legend(song, STEMS).endswith(reason)


def test_speech_has_no_music(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    stems = stems_of(bars=4)
    audio.write(tmp_path / "a.wav", np.concatenate([stems[stem] for stem in STEMS]), RATE, WAV)
    monkeypatch.setattr(song_api, "content_of_file", lambda *_: Content("speech", 0.9))
    listening = SongListening(StemsInChannels())  # type: ignore[arg-type]
    found = song_of_file(tmp_path / "a.wav", listening)
    reasons = {part.reason for part in (found.key, found.chords, found.melody, *found.notes.values())}
    assert reasons == {"it sounds like speech; use --force (force=True) if it is music"}
    assert song_of_file(tmp_path / "a.wav", replace(listening, force=True)).key.name == "C major"


def test_a_model_without_the_stems_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^Key and chords .* this model has no drums\. Use music-4"):
        analyse(np.zeros((2, RATE), np.float32), "music-2", sample_rate=RATE)


def test_an_array_needs_its_rate() -> None:
    with pytest.raises(UsageError):
        analyse(np.zeros((2, RATE), np.float32))
