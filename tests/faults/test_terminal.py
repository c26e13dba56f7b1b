"""Names from elsewhere on the terminal: what acts there is shown instead; data stay what they are."""

import io
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from odd_folders import recording
from odd_servers import says, server
from typer.testing import CliRunner, Result

import unbraid
import unbraid.cli
from unbraid.cli import console
from unbraid.cli.progress import Meter
from unbraid.errors import UnbraidError
from unbraid.files.printable import is_utf8, json_printable, printable
from unbraid.hub import cache as store
from unbraid.hub import catalogue, download
from unbraid.tasks.transcription.subtitles import Line, written
from unbraid.tasks.transcription.transcript import Word

ACTING = {
    "escape": ("\x1b[2J", r"\x1b[2J"),
    "title": ("\x1b]0;mine\x07", r"\x1b]0;mine\x07"),
    "bell": ("\x07", r"\x07"),
    "backspace": ("\x08", r"\x08"),
    "line": ("\nerror: all is lost", r"\nerror: all is lost"),
    "return": ("\rdone", r"\rdone"),
    "tab": ("\t", r"\t"),
    "delete": ("\x7f", r"\x7f"),
    "C1": ("\x9b31m", r"\x9b31m"),
    "override": ("\u202e3pm.\u202c", r"\u202e3pm.\u202c"),
    "isolate": ("\u2066x\u2069", r"\u2066x\u2069"),
    "separator": ("\u2028", r"\u2028"),
    "tag": ("\U000e0041", r"\U000e0041"),
    "byte": ("\udce9", r"\xe9"),
    "surrogate": ("\ud800", r"\ud800"),
}
HARMLESS = ["Björk – Jóga", "日本語", "مرحبا\u200f", "👩\u200d🚀", "[red]x[/red]", ":smile:", "a\\x1b", "a'b\"c"]
RAW = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\U000e0000-\U000e007f]")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder and cache."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("UNBRAID_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(download, "RETRY_SECONDS", 0.0)
    return tmp_path / "here"


@pytest.fixture
def run(speech_folder: Path) -> Callable[..., Result]:
    def command(name: str, *words: object) -> Result:
        more = {"separate": ["-m", str(speech_folder)], "transcribe": ["--force"]}.get(name, [])
        return CliRunner().invoke(unbraid.cli.app, [name, *map(str, words), *more])

    return command


def quiet(done: Result) -> str:
    """All that was printed; nothing in it acts."""
    text = done.stdout + done.stderr
    assert not RAW.search(text), ascii(RAW.search(text))
    return text


@pytest.mark.parametrize("kind", ACTING)
def test_each_kind_is_shown(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    raw, shown = ACTING[kind]
    assert printable(f"a{raw}b") == f"a{shown}b"
    assert json.loads(json_printable(json.dumps([raw], ensure_ascii=False))) == [raw]
    for tell in (console.say, console.notice, console.report_error):
        tell(f"a{raw}b")
    captured = capsys.readouterr()
    assert captured.out == f"a{shown}b\n"
    assert captured.err == f"a{shown}b\nerror: a{shown}b\n"


@pytest.mark.parametrize("text", HARMLESS)
def test_what_only_looks_odd_stays(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert printable(text) == text
    console.say(text)
    assert capsys.readouterr().out == f"{text}\n"


def test_lines_stay_where_they_are_meant() -> None:
    assert printable("a\nb\x1b\tc", keep="\n") == "a\nb\\x1b\\tc"


def test_names_in_utf8() -> None:
    assert is_utf8("é") and is_utf8(Path("é"))
    assert not is_utf8("\udce9")


@pytest.mark.parametrize("kind", [kind for kind in ACTING if kind not in ("surrogate",)])
def test_names_of_files(here: Path, run: Callable[..., Result], kind: str) -> None:
    raw, shown = ACTING[kind]
    try:
        recording(here / "in" / f"x{raw}.wav")
    except OSError as error:
        pytest.skip(f"no such names here: {error}")
    (here / "in" / f"bad{raw}.wav").write_text("junk")
    (here / "in" / f"skip{raw}.txt").touch()
    done = run("separate", "in", "-o", "out")
    assert done.exit_code == 1
    for name in (f"in/x{shown}.wav -> ", f"in/bad{shown}.wav", f"skip{shown}.txt"):
        assert name in quiet(done)
    files = json.loads((again := run("separate", "in", "-o", "out2", "--json")).stdout)["files"]
    assert {file["input"] for file in files} == {f"in/bad{raw}.wav", f"in/x{raw}.wav"}
    assert quiet(again)


def test_names_on_pages(here: Path, run: Callable[..., Result]) -> None:
    recording(here / "a<script>\u202e\x1b.wav")
    assert run("separate", "a<script>\u202e\x1b.wav", "-o", "out", "--report").exit_code == 0
    (page,) = (here / "out").rglob("report.html")
    text = page.read_text(encoding="utf-8")
    assert r"<h1>a&lt;script&gt;\u202e\x1b.wav</h1>" in text
    assert not RAW.search(text)


def model(place_name: str, **changes: object) -> None:
    """A model in the cache whose spec says odd things."""
    folder = Path(unbraid.__file__).parent / "assets/models/speech-2"
    values = json.loads((folder / "spec.json").read_text(encoding="utf-8")) | changes
    place = store.models_folder() / place_name
    place.mkdir(parents=True)
    (place / "spec.json").write_text(json.dumps(values), encoding="utf-8")


@pytest.mark.parametrize("kind", ACTING)
def test_fields_of_specs(kind: str, run: Callable[..., Result]) -> None:
    raw, _ = ACTING[kind]
    model("evil", name=f"m{raw}", stems=[f"a{raw}", "b"], licence=f"l{raw}", provenance=raw)
    model("worse", name=f"m{raw}", family=f"f{raw}")
    model("worst", **{f"k{raw}": 1})
    assert quiet(run("models"))
    assert quiet(run("models", "path", f"m{raw}"))
    assert json.loads((listed := run("models", "--json")).stdout)
    assert quiet(listed)


def test_fields_of_specs_at_the_doctor(run: Callable[..., Result]) -> None:
    model("evil", name="m\x1b[2J", stems=["a", "b"])
    model("worse", **{"k\x9b\u202e": 1})
    assert quiet(run("doctor"))
    assert json.loads((checked := run("doctor", "--json")).stdout)
    assert quiet(checked)


def test_answers_of_servers(run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    entry = catalogue.catalogue().published["spleeter:2stems"]
    assert entry.archive == "2stems"
    sums = json.dumps({"2stems": "\x1b[2J\u202e" * 100}).encode()
    odd = [says("200 OK", {}, sums), says("404 \x1b[2J"), says("302 Found", {"Location": "file:///\x1b[2J"})]
    for talk in odd:
        with server(talk) as url:
            monkeypatch.setenv("UNBRAID_SPLEETER_URL", url)
            done = run("models", "pull", "spleeter:2stems")
        assert done.exit_code == 1
        assert len(quiet(done)) < 1000  # licence and training data come first


class Terminal(io.StringIO):
    """A terminal, as far as a bar looks at it."""

    def isatty(self) -> bool:
        return True


def test_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("unbraid.cli.progress.PATIENCE_SECONDS", 0.0)
    with Meter("a\x1b]0;mine\x07\n[red]b") as meter:
        meter(1.0, 2.0)
    assert "]0;mine\x07" not in terminal.getvalue()
    assert r"a\x1b]0;mine\x07\n[red]b" in terminal.getvalue()


def test_debugging(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("UNBRAID_DEBUG", "1")
    try:
        raise UnbraidError("a\x1b[2J")
    except UnbraidError as error:
        console.explain(error)
    assert "\x1b" not in capsys.readouterr().err


def test_transcripts(here: Path, monkeypatch: pytest.MonkeyPatch, run: Callable[..., Result]) -> None:
    """A recogniser's words are shown on the terminal as others, and are in files what they are."""
    recording(here / "a.wav")
    lines = [Line((Word("one\x1b[2J", 0.0, 1.0, 1.0),)), Line((Word("two", 1.0, 2.0, 1.0),))]

    def heard(*_: object, **__: object) -> Iterator[Line]:
        yield from lines

    monkeypatch.setattr("unbraid.cli.transcription.lines_of", heard)
    assert quiet(run("transcribe", "a.wav")) == "one\\x1b[2J\ntwo\n"
    told = json.loads(run("transcribe", "a.wav", "--json").stdout)
    assert told["files"][0]["text"] == "one\x1b[2J\ntwo"
    run("transcribe", "a.wav", "-o", "a.txt")
    assert (here / "a.txt").read_text(encoding="utf-8") == "".join(written(iter(lines), "text", None))
