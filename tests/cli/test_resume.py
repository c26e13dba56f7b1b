"""`--resume`: what still holds is skipped, everything else is done again."""

import json
import os

import numpy as np
import pytest
from cli_fakes import FakeSeparator

from unbraid import audio


@pytest.fixture
def statuses(unbraid_command):
    """What a resumed run did with each file."""

    def run(*words):
        outcome = unbraid_command("separate", *words, "--resume", "--json")
        assert outcome.code == 0, outcome.err
        return [file["status"] for file in json.loads(outcome.out)["files"]]

    return run


def test_what_is_done_is_skipped(statuses, tone):
    tone("a.wav")
    assert statuses("a.wav") == ["done"]
    tone("b.wav")
    assert statuses("a.wav", "b.wav") == ["skipped", "done"]
    assert statuses("a.wav", "--stems", "voice2") == ["skipped"]


def test_another_input_model_or_option_is_done_again(statuses, tone, monkeypatch):
    tone("a.wav")
    statuses("a.wav")
    tone("a.wav", level=0.25)
    assert statuses("a.wav") == ["done"]
    assert np.abs(audio.read("a/voice1.wav")[0]).max() < 0.2
    os.utime("a.wav", (1, 1))
    assert statuses("a.wav") == ["done"]
    assert statuses("a.wav", "--subtype", "24") == ["done"]
    assert statuses("a.wav", "--start", "0.1", "--subtype", "24") == ["done"]
    assert statuses("a.wav", "--start", "0.1", "--subtype", "24") == ["skipped"]


def test_other_weights_under_the_same_name_are_noticed(statuses, tone, monkeypatch):
    tone("a.wav")
    statuses("a.wav")
    init = FakeSeparator.__init__

    def changed(self, *words, **options):
        init(self, *words, **options)
        self.spec.files = {"model.safetensors": "other bytes"}

    monkeypatch.setattr(FakeSeparator, "__init__", changed)
    assert statuses("a.wav") == ["done"]


def test_a_stem_that_was_changed_or_lost_is_done_again(statuses, tone, here):
    tone("a.wav")
    statuses("a.wav")
    with open(here / "a" / "voice2.wav", "r+b") as file:
        file.seek(1000)
        file.write(b"\xff")
    assert statuses("a.wav") == ["done"]
    assert statuses("a.wav") == ["skipped"]
    (here / "a" / "voice1.wav").unlink()
    assert statuses("a.wav") == ["done"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 2}', '{"format": 1, "files": {"voice1.wav": 3}}'])
def test_a_record_that_cannot_be_read_claims_nothing(unbraid_command, tone, here, text):
    tone("a.wav")
    unbraid_command("separate", "a.wav")
    (here / "a" / ".unbraid.json").write_text(text)
    assert unbraid_command("separate", "a.wav", "--resume").code == 2
    assert unbraid_command("separate", "a.wav", "--resume", "--overwrite").code == 0


def test_stems_of_several_runs_lie_side_by_side(statuses, unbraid_command, tone):
    tone("a.wav")
    assert unbraid_command("separate", "a.wav", "-m", "music-4", "--stems", "drums").code == 0
    assert unbraid_command("separate", "a.wav", "-m", "music-2", "--stems", "vocals").code == 0
    assert statuses("a.wav", "-m", "music-4", "--stems", "drums") == ["skipped"]
    assert statuses("a.wav", "-m", "music-2", "--stems", "vocals") == ["skipped"]
    assert statuses("a.wav", "-m", "music-4") == ["done"]


@pytest.mark.parametrize("template", ["{stem}/{parent}/{track}.{ext}", "{track}-{stem}/{parent}/x.{ext}"])
def test_stems_in_the_tree_they_come_from_are_no_inputs(statuses, tone, template):
    for name in ("tree/a.wav", "tree/sub/b.wav", "tree/sub/deep/c.wav"):
        tone(name)
    words = ("tree", "-r", "-o", "tree", "--template", template)
    assert statuses(*words) == ["done"] * 3
    assert statuses(*words) == ["skipped"] * 3
