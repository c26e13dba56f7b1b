"""`unbraid separate` with a model that follows people: what it prints, writes, records and takes up again."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from unbraid import audio
from unbraid.corpora.rttm import read_rttm
from unbraid.hub.defaults import DEFAULTS
from unbraid.tasks.separation.options import Options
from unbraid.tasks.separation.separator import Separator
from voice_fakes import RATE, counting, voices

ONE = voices((1, 0, 3), seconds=3)
TWO = voices((2, 0, 2), (0, 1, 3), seconds=3)
ALL = voices((1, 0, 3), (0, 1, 3), (2, 2, 3), seconds=3)


@pytest.fixture(autouse=True)
def model(monkeypatch: pytest.MonkeyPatch) -> None:
    """The default model counts voices."""

    def opened(model: str, *, options: Options, **_: object) -> Separator:
        return counting(options)

    monkeypatch.setattr(sys.modules["unbraid.cli.separation"], "Separator", opened)
    monkeypatch.setattr(
        sys.modules["unbraid.cli.request"],
        "read_spec",
        lambda _: SimpleNamespace(silent_outputs=True, stems=("voice1", "voice2", "voice3")),
    )


@pytest.fixture
def talk(here: Path) -> Callable[..., np.ndarray]:
    """Write a recording of voices (3, C, T)."""

    def make(name: str, spoken: np.ndarray = TWO) -> np.ndarray:
        soundfile.write(here / name, spoken.sum(0).T, RATE, subtype="FLOAT")
        return spoken.sum(0)

    return make


def outputs(tree: list[str]) -> list[str]:
    return [name for name in tree if "/" in name and not name.endswith(".json")]


def test_it_says_how_many_voices_it_found_and_writes_as_many(unbraid_command, talk, tree, here) -> None:
    mixture = talk("talk.wav")
    outcome = unbraid_command("separate", "talk.wav")
    assert (outcome.code, outcome.err) == (0, "")
    assert outputs(tree()) == ["talk/speaker1.wav", "talk/speaker2.wav", "talk/speakers.rttm"]
    assert "talk.wav -> talk/speaker1.wav talk/speaker2.wav (3.0 s in " in outcome.out
    assert "\n  2 people found: speaker1 0:02, speaker2 0:02\n  0:01 of it at the same time\n" in outcome.out
    assert "\n  who speaks when: talk/speakers.rttm\n" in outcome.out
    stems = [audio.read(f"talk/speaker{i}.wav")[0] for i in (1, 2)]
    np.testing.assert_allclose(sum(stems), mixture, atol=1e-6)
    record = json.loads((here / "talk" / ".unbraid.json").read_text())["files"]
    assert record.keys() == {"speaker1.wav", "speaker2.wav", "speakers.rttm"}
    assert all(made["speakers"] == ["speaker1", "speaker2"] for made in record.values())
    turns = read_rttm(here / "talk" / "speakers.rttm")["talk"]
    assert [(turn.speaker, turn.start) for turn in turns] == [("speaker1", 0.0), ("speaker2", 0.9)]
    assert "speakers" not in record["speaker1.wav"]["making"]["options"]


def test_several_inputs_have_their_own_numbers(unbraid_command, talk, tree) -> None:
    for name, spoken in (("one.wav", ONE), ("two.wav", TWO), ("all.wav", ALL)):
        talk(name, spoken)
    outcome = unbraid_command("separate", "one.wav", "two.wav", "all.wav", "--json")
    files = json.loads(outcome.out)["files"]
    assert [file["voices_found"] for file in files] == [1, 2, 3]
    assert [len(file["outputs"]) for file in files] == [1, 2, 3]
    assert len(outputs(tree())) == 6 + 3


@pytest.mark.parametrize("speakers", [1, 2, 3])
def test_a_number_is_forced(unbraid_command, talk, tree, speakers: int) -> None:
    talk("talk.wav")
    outcome = unbraid_command("separate", "talk.wav", "--speakers", speakers, "--json")
    assert outcome.code == 0
    assert outputs(tree())[:-1] == [f"talk/speaker{i + 1}.wav" for i in range(speakers)]
    assert json.loads(outcome.out)["files"][0]["voices_found"] == speakers


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("0",), "error: --speakers counts from 1, and the fewest come first, such as 2-6, not '0'."),
        (("5-2",), "error: --speakers counts from 1, and the fewest come first, such as 2-6, not '5-2'."),
        (("2-x",), "error: --speakers takes a number, or the fewest and most, such as 2-6, not '2-x'."),
        (("two",), "error: --speakers takes a number, or the fewest and most, such as 2-6, not 'two'."),
        (("21",), "error: tiny-voices tells 1 to 20 speakers apart, not 21; give a number, or the fewest and most, "),
    ],
)
def test_other_numbers_are_refused(unbraid_command, talk, tree, words: tuple[str, ...], message: str) -> None:
    talk("talk.wav")
    outcome = unbraid_command("separate", "talk.wav", "--speakers", *words)
    assert outcome.code == 2
    assert message in " ".join(outcome.err.split())
    assert tree() == ["talk.wav"]


def test_a_track_that_is_done_is_skipped(unbraid_command, talk, here) -> None:
    def statuses(*words: object) -> list[str]:
        outcome = unbraid_command("separate", "a.wav", "b.wav", "--resume", "--json", *words)
        return [file["status"] for file in json.loads(outcome.out)["files"]]

    talk("a.wav", ONE)
    talk("b.wav", TWO)
    assert statuses() == ["done", "done"]
    assert statuses() == ["skipped", "skipped"]
    assert statuses("--residual") == ["kept", "kept"]
    assert statuses("--residual", "--overwrite") == ["done", "done"]
    assert statuses("--residual") == ["skipped", "skipped"]
    assert statuses("--stems", "speaker1", "--overwrite") == ["done", "done"]
    (here / "b" / "speaker2.wav").unlink()
    assert statuses("--stems", "speaker1") == ["skipped", "skipped"]
    assert statuses() == ["skipped", "done"]
    assert statuses("--speakers", "3", "--overwrite") == ["done", "done"]
    assert statuses("--speakers", "3") == ["skipped", "skipped"]
    talk("a.wav", TWO)
    assert statuses("--speakers", "3") == ["kept", "skipped"]


def test_a_stem_that_was_not_found_fails_its_track_alone(unbraid_command, talk, tree) -> None:
    talk("one.wav", ONE)
    talk("two.wav", TWO)
    outcome = unbraid_command("separate", "one.wav", "two.wav", "--stems", "speaker2")
    assert outcome.code == 1
    assert outcome.errors == [
        "error: speaker2 was not found in one.wav, only speaker1; leave --stems or --only out for all people, or say "
        "how many there are with --speakers."
    ]
    assert outputs(tree()) == ["two/speaker2.wav", "two/speakers.rttm"]
    again = unbraid_command("separate", "one.wav", "two.wav", "--stems", "speaker2,speaker1", "--overwrite")
    assert again.code == 0
    assert [name for name in outputs(tree()) if name.endswith("wav")] == [
        "one/speaker1.wav",
        "two/speaker1.wav",
        "two/speaker2.wav",
    ]


@pytest.mark.parametrize("form", ["flac", "mp3"])
def test_the_page_shows_the_voices_found(unbraid_command, talk, here, form: str) -> None:
    talk("talk.wav")
    words = ("separate", "talk.wav", "--report", "--format", form)
    assert unbraid_command(*words).code == 0
    page = (here / "talk" / "report.html").read_text()
    assert "People found" in page
    assert 'data-stem="speaker2"' in page
    assert 'data-stem="speaker3"' not in page
    assert "was done already" in unbraid_command(*words, "--resume").out


def test_standard_input_and_output(unbraid_command, talk, here) -> None:
    mixture = talk("talk.wav")
    piped = (here / "talk.wav").read_bytes()
    outcome = unbraid_command("separate", "-", "-o", "-", "--speakers", "1", stdin=piped)
    assert outcome.code == 0
    (here / "out.wav").write_bytes(outcome.bytes)
    np.testing.assert_allclose(audio.read("out.wav")[0], mixture, atol=1e-6)
    outcome = unbraid_command("separate", "-", "-o", "-", "--stems", "speaker2", stdin=piped)
    assert "2 people found" in outcome.err
    outcome = unbraid_command("separate", "-", "-o", "-", "--stems", "speaker3", stdin=piped)
    assert (outcome.code, outcome.bytes) == (1, b"")
    assert "speaker3 was not found in stdin, only speaker1, speaker2" in outcome.err


def test_a_voice_of_an_earlier_run_is_told_of(unbraid_command, talk, tree) -> None:
    talk("talk.wav", ALL)
    assert unbraid_command("separate", "talk.wav").code == 0
    talk("talk.wav", TWO)
    outcome = unbraid_command("separate", "talk.wav", "--overwrite")
    assert outcome.errors == [
        "warning: talk.wav: talk/speaker3.wav is left from an earlier run that found more people; delete it."
    ]
    assert outputs(tree())[:-1] == ["talk/speaker1.wav", "talk/speaker2.wav", "talk/speaker3.wav"]


def test_raw_keeps_all_outputs(unbraid_command, talk, tree) -> None:
    talk("talk.wav")
    outcome = unbraid_command("separate", "talk.wav", "--raw")
    assert outcome.code == 0
    assert "found" not in outcome.out
    assert outputs(tree()) == ["talk/voice1.wav", "talk/voice2.wav", "talk/voice3.wav"]


def test_nothing_is_left_in_the_temporary_folder(unbraid_command, talk, tmp_path) -> None:
    talk("talk.wav")
    unbraid_command("separate", "talk.wav")
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_model_of_another_number_is_found_where_the_default_does_not_count(monkeypatch) -> None:
    from unbraid.cli.request import choose_model

    assert choose_model(None, 3) == choose_model(None, None) == DEFAULTS["separation"]
    monkeypatch.undo()
    monkeypatch.setitem(DEFAULTS, "separation", "speech-2")
    assert choose_model(None, 3) == "speech"
    assert choose_model(None, 2) == "speech-2"
    assert choose_model("speech-2", 3) == "speech-2"  # which refuses the number


def test_enrolled_people_have_their_names(unbraid_command, talk, tree, here) -> None:
    talk("talk.wav")
    talk("anna.wav", voices((2, 0, 2), seconds=2))
    talk("bob.wav", voices((1, 0, 2), seconds=2))
    words = ("separate", "talk.wav", "--enrol", "anna=anna.wav", "--enrol", "bob=bob.wav")
    outcome = unbraid_command(*words)
    assert outcome.code == 0
    assert outputs(tree()) == ["talk/anna.wav", "talk/speaker2.wav", "talk/speakers.rttm"]
    assert "2 people found: anna 0:02, speaker2 0:02" in outcome.out
    assert "\n  bob does not speak in it\n" in outcome.out
    assert json.loads(unbraid_command(*words, "--resume", "--json").out)["files"][0]["status"] == "skipped"
    talk("anna.wav", voices((0, 0, 2), seconds=2))  # another voice in the file
    kept = unbraid_command(*words, "--resume")
    assert "was made with other recordings of anna, bob; --resume keeps" in kept.err.replace("were", "was")
    (file,) = json.loads(unbraid_command(*words, "--resume", "--overwrite", "--json").out)["files"]
    assert (file["status"], list(file["outputs"]), file["absent"]) == ("done", ["speaker1", "anna"], ["bob"])


def test_one_person_out_of_many(unbraid_command, talk, tree) -> None:
    mixture = talk("talk.wav")
    talk("anna.wav", voices((0, 0, 2), seconds=2))
    assert unbraid_command("separate", "talk.wav", "--only", "anna.wav").code == 0
    assert outputs(tree()) == ["talk/anna.wav", "talk/speakers.rttm"]
    talk("bob.wav", voices((1, 0, 2), seconds=2))
    outcome = unbraid_command("separate", "talk.wav", "--only", "bob.wav", "-o", "out")
    assert outcome.code == 1
    assert "bob was not found in talk.wav, only speaker1, speaker2" in outcome.err
    assert mixture.size and not any(name.startswith("out/") for name in tree())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--enrol", "anna"), "--enrol takes a name and a file, such as anna=anna.wav, not 'anna'."),
        (("--enrol", "anna=no.wav"), "no.wav, to enrol anna, is not a file; give a recording of the person alone."),
        (("--enrol", "anna=silent.wav"), "silent.wav is silent, so nobody can be enrolled; give a recording of one "),
        (("--enrol", "anna=short.wav"), "short.wav holds 0.5 s of speech; to enrol a person takes 1.5 s or more"),
        (("--only", "both.wav"), "both.wav holds the voices of several people; give a recording of one person alone."),
        (("--only", "both.wav", "--stems", "a"), "--only writes the track of one person, --stems the stems it names"),
    ],
)
def test_what_cannot_be_enrolled_is_refused(unbraid_command, talk, here, words: tuple[str, ...], message: str) -> None:
    talk("talk.wav")
    talk("silent.wav", voices(seconds=2))
    talk("short.wav", voices((0, 0, 0.5), seconds=0.5))
    talk("both.wav", voices((0, 0, 3), (2, 3.5, 6), seconds=6))
    outcome = unbraid_command("separate", "talk.wav", *words)
    assert outcome.code == 2
    assert message in " ".join(outcome.err.split())
    assert not (here / "talk").exists()


def test_tracks_of_people_who_were_not_found_are_told(unbraid_command, talk) -> None:
    talk("talk.wav", ONE)
    outcome = unbraid_command("separate", "talk.wav", "--speakers", "2")
    assert "\n  1 person found: speaker1 " in outcome.out
    assert "\n  1 of 2 tracks are silent, as fewer people were found\n" in outcome.out


def test_the_model_of_speaker_embeddings_is_an_option(unbraid_command, talk, monkeypatch) -> None:
    talk("talk.wav", TWO)
    seen: list[str | None] = []

    def opened(model: str, *, options: Options, **_: object) -> Separator:
        seen.append(options.embedder)
        return counting(options)

    monkeypatch.setattr(sys.modules["unbraid.cli.separation"], "Separator", opened)
    assert unbraid_command("separate", "talk.wav", "--embedder", "campplus").code == 0
    kept = unbraid_command("separate", "talk.wav", "--resume", "--json")  # another model: not the same result
    assert "made with --embedder campplus; --resume keeps them." in json.loads(kept.out)["files"][0]["error"]
    assert seen == ["campplus", None]
