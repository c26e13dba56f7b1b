"""A song as a whole: every part names its origin, the files say the same, and speech has no music."""

import json
from dataclasses import replace

import numpy as np
import pytest

import unbraid.tasks.analysis.song_api as song_api
from song_fakes import RATE, STEMS, StemsInChannels, stems_of
from unbraid import audio
from unbraid.corpora.rttm import Segment
from unbraid.errors import UsageError
from unbraid.tasks.alignment.lines import AlignedLine
from unbraid.tasks.analysis.lyrics import Lyrics
from unbraid.tasks.analysis.melody import Melody
from unbraid.tasks.analysis.notes import Note, Notes
from unbraid.tasks.analysis.singer_search import SingerSearch
from unbraid.tasks.analysis.singers import Singers
from unbraid.tasks.analysis.song import Song, SongTracker
from unbraid.tasks.analysis.song_api import SongListening, analyse, song_of_file
from unbraid.tasks.analysis.song_formats import jams, labels, song_files, song_json
from unbraid.tasks.pages.song_lanes import (
    MOST_POINTS,
    chord_lane,
    lyrics_section,
    music_legend,
    music_overlay,
    singer_lanes,
)
from unbraid.tasks.pages.song_plot import Form, song_plot
from unbraid.tasks.separation.content import Content
from unbraid.tasks.transcription.transcript import Word
from voice_fakes import ByBand

WAV = audio.choose_format("wav", subtype="16")


def tracked(stems: dict[str, np.ndarray]) -> Song:
    tracker = SongTracker(RATE, "music-4", SingerSearch(ByBand()))
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
    sung = (Segment(0.0, 2.5, "anna", 0.9), Segment(2.5, 4.0, "b<ob", 0.5))
    words = (Word("la", 0.5, 1.0, 0.9), Word("li", 1.0, 1.5, 0.8))
    lines = (AlignedLine("la li", words, 1), AlignedLine("lost", (), 2))
    return replace(
        found,
        melody=melody,
        notes={"bass": bass, "other": nothing},
        sung=((0.0, 4.0),),
        singers=Singers(sung, "voice", ("anna", "b<ob"), "vocals", "music-4", 8.0),
        lyrics=Lyrics(lines, "ears", True, "vocals", "music-4", 8.0),
    )


def test_every_part_names_its_model_and_stems(song: Song) -> None:
    assert song.separator == "music-4"
    assert len(song.drums) and song.drums.reason is None
    for part in (song.key, song.chords, song.melody, song.notes["bass"], song.drums, song.singers, song.lyrics):
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
    assert found["singers"][1] == {
        "start": 2.5, "end": 4.0, "singer": "b<ob", "confidence": 0.5, "uncertain": True,
    }  # fmt: skip
    assert {hit["pitch"] for hit in found["drums"]} <= {36, 38, 42}
    assert [(line["start"], line["text"], line["found"]) for line in found["lyrics"]] == [
        (0.5, "la li", True), (None, "lost", False),
    ]  # fmt: skip


def test_jams_has_the_published_form(song: Song) -> None:
    document = json.loads(jams(song, "song.mp3"))
    assert set(document) == {"annotations", "file_metadata", "sandbox"}
    assert document["file_metadata"]["duration"] == pytest.approx(song.seconds)
    kinds = [annotation["namespace"] for annotation in document["annotations"]]
    assert kinds == ["key_mode", "chord", "lyrics", "pitch_contour", "note_midi"]
    for annotation in document["annotations"]:
        data = annotation["data"]
        if annotation["namespace"] == "pitch_contour":
            assert {len(data[name]) for name in ("time", "duration", "value", "confidence")} == {500}
            continue
        assert all(set(row) == {"time", "duration", "value", "confidence"} for row in data)
        assert all(row["time"] >= 0 and row["duration"] >= 0 for row in data)
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed (pip install jsonschema)")
    observation = {"required": ["time", "duration", "value", "confidence"]}
    jsonschema.validate([row for a in document["annotations"][:3] for row in a["data"]], {"items": observation})


def test_files_of_a_song_and_of_silence(song: Song) -> None:
    both = {"song.json", "song.jams"}
    found = song_files(song, "song.mp3")
    tables = {"chords.csv", "chords.txt", "sung.txt", "singers.csv", "singers.txt", "lyrics.lrc"}
    assert set(found) == both | tables | {"melody.csv", "melody.svl", "melody.mid", "notes.mid"}
    assert found["sung.txt"] == b"0.000000\t4.000000\tvoice\n"
    assert found["singers.txt"] == b"0.000000\t2.500000\tanna\n2.500000\t4.000000\tb<ob\n"
    assert found["lyrics.lrc"] == b"[00:00.50]la li\n[00:01.50]\n"
    assert found["notes.mid"][:4] == b"MThd"
    silent = tracked({stem: np.zeros((1, 8 * RATE), np.float32) for stem in STEMS})
    assert set(song_files(silent, "song.mp3")) == both
    assert silent.key.reason == silent.chords.reason == "it is silent"
    assert silent.sung == silent.singers.passages == silent.lyrics.lines == ()
    assert silent.singers.reason == "nobody sings in it"


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


def test_singers_and_lyrics_on_the_page(song: Song) -> None:
    anna, bob = singer_lanes(song.singers, song.seconds, "")
    assert '<span class="dim">sings 0:02</span>' in anna and 'aria-label="anna sings 0:02, in 1 passages"' in anna
    assert "b&lt;ob" in bob and '<path class="unsure" d="M2.50 5h1.50v4h-1.50z"/>' in bob
    section = lyrics_section(song.lyrics)
    assert '<button type="button" data-start="0.500" data-end="1.500">la li</button>' in section
    assert '<span class="dim">lost</span>' in section and "times by ears" in section
    assert lyrics_section(Lyrics(reason="none")) == ""


@pytest.mark.parametrize(("form", "begin"), [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_a_picture_of_all_parts(song: Song, form: Form, begin: bytes) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed (pip install matplotlib)")
    drawn = song_plot(song, form)
    assert drawn is not None and drawn.startswith(begin)
    silent = replace(song, singers=replace(song.singers, passages=()), chords=replace(song.chords, chords=()))
    less = song_plot(replace(silent, melody=Melody("swift-f0")), form)
    assert less is not None and len(less) < len(drawn)
    assert song_plot(replace(silent, melody=Melody("swift-f0"), notes={}), form) is None


def test_speech_has_no_music(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    stems = stems_of(bars=4)
    audio.write(tmp_path / "a.wav", np.concatenate([stems[stem] for stem in STEMS]), RATE, WAV)
    monkeypatch.setattr(song_api, "content_of_file", lambda *_: Content("speech", 0.9))
    listening = SongListening(StemsInChannels(), SingerSearch(ByBand()))  # type: ignore[arg-type]
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
