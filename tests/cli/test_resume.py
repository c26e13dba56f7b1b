"""`--resume`: what still holds is skipped, what is missing is made, and other results are kept."""

import json
import os

import pytest
from cli_fakes import FakeSeparator


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


TOLD = "a/voice1.wav and 1 more were made {how}; --resume keeps them. Give --overwrite to replace them, or another -o."


def contents(here):
    return {path.name: path.read_bytes() for path in (here / "a").iterdir()}


@pytest.mark.parametrize(
    ("words", "how"),
    [
        (("--subtype", "24"), "without --subtype"),
        (("--start", "0.1", "--subtype", "24"), "without --subtype and without --start"),
        (("--residual", "--stems", "voice1,voice2"), "without --residual"),
        (("--precision", "int8", "-m", "speech"), "with --precision float32"),
    ],
)
def test_a_result_of_other_options_is_kept(unbraid_command, tone, here, words, how):
    tone("a.wav")
    unbraid_command("separate", "a.wav", "-m", "speech")
    before = contents(here)
    outcome = unbraid_command("separate", "a.wav", "--resume", "-m", "speech", *words)
    assert outcome.code == 1
    assert outcome.errors == [f"error: a.wav: {TOLD.format(how=how)}"]
    assert contents(here) == before
    assert unbraid_command("separate", "a.wav", "--resume", "--overwrite", "-m", "speech", *words).code == 0
    assert contents(here) != before
    assert "was done already" in unbraid_command("separate", "a.wav", "--resume", "-m", "speech", *words).out


def test_a_record_keeps_licence_and_data_of_the_model(unbraid_command, tone, here):
    tone("a.wav")
    unbraid_command("separate", "a.wav", "-m", "speech")
    files = json.loads((here / "a/.unbraid.json").read_text())["files"]
    assert {stem["licence"] for stem in files.values()} == {"MIT; data: open data, named in its provenance"}


def test_a_result_of_another_input_is_kept(unbraid_command, tone, here):
    tone("a.wav")
    unbraid_command("separate", "a.wav")
    before = contents(here)

    def told():
        outcome = unbraid_command("separate", *here.glob("a.*"), "--resume")
        assert outcome.code == 1
        assert contents(here) == before
        return outcome.err

    os.utime("a.wav", (1, 1))
    assert "made from another a.wav, of another date; --resume" in told()
    tone("a.wav", seconds=0.25)
    assert "made from another a.wav, of 8044 bytes instead of 4044; --resume" in told()
    (here / "a.wav").unlink()
    tone("a.flac")
    assert "made from a.wav; --resume" in told()


def test_a_result_of_another_model_is_kept(unbraid_command, tone, monkeypatch):
    tone("a.wav")
    unbraid_command("separate", "a.wav", "-m", "music-4", "--stems", "vocals")
    outcome = unbraid_command("separate", "a.wav", "-m", "music-2", "--resume")
    assert outcome.code == 1
    assert "error: a.wav: a/vocals.wav was made with --model music-4; --resume keeps it." in outcome.err
    init = FakeSeparator.__init__

    def changed(self, *words, **options):
        init(self, *words, **options)
        self.spec.files = {"model.safetensors": "other bytes"}

    monkeypatch.setattr(FakeSeparator, "__init__", changed)
    outcome = unbraid_command("separate", "a.wav", "-m", "music-4", "--resume")
    assert "a/vocals.wav was made with other files of the model music-4; --resume keeps it." in outcome.err


def test_results_that_are_kept_are_counted_apart(unbraid_command, tone):
    for name in "abc":
        tone(f"in/{name}.wav")
    unbraid_command("separate", "in/a.wav", "in/b.wav", "-o", "out", "--subtype", "24")
    outcome = unbraid_command("separate", "in", "-o", "out", "--resume")
    assert outcome.code == 1
    assert len(outcome.errors) == 2
    assert outcome.out.splitlines()[-1] == "2 of 3 inputs keep results that were made otherwise"
    assert "in/c.wav -> out/c/voice1.wav" in outcome.out


def test_a_stem_that_was_changed_is_kept_and_one_that_was_lost_is_made(statuses, unbraid_command, tone, here):
    tone("a.wav")
    statuses("a.wav")
    made = contents(here)
    with open(here / "a" / "voice2.wav", "r+b") as file:
        file.seek(1000)
        file.write(b"\xff")
    changed = contents(here)
    outcome = unbraid_command("separate", "a.wav", "--resume")
    assert outcome.code == 1
    assert "error: a.wav: a/voice2.wav was changed after it was made; --resume keeps it." in outcome.err
    assert contents(here) == changed
    (here / "a" / "voice2.wav").unlink()
    assert statuses("a.wav") == ["done"]
    assert contents(here)["voice2.wav"] == made["voice2.wav"]
    assert statuses("a.wav") == ["skipped"]


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
    assert statuses("a.wav", "-m", "music-4", "--stems", "drums,bass") == ["done"]


@pytest.mark.parametrize("template", ["{stem}/{parent}/{track}.{ext}", "{track}-{stem}/{parent}/x.{ext}"])
def test_stems_in_the_tree_they_come_from_are_no_inputs(statuses, tone, template):
    for name in ("tree/a.wav", "tree/sub/b.wav", "tree/sub/deep/c.wav"):
        tone(name)
    words = ("tree", "-r", "-o", "tree", "--template", template)
    assert statuses(*words) == ["done"] * 3
    assert statuses(*words) == ["skipped"] * 3
