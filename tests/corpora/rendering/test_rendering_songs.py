"""Whole songs: drawn, rendered, resumed; and where their material is found."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from rendering_sounds import needs_world

from unbraid import audio
from unbraid.corpora.rendering import Material, Rendering, find_stock, render_songs, speech, stock
from unbraid.corpora.rendering.draw import draw_plan, play_through
from unbraid.corpora.rendering.midi import notes_of
from unbraid.corpora.rendering.plan import Plan
from unbraid.corpora.rendering.programs import find_program
from unbraid.corpora.rendering.run import render_one
from unbraid.corpora.rendering.singer import sung_f0
from unbraid.corpora.rendering.speech import words
from unbraid.corpora.rendering.stock import Singer, Stock, split_of
from unbraid.errors import RuntimeUnavailable, UnbraidError, UsageError

SHORT = Rendering(seconds=6.0)


@pytest.fixture
def stocked(midi_file, tmp_path) -> Stock:
    """Songs and drum performances; the SoundFont is only a name."""
    paths = [midi_file(f"midi/{i}.mid", bars=8 + i, shift=i) for i in range(3)]
    paths += [midi_file(f"midi/drums{i}.mid", bars=4 + i, channels=(9,)) for i in range(2)]
    return Stock(
        tuple(paths), (tmp_path / "a.sf2", tmp_path / "b.sf2"), (), ((Singer("ann", (tmp_path / "a.wav",), False),),)
    )


def test_a_plan_is_a_function_of_seed_and_number(stocked):
    plans = {number: draw_plan(stocked, SHORT, number)[0].as_json() for number in range(8)}
    assert {number: draw_plan(stocked, SHORT, number)[0].as_json() for number in reversed(range(8))} == plans
    assert len(set(plans.values())) == 8
    assert draw_plan(stocked, replace(SHORT, seed=1), 0)[0].as_json() != plans[0]


def test_plans_keep_parts_apart_and_vary_the_rest(stocked):
    plans = [draw_plan(stocked, SHORT, number)[0] for number in range(60)]
    for plan in plans:
        assert 0.85 <= plan.tempo <= 1.15 and -5 <= plan.transpose <= 6
        assert plan.seconds == pytest.approx(6.0)
        for strip in plan.strips:
            for written, played in strip.programs:
                if strip.channel == 2:
                    assert 32 <= written < 40 and 32 <= played < 40
    alone = [plan for plan in plans if [strip.channel for strip in plan.strips] == [9]]
    assert 0 < len(alone) < 20
    assert all(plan.singer is None and list(plan.parts) == ["drums"] for plan in alone)
    songs = [plan for plan in plans if plan not in alone]
    piano = sum("piano" in plan.parts for plan in songs)
    assert 0.3 < piano / len(songs) < 0.7
    assert len({plan.parts["bass"].soundfont for plan in songs}) == 2
    assert {plan.singer is None for plan in songs} == {True, False}
    assert any(plan.singer.sung for plan in songs if plan.singer)


def test_drum_performances_fill_a_song_together(stocked):
    how = replace(SHORT, seconds=16.0)
    plans = [draw_plan(replace(stocked, midi=stocked.midi[3:]), how, number)[0] for number in range(20)]
    assert {len(plan.excerpts) for plan in plans} == {1, 2}  # a performance of 8 s and one of 10 s
    assert all(plan.singer is None and list(plan.parts) == ["drums"] for plan in plans)


def test_broken_files_are_passed_over_and_told(stocked, tmp_path):
    broken = tmp_path / "broken.mid"
    broken.write_bytes(b"no")
    some = replace(stocked, midi=(broken, *stocked.midi))
    troubles = {trouble for number in range(20) for trouble in draw_plan(some, SHORT, number)[1]}
    assert len(troubles) == 1 and str(broken) in troubles.pop()
    with pytest.raises(UsageError) as error:
        draw_plan(replace(stocked, midi=(broken,)), SHORT, 0)
    assert str(error.value) == "None of the MIDI files can be used: they are damaged, or shorter than 4 s or 8 notes."


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seconds": 0.5}, "seconds must be at least 1, got 0.5."),
        ({"sung": 2.0}, "sung must be at most 1, got 2.0."),
        ({"seed": -1}, "seed must be at least 0, got -1."),
        ({"format": "mp3"}, "format must be flac or wav, got 'mp3'."),
    ],
)
def test_nonsense_is_refused(change, message):
    with pytest.raises(ValueError) as error:
        replace(Rendering(), **change)
    assert str(error.value) == message


@needs_world
def test_songs_are_whole_loud_and_the_same_however_made(midi_file, soundfont, voices, tmp_path):
    midi_file("midi/a.mid")
    midi_file("midi/b.mid", shift=5)
    files = tuple(sorted((tmp_path / "midi").iterdir()))
    some = Stock(files, (soundfont,), (), ((Singer("ann", (voices / "a.wav",), False),),))
    how = Rendering(seconds=4.0, sung=1.0)
    first = list(render_songs(some, how, tmp_path / "one", range(2), workers=1))
    list(render_songs(some, how, tmp_path / "two", range(2), workers=2))
    for outcome in first:
        assert outcome.error is None and "vocals" in outcome.parts
        folder = tmp_path / "one" / f"song-0-{outcome.number:05d}"
        assert json.loads((folder / "song.json").read_text())["number"] == outcome.number
        assert {path.stem for path in folder.glob("*.flac")} == set(outcome.parts)
        stems = [audio.read(path)[0] for path in sorted(folder.glob("*.flac"))]
        assert {stem.shape for stem in stems} == {(2, 4 * 44100)}
        peaks = [np.abs(sound).max() for sound in (*stems, np.sum(stems, axis=0))]
        assert 0.88 < max(peaks) < 10 ** (-1 / 20)
        for path in folder.iterdir():
            assert path.read_bytes() == (tmp_path / "two" / folder.name / path.name).read_bytes()
        plan = Plan.read(folder / "song.json")
        assert plan.as_json() == (folder / "song.json").read_text()
        f0 = sung_f0(plan, notes_of(play_through(plan.excerpts, plan.tempo)))
        assert f0.shape == (800,) and 0.1 < np.mean(f0 > 0) < 1 and 50 < np.median(f0[f0 > 0]) < 800
    assert not list((tmp_path / "one").glob(".*"))
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "one").rglob("*.flac")}
    assert all(outcome.skipped for outcome in render_songs(some, how, tmp_path / "one", range(2)))
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "one").rglob("*.flac")} == before


def test_a_song_that_fails_is_told(stocked, tmp_path):
    if shutil.which("fluidsynth") is None:
        pytest.skip("no FluidSynth: apt install fluidsynth")
    (tmp_path / "a.sf2").write_bytes(b"RIFF....sfbk")
    outcome = render_one(replace(stocked, soundfonts=(tmp_path / "a.sf2",), singers=()), SHORT, tmp_path / "out", 0)
    assert outcome.error == (
        f"fluidsynth cannot load {tmp_path / 'a.sf2'}: it is damaged. Get it anew, or leave it out."
    )
    assert not list((tmp_path / "out").glob("*"))


def test_without_fluidsynth_the_packages_are_named(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(RuntimeUnavailable) as error:
        find_program("fluidsynth")
    assert str(error.value) == (
        "Rendering needs the program fluidsynth, which is not installed; get it with `apt install fluidsynth "
        "fluid-soundfont-gm` (Debian, Ubuntu) or `brew install fluid-synth` (macOS)."
    )
    with pytest.raises(RuntimeUnavailable) as error:
        find_program("espeak-ng")
    assert "apt install espeak-ng" in str(error.value)


def test_splits_share_no_song(tmp_path):
    folder = tmp_path / "midi"
    folder.mkdir()
    font = tmp_path / "a.sf2"
    font.write_bytes(b"RIFF\0\0\0\0sfbk")
    for i in range(64):
        (folder / f"{i}.mid").write_bytes(b"song %d" % (i % 32))  # each twice
    found = {split: find_stock(Material((folder,), (font,)), split).midi for split in stock.SPLITS}
    contents = {split: {path.read_bytes() for path in paths} for split, paths in found.items()}
    assert sum(map(len, found.values())) == 64
    assert sum(map(len, contents.values())) == 32
    assert len(found["train"]) > len(found["test"]) > 0
    assert {split_of(path.read_bytes()) for path in found["dev"]} == {"dev"}


def test_voices_are_divided_as_their_folder_says(voices, tmp_path):
    (ann,) = stock._singers(voices, "train")
    assert (ann.name, ann.files, ann.sings) == ("ann", (voices / "a.wav",), False)
    song = tmp_path / "music" / "train" / "Song"
    song.mkdir(parents=True)
    for name in ("vocals.ogg", "drums.ogg"):
        (song / name).touch()
    (singer,) = stock._singers(tmp_path / "music", "train")
    assert (singer.files, singer.sings) == ((song / "vocals.ogg",), True)
    with pytest.raises(UsageError) as error:
        stock._singers(voices, "test")
    assert str(error.value) == f"No recording of a voice is in {voices} for the split 'test'; name another folder."


def test_material_that_is_not_there_is_refused(tmp_path):
    (tmp_path / "a.sf2").write_bytes(b"a SoundFont it is not")
    (tmp_path / "a.mid").write_bytes(b"1")  # train, by its content
    missing = tmp_path / "missing"
    with pytest.raises(UsageError) as error:
        find_stock(Material((missing,), (missing,)), "train")
    assert str(error.value) == f"There is no folder {missing}. Name a folder that is there."
    with pytest.raises(UnbraidError) as refused:
        find_stock(Material((tmp_path,), (tmp_path / "a.sf2",)), split_of(b"1"))
    assert str(refused.value) == f"{tmp_path / 'a.sf2'} is not a SoundFont. Name a .sf2 or .sf3 file."
    with pytest.raises(UsageError) as error:
        find_stock(Material((tmp_path,), (missing,)), split_of(b"1"))
    assert str(error.value).startswith(f"The SoundFont {missing} cannot be read: No such file")
    with pytest.raises(UsageError) as error:
        find_stock(Material((tmp_path,), ()), "all")
    assert str(error.value) == "There is no split 'all'; choose train, dev, test."


def test_words_can_be_said():
    text = words(10, np.random.default_rng(0))
    assert len(text.split()) == 10 and text.isascii()


def test_espeak_makes_a_folder_of_voices(tmp_path):
    if shutil.which("espeak-ng") is None:
        pytest.skip("no espeak-ng: apt install espeak-ng")
    paths = list(speech.speak(tmp_path / "voices", 3, seed=1))
    assert all(audio.probe(path).duration > 1 for path in paths)
    rows = (tmp_path / "voices" / "manifest.csv").read_text().splitlines()
    assert rows[0] == "path,speaker,split,text" and len(rows) == 4
    with pytest.raises(UsageError) as error:
        list(speech.speak(tmp_path / "voices", 3))
    assert str(error.value) == f"{tmp_path / 'voices'} is there already; name a new folder, or remove it."
