"""Inputs and places: every track has one of its own, below the output root, whatever things are called."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unbraid.cli.files.inputs import Item, OutputLayout, collect, refuse_collisions
from unbraid.errors import UsageError

NAMES = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=12).filter(
    lambda name: name not in (".", "..")
)
TEMPLATES = st.sampled_from(
    [
        "{track}/{stem}.{ext}",
        "{track}-{stem}.{ext}",
        "{stem}/{track}.{ext}",
        "{track}/{name}-{stem}.{ext}",
        "{stem}/{parent}/{name}.{ext}",
        "{model}/{name}/{stem}.wav",
        "{parent}/{track}.{stem}.{ext}",
    ]
)


@settings(suppress_health_check=[HealthCheck.too_slow])  # the first names take a second, more on a busy machine
@given(st.lists(st.tuples(NAMES, NAMES), min_size=1, max_size=6, unique=True), TEMPLATES)
def test_outputs_never_meet_and_never_leave_the_root(places, template):
    root = Path("root").absolute()
    layout = OutputLayout(root, template, "wav", "spleeter:2stems")
    items = [Item(Path(parent, name), parent) for parent, name in places]
    outputs = {item: [layout.stem_path(item, stem) for stem in ("vocals", "drums")] for item in items}
    try:
        refuse_collisions(outputs)
    except UsageError as error:
        assert "would both be written to" in str(error)
        return
    records = [layout.receipt_path(item) for item in items]
    everything = [*records, *(path for paths in outputs.values() for path in paths)]
    assert len(set(everything)) == len(everything)
    for path in everything:
        assert Path(os.path.normpath(path)) == path
        assert root in path.parents


@given(st.lists(NAMES.filter(lambda name: not name.startswith(".")), min_size=1, max_size=5, unique=True))
def test_the_same_name_in_two_folders_does_not_meet(folders):
    layout = OutputLayout(Path("out"), "{track}/{stem}.{ext}", "wav", "m")
    items = [Item(Path(folder, "x.wav"), folder) for folder in folders]
    assert len({layout.stem_path(item, "vocals") for item in items}) == len(folders)


def test_model_names_become_one_folder_name():
    layout = OutputLayout(Path("out"), "{model}/{stem}.{ext}", "wav", "speechbrain/sepformer-x")
    assert layout.stem_path(Item(Path("a.wav")), "voice1") == Path("out/speechbrain--sepformer-x/voice1.wav")


def test_a_stem_of_a_strange_model_stays_one_name():
    layout = OutputLayout(Path("out"), "{track}/{stem}.{ext}", "wav", "m")
    assert layout.stem_path(Item(Path("a.wav")), "../../x") == Path("out/a/.._.._x.wav")


def test_names_of_255_bytes_are_held_and_longer_ones_refused():
    layout = OutputLayout(Path("out"), "{track}-{stem}.{ext}", "wav", "m")
    assert layout.stem_path(Item(Path("x" * 244 + ".wav")), "vocals").name == "x" * 244 + "-vocals.wav"
    with pytest.raises(UsageError, match=r"is longer than the 255 bytes that file systems hold; choose a shorter one"):
        layout.stem_path(Item(Path("x" * 245 + ".wav")), "vocals")
    with pytest.raises(UsageError):
        layout.stem_path(Item(Path("日" * 82 + ".wav")), "vocals")


def test_folders_are_walked_in_order_without_what_is_hidden(tmp_path):
    for name in ("b/y.mp3", "b/x.WAV", "a.flac", ".git/z.wav", "b/.z.wav", "b/notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = collect([str(tmp_path)], recursive=True)
    assert [(item.path, item.parent) for item in found.items] == [
        (tmp_path / "a.flac", ""),
        (tmp_path / "b/x.WAV", "b"),
        (tmp_path / "b/y.mp3", "b"),
    ]
    assert found.skipped == [tmp_path / "b/notes.txt"]
    assert [item.path for item in collect([str(tmp_path)], recursive=False).items] == [tmp_path / "a.flac"]


def test_a_file_that_is_named_is_an_input_whatever_it_is_called(tmp_path):
    names = [str(tmp_path / "notes.txt"), "-"]
    assert [item.label for item in collect(names, recursive=False).items] == [names[0], "standard input"]


def test_an_empty_name_is_not_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.wav").touch()
    with pytest.raises(UsageError, match=r"^The name of an input is empty; leave it out, or use \. for the current"):
        collect([""], recursive=False)


def test_what_may_not_be_looked_at_is_left_to_its_reader(tmp_path, monkeypatch):
    real = os.stat

    def stat(path, *arguments, **options):
        if os.fspath(path).endswith("closed.wav"):
            raise PermissionError(13, "Permission denied", path)
        return real(path, *arguments, **options)

    monkeypatch.setattr(os, "stat", stat)
    (tmp_path / "open.wav").touch()
    names = [str(tmp_path / "closed.wav"), str(tmp_path / "open.wav")]
    assert [item.name for item in collect(names, recursive=False).items] == ["closed.wav", "open.wav"]


def test_an_empty_folder_does_not_stop_the_others(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.wav").touch()
    collected = collect([str(tmp_path / "empty"), str(tmp_path / "a.wav")], recursive=False)
    assert [item.name for item in collected.items] == ["a.wav"]
    assert collected.refused == {tmp_path / "empty": f"There are no audio files in {tmp_path / 'empty'}."}
