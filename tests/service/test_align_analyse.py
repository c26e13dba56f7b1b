"""Jobs that align texts and analyse songs: over the API, and by the command line on a service."""

import json
import shutil
from pathlib import Path

import httpx2
import pytest
from service_fakes import recording
from typer.testing import CliRunner

from source_tree import ROOT
from unbraid.cli import app
from unbraid.service.client import Client
from unbraid.tasks.alignment.formats import FORMATS

pytest.importorskip("fastapi", reason="no web extra: pip install 'unbraid[web]'")
EXAMPLES = ROOT.parents[1] / "examples"
LOW = -1000  # a threshold at which any line is found in any voice


@pytest.fixture
def talk(tmp_path: Path) -> Path:
    """A voice, and beside it a text of digits, which nobody says there."""
    (tmp_path / "digits.txt").write_text("one two three\n[Chorus]\nfour", encoding="utf-8")
    return Path(shutil.copy(EXAMPLES / "voices.flac", tmp_path / "talk.flac"))


def command(*options: object) -> tuple[int, str, str]:
    """The exit status, standard output and standard error of a command."""
    done = CliRunner().invoke(app, list(map(str, options)))
    return done.exit_code, done.stdout, done.stderr


def test_a_text_is_aligned_in_every_format(server, talk: Path, tmp_path: Path) -> None:
    with Client(server.url) as client:
        text = talk.with_name("digits.txt").read_text(encoding="utf-8")
        job = client.submit(talk, "align", {"text": text, "threshold": LOW, "words": True})
        assert "text" not in job.options  # it may be long, and events tell the options again and again
        done = client.wait(job.id)
        assert (done.state, done.model) == ("done", "digits"), done.error
        files = client.download(job.id, tmp_path / "out")
        client.delete(job.id)
    assert set(files) == {f"aligned.{extension}" for extension in FORMATS.values()}
    told = json.loads(files["aligned.json"].read_text(encoding="utf-8"))
    assert [line["text"] for line in told["lines"]] == ["one two three", "four"]
    assert "<00:" in files["aligned.lrc"].read_text(encoding="utf-8")  # times of words


def form(http: httpx2.Client, talk: Path, **fields: str | bytes) -> tuple[int, str]:
    """The status and sentence of a refusal."""
    answer = http.post("/v1/jobs", files={"file": ("a.flac", talk.read_bytes())}, data=fields)
    return answer.status_code, answer.json()["detail"]


def test_texts_that_are_refused(server, talk: Path) -> None:
    with httpx2.Client(base_url=server.url) as http:
        needs = "A job of kind align needs the text that is said: send it as the field text of the form."
        assert form(http, talk, kind="align") == (422, needs)
        assert form(http, talk, kind="align", text=" \n") == (422, needs)
        status, told = form(http, talk, kind="align", text="[Chorus]")
        assert status == 422 and told.startswith("The text has no line that anybody could say")
        assert form(http, talk, kind="align", text="a" * 200_001) == (
            400,
            "A field of the form has more than 200000 bytes.",
        )
        status, told = form(http, talk, kind="separate", text="one")
        assert status == 422 and told.startswith("A job of kind separate has no option 'text'; its options are model")
        body = b'--x\r\nContent-Disposition: form-data; name="text"\r\n\r\n\xff\r\n--x--\r\n'
        kind = {"Content-Type": "multipart/form-data; boundary=x"}
        answer = http.post("/v1/jobs", content=body, headers=kind)
        assert (answer.status_code, answer.json()["detail"]) == (
            400,
            "A field of the form is not in UTF-8; convert it first.",
        )


def test_the_command_writes_the_same_alignment(server, talk: Path, tmp_path: Path) -> None:
    options = ("align", talk.with_name("digits.txt"), talk, "--threshold", LOW, "-q")
    here, there = tmp_path / "here.srt", tmp_path / "there.srt"
    assert command(*options, "-o", here)[0] == 0
    assert command(*options, "-o", there, "--server", server.url)[0] == 0
    assert here.read_bytes() == there.read_bytes()
    local, remote = (
        json.loads(command(*options[:-1], "--json", *more)[1])["files"][0] for more in ((), ("--server", server.url))
    )
    for same in ("lines_found", "lines_not_found", "not_in_text", "lines", "model"):
        assert local[same] == remote[same], same
    with Client(server.url) as client:
        assert [job for job in client.jobs() if job.name == talk.name and job.kind == "align"] == []
    code, _, told = command(*options, "--vocals-model", "music-5", "--server", server.url)
    assert code == 2 and "--server goes with -m, -o, --format, --words, --vocals, --threshold and --overwrite" in told


def test_the_command_writes_the_same_analysis(server, tmp_path: Path) -> None:
    song = recording(tmp_path / "song.wav", 2.0, 44100)
    options = ("analyse", song, "--force")
    assert command(*options, "-o", tmp_path / "here")[0] == 0
    code, out, _ = command(*options, "-o", tmp_path / "there", "--server", server.url)
    assert code == 0 and "page: " in out
    names = {path.name for path in (tmp_path / "here").iterdir()}
    assert names == {path.name for path in (tmp_path / "there").iterdir()}
    assert {"vocals.wav", "drums.wav", "bass.wav", "other.wav", "song.json", "song.jams", "index.html"} <= names
    for name in ("song.json", "song.jams"):
        assert (tmp_path / "here" / name).read_bytes() == (tmp_path / "there" / name).read_bytes()
    code, _, told = command(*options, "-o", tmp_path / "there", "--server", server.url)
    assert code == 2 and f"{tmp_path / 'there'} exists already" in told
    code, _, told = command(*options, "--start", "1", "-o", tmp_path / "other", "--server", server.url)
    assert code == 2 and "--server goes with -m, -o, --stems, --force, -r and --overwrite" in told
