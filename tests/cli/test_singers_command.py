"""`unbraid singers`: where results go, what they hold, and the sentences for what cannot be."""

import csv
import io
import json
from pathlib import Path

import pytest
import soundfile

import unbraid.cli.tracking as tracking
import unbraid.tasks.analysis.singers_api as singers_api
from unbraid.tasks.separation.content import Content
from voice_fakes import RATE, ByBand, voices

MADE: list[str] = []


class Loaded(ByBand):
    """An embedder that the command loads."""

    device, device_reason = "cpu", "a fake"

    def __init__(self, model: str, *, device: str = "auto", threads: int | None = None) -> None:
        MADE.append(model)

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        pass


class Vocals:
    """A separator whose vocals are its input."""

    def __init__(self, model: str, *, device: str = "auto", threads: int | None = None) -> None:
        MADE.append(model)
        self.spec = type("Spec", (), {"name": model})()

    def stems(self) -> tuple[str, ...]:
        return ("vocals", "other")

    def separated(self, track, progress, diagnostics):
        return ({"vocals": block, "other": 0 * block} for block in track.blocks())

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        pass


@pytest.fixture(autouse=True)
def fakes(monkeypatch: pytest.MonkeyPatch, here: Path) -> None:
    """Stand-ins for the models, a duet that is music, and a folder of one of its voices."""
    MADE.clear()
    monkeypatch.setattr(tracking, "Separator", Vocals)
    monkeypatch.setattr(tracking, "SpeakerEmbedder", Loaded)
    monkeypatch.setattr(singers_api, "content_of_file", lambda *_: Content("music", 0.9))
    put(here / "duet.wav", (0, 1, 9), (1, 10, 18))
    (here / "bob").mkdir()
    put(here / "bob" / "1.wav", (1, 0, 3))


def put(path: Path, *turns: tuple[int, float, float]) -> None:
    sound = voices(*turns, seconds=turns[-1][2] + 1).sum(0)
    soundfile.write(path, sound.T, RATE, subtype="FLOAT")


def rows(text: str) -> list[tuple[str, int, int]]:
    return [
        (row["singer"], round(float(row["start"])), round(float(row["end"])))
        for row in csv.DictReader(io.StringIO(text))
    ]


def test_singers_are_shown(unbraid_command) -> None:
    outcome = unbraid_command("singers", "duet.wav")
    assert (outcome.code, outcome.err) == (0, "")
    assert rows(outcome.out) == [("singer1", 1, 9), ("singer2", 10, 18)]
    assert MADE == ["voice", "music-4"]


def test_the_enrolled_have_their_names(unbraid_command, here: Path) -> None:
    outcome = unbraid_command("singers", "duet.wav", "--enrol", "bob=bob", "-o", "who.csv", "--embedder", "mine")
    assert outcome.code == 0
    assert outcome.out.startswith("duet.wav -> who.csv: unknown 8.4 s, bob 8.4 s (19.0 s in ")
    assert rows((here / "who.csv").read_text()) == [("unknown", 1, 9), ("bob", 10, 18)]
    assert MADE == ["mine", "music-4"]


def test_a_number_and_other_formats(unbraid_command, here: Path) -> None:
    assert "singer2" not in unbraid_command("singers", "duet.wav", "--singers", "1", "-f", "labels").out
    assert unbraid_command("singers", "duet.wav", "-o", "out/", "-f", "labels", "-q").code == 0
    assert (here / "out" / "duet.txt").read_text().splitlines()[1].endswith("\tsinger2")
    (file,) = json.loads(unbraid_command("singers", "duet.wav", "--no-separate", "--json").out)["files"]
    assert [row["singer"] for row in file["passages"]] == ["singer1", "singer2"]
    assert (file["stem"], file["separator"]) == (None, None)


def test_nobody_sings(unbraid_command, here: Path) -> None:
    soundfile.write(here / "quiet.wav", 0 * voices(seconds=3).sum(0).T, RATE)
    outcome = unbraid_command("singers", "quiet.wav")
    assert (outcome.code, outcome.out) == (0, "start,end,singer,confidence\n")
    assert outcome.errors == ["quiet.wav: nothing was found, as nobody sings in it"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--enrol", "bob"), "--enrol takes a name and a file or folder, such as anna=anna.wav, not 'bob'."),
        (
            ("--enrol", "eve=eve.wav"),
            "eve.wav, to enrol eve, is neither a file nor a folder; give a recording of the person alone.",
        ),
        (("--singers", "x"), "--singers takes a number, or the fewest and most, such as 2-6, not 'x'."),
        (
            ("--singers", "2", "--enrol", "bob=bob"),
            "Who is enrolled says which singers there may be; leave the number of singers out.",
        ),
        (("-f", "mid"), "Who sings when is written as csv, json, labels, not as 'mid'."),
        (
            ("-m", "music-2", "--no-separate"),
            "-m names the model that separates, which --no-separate leaves out; give one of them.",
        ),
    ],
)
def test_what_cannot_be(unbraid_command, words: tuple[str, ...], told: str) -> None:
    outcome = unbraid_command("singers", "duet.wav", *words)
    assert (outcome.code, outcome.errors) == (2, [f"error: {told}"])
