"""`unbraid separate --two-stems`, `--shifts`, and several models, with real engines of small networks."""

import dataclasses
import json
import sys

import numpy as np
import pytest

from engine_fakes import HTDEMUCS, htdemucs_spec, write_model
from unbraid import audio
from unbraid.tasks.separation.options import Options
from unbraid.tasks.separation.separator import Separator


@pytest.fixture(autouse=True)
def real(monkeypatch):
    monkeypatch.setattr(sys.modules["unbraid.cli.separation"], "Separator", Separator)


@pytest.fixture
def song(here):
    """Stereo noise of a second, and its float samples."""
    samples = np.random.default_rng(0).normal(0, 0.1, (2, 8000)).astype(np.float32)
    audio.write("song.wav", samples, 8000, audio.OutputFormat("wav", "32f"))
    return samples


@pytest.fixture
def bag(tmp_path):
    """A network for each of two stems."""
    write_model(tmp_path / "bag", htdemucs_spec(dataclasses.replace(HTDEMUCS, networks=2)))
    return str(tmp_path / "bag")


def test_two_stems_are_named_as_demucs_names_them(unbraid_command, song, tree, music_folder):
    assert unbraid_command("separate", "song.wav", "-m", music_folder, "--two-stems", "drums").code == 0
    assert tree() == ["song.wav", "song/.unbraid.json", "song/drums.wav", "song/no_drums.wav"]
    parts = [audio.read(f"song/{name}.wav")[0] for name in ("drums", "no_drums")]
    np.testing.assert_allclose(parts[0] + parts[1], song, atol=1e-5)


def test_of_a_bag_one_network_gives_the_stem_that_is_written(unbraid_command, song, tree, bag):
    assert unbraid_command("separate", "song.wav", "-m", bag, "--stems", "bass").code == 0
    assert tree() == ["song.wav", "song/.unbraid.json", "song/bass.wav"]
    with Separator(bag, options=Options(stems=("bass",))) as separator:
        np.testing.assert_allclose(audio.read("song/bass.wav")[0], separator(song, 8000)["bass"], atol=1e-6)
    again = json.loads(unbraid_command("separate", "song.wav", "-m", bag, "--stems", "bass", "--resume", "--json").out)
    assert again["files"][0]["status"] == "skipped"
    outcome = unbraid_command("separate", "song.wav", "-m", bag, "--stems", "vocals", "-o", "other")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "tiny-htdemucs has no stem 'vocals', only drums, bass;" in outcome.err


def test_the_mean_of_two_models_is_written_under_both_names(unbraid_command, song, tree, bag, tmp_path):
    write_model(tmp_path / "one", htdemucs_spec(), seed=1)
    words = ("separate", "song.wav", "-m", f"{bag},{tmp_path / 'one'}", "--json")
    found = json.loads(unbraid_command(*words, "--shifts", "2").out)
    assert found["model"].endswith(f"{bag},{tmp_path / 'one'}")
    stems = [audio.read(f"song/{name}.wav")[0] for name in ("drums", "bass")]
    np.testing.assert_allclose(sum(stems), song, atol=1e-5)
    assert json.loads(unbraid_command(*words, "--shifts", "2", "--resume").out)["files"][0]["status"] == "skipped"
    assert json.loads(unbraid_command(*words, "--resume").out)["files"][0]["status"] == "kept"  # other options


REFUSED = [
    (
        ["--two-stems", "drums", "--stems", "drums"],
        "--two-stems writes one stem and the sum of all others, --stems those",
    ),
    (
        ["--two-stems", "drums", "--remove", "vocals"],
        "Two stems are one and the sum of all others; leave out what is to",
    ),
    (["--two-stems", "xyz"], "tiny-music has no stem 'xyz', only vocals, drums; no model has it."),
    (["--shifts", "30"], "Shifts are from 0 to 20, got 30."),
    (["--shifts", "2", "--wiener"], "Shifts do not go with the Wiener filter; leave one of them out."),
]


@pytest.mark.parametrize(("words", "told"), REFUSED, ids=[" ".join(words) for words, _ in REFUSED])
def test_what_does_not_go_together_is_refused(unbraid_command, song, tree, music_folder, words, told):
    outcome = unbraid_command("separate", "song.wav", "-m", music_folder, *words)
    assert outcome.code == 2
    assert told in outcome.err
    assert tree() == ["song.wav"]
