"""What all commands have in common: times, names of outputs, exit codes, completion, several inputs at a time."""

import json
import os
import re
import subprocess
import sys
import threading
from itertools import pairwise
from pathlib import Path

import pytest
import typer
import typer.main
from cli_fakes import FakeSeparator

import unbraid.cli
from unbraid import audio
from unbraid.cli import console
from unbraid.cli.jobs import Jobs
from unbraid.cli.times import seconds_of
from unbraid.errors import Cancelled

PAGE = Path(__file__).parents[2] / "docs" / "command-line.md"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5", 5), ("2.5", 2.5), ("0:05", 5), ("1:2", 62), ("90:00", None), ("1:02:03.5", 3723.5), ("120:00:00", 432000)],
)
def test_times_are_seconds_or_as_players_show_them(text, seconds):
    if seconds is None:
        with pytest.raises(typer.BadParameter, match="is no time; write seconds"):
            seconds_of(text)
    else:
        assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "a", "0:0x", "0:75", ":5", "1:", "1:2:3:4"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(typer.BadParameter, match="is no time; write seconds, such as 12.5"):
        seconds_of(text)


def test_an_excerpt_may_be_named_by_the_clock(unbraid_command, tone):
    tone("a.wav", seconds=3)
    assert unbraid_command("separate", "a.wav", "--start", "0:01", "--duration", "0:01.5").code == 0
    assert audio.read("a/voice1.wav")[0].shape[1] == 12000


def _commands():
    """Every command with its words."""
    found = {}

    def walk(command, words):
        for name, inner in getattr(command, "commands", {}).items():
            walk(inner, [*words, name])
        found[" ".join(words)] = command

    walk(typer.main.get_command(unbraid.cli.app), [])
    return found


def test_outputs_are_named_alike_everywhere():
    given = {name: {word for option in command.params for word in option.opts} for name, command in _commands().items()}
    writing = {name for name, options in given.items() if options & {"-o", "--out", "--output"}}
    assert {"separate", "evaluate", "train", "export", "synthesize", "attention", "data render"} <= writing
    for name in writing:
        assert {"-o", "--out", "--output"} <= given[name], name


@pytest.mark.parametrize("option", ["-o", "--out", "--output"])
def test_every_name_of_the_output_works(unbraid_command, tone, option):
    tone("a.wav")
    assert unbraid_command("separate", "a.wav", option, "out").code == 0
    assert Path("out/a/voice1.wav").is_file()


def test_json_takes_no_value(unbraid_command, tone):
    tone("a.wav")
    outcome = unbraid_command("separate", "--json", "a.wav")
    assert [file["input"] for file in json.loads(outcome.out)["files"]] == ["a.wav"]
    for words in (("separate",), ("models",), ("models", "info")):
        assert not re.search(r"--json +<", unbraid_command(*words, "--help").out)


@pytest.mark.parametrize("words", [("separate",), ("analyse",), ("models", "pull")])
def test_help_breaks_lines_only_where_the_terminal_does(unbraid_command, monkeypatch, words):
    monkeypatch.setenv("COLUMNS", "80")
    text = unbraid_command(*words, "--help").out
    about = text[text.index("[OPTIONS]") : text.index("╭")].splitlines()
    for line, following in pairwise(about[1:]):
        if line.strip() and following.strip():
            assert len(line.rstrip()) + 1 + len(following.split()[0]) > 79, line
    assert "--help" in text and "<bool>" not in text


def test_the_page_has_the_exit_codes_of_the_program(unbraid_command):
    table = dict(re.findall(r"^\| (\d+) \| (.+) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    assert table == {str(code): meaning for code, meaning in console.EXIT_CODES.items()}
    assert set(console.EXIT_CODES) == {0, console.FAILED, console.USAGE, console.INTERRUPTED}
    for page in PAGE.parent.glob("*.md"):
        assert not re.search(r"[Ee]xit codes: ", page.read_text(encoding="utf-8")), page


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["seperate", "a.wav"], "'separate'"),
        (["models", "inf", "speech"], "Did you mean 'info'?"),
        (["separate", "a.wav", "--formt", "flac"], "--format"),
        (["diarize", "a.wav", "-m", "spech"], "did you mean speech"),
        (["evaluate", "musik-4", "."], "did you mean music-4"),
    ],
)
def test_what_is_nearly_right_is_named(unbraid_command, tone, words, hint):
    tone("a.wav")
    outcome = unbraid_command(*words)
    assert outcome.code != 0
    assert hint in outcome.err


def test_a_stem_that_is_nearly_right_is_named():
    from unbraid.errors import UsageError
    from unbraid.tasks.separation.options import check_stem

    with pytest.raises(UsageError, match=r"^music-2 has no stem 'vocal', only .*; did you mean vocals\?$"):
        check_stem("vocal", ("vocals", "accompaniment"), "music-2")
    with pytest.raises(UsageError, match=r"; it is in music-4.*\.$"):
        check_stem("drums", ("vocals", "accompaniment"), "music-2")


def test_verbose_says_how_inputs_are_read_and_written(unbraid_command, tone):
    tone("a.wav", seconds=2)
    assert "16 bit, 1 channel at 8000 Hz, 0:02; stems are written as wav in 16 bit" in (
        unbraid_command("separate", "a.wav", "-v", "-m", "music-2").err
    )


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("sep", {"separate"}),
        ("separate --verb", {"--verbose"}),
        ("separate -m music-", {"music-2", "music-4", "music-5"}),
        ("separate -m music-4 --stems vocals,d", {"vocals,drums"}),
        ("separate --format o", {"ogg", "opus"}),
        ("models info spleeter:4", {"spleeter:4stems", "spleeter:4stems-16kHz"}),
    ],
)
def test_the_shell_completes(line, found):
    """The program that bash, zsh and fish ask, in a process of its own as they do."""
    last = str(len(line.split()))
    asked = {
        "COMP_WORDS": f"unbraid {line}",
        "COMP_CWORD": last,
        "_UNBRAID_COMPLETE": "complete_bash",
    }
    program = [sys.executable, "-m", "unbraid"]
    told = subprocess.run(program, env={**os.environ, **asked}, capture_output=True, text=True, check=False)
    assert set(told.stdout.split()) == found
    assert told.stderr == ""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_there_is_a_script_for_each_shell(shell):
    from typer.completion import get_completion_script

    script = get_completion_script(prog_name="unbraid", complete_var="_UNBRAID_COMPLETE", shell=shell)
    assert "_UNBRAID_COMPLETE" in script
    names = {word for option in _commands()[""].params for word in option.opts}
    assert {"--install-completion", "--show-completion"} <= names


def test_jobs_work_at_the_same_time_and_keep_their_order():
    both = threading.Barrier(2, timeout=30)  # passed only by two calls at once

    def work(number: int) -> int:
        both.wait()
        return number

    assert list(Jobs(2).map(work, range(4))) == [0, 1, 2, 3]


def test_an_error_stops_the_other_jobs():
    jobs, begun = Jobs(2), threading.Event()

    def work(number: int) -> None:
        if number == 0:
            begun.wait(30)
            raise KeyboardInterrupt
        begun.set()
        while True:
            jobs.check()

    with pytest.raises(KeyboardInterrupt):
        list(jobs.map(work, range(9)))
    with pytest.raises(Cancelled):
        jobs.check()


def test_several_inputs_at_a_time_give_the_same_files(unbraid_command, tone):
    for name in "abcd":
        tone(f"{name}.wav")
    Path("e.wav").write_bytes(b"no audio")
    one = unbraid_command("separate", *(f"{name}.wav" for name in "abcde"), "-o", "one", "--json")
    two = unbraid_command("separate", *(f"{name}.wav" for name in "abcde"), "-o", "two", "--json", "-j", "3")
    assert (one.code, two.code) == (1, 1)
    told = [[(file["input"], file["status"]) for file in json.loads(each.out)["files"]] for each in (one, two)]
    assert told[0] == told[1]
    files = sorted(path.relative_to("one") for path in Path("one").rglob("*.wav"))
    assert len(files) == 8
    for path in files:
        assert Path("one", path).read_bytes() == Path("two", path).read_bytes()
    assert FakeSeparator.made == 2


def test_info_has_the_facts_of_a_model(unbraid_command):
    told = unbraid_command("models", "info", "music-4")
    assert told.code == 0
    for fact in ("vocals, drums, bass, other", "44100 Hz", "CC BY-SA 4.0", "Trained by", "uSDR improvement dB, vocals"):
        assert fact in told.out
    facts = json.loads(unbraid_command("models", "info", "spleeter:4stems", "--json").out)
    assert (facts["folder"], facts["sample_rate"]) == (None, 44100)
    assert "`unbraid models pull spleeter:4stems`" in unbraid_command("models", "info", "spleeter:4stems").out
    wrong = unbraid_command("models", "info", "music4")
    assert wrong.code == 1
    assert "did you mean music-4" in wrong.err


@pytest.mark.parametrize("extension", ["mp3", "m4a", "ogg", "opus", "flac"])
def test_decoders_say_nothing_of_their_own(tone, capfd, extension):
    """Damaged files give warnings in our words, or an error, but nothing that a C library prints."""
    tone(f"a.{extension}", seconds=4, rate=48000)
    data = bytearray(Path(f"a.{extension}").read_bytes())
    for place in range(len(data) // 3, len(data), 997):
        data[place] ^= 0x55
    Path(f"b.{extension}").write_bytes(data)
    for start in (0.0, 1.3):
        try:
            with audio.Reader(f"b.{extension}", audio.Excerpt(start)) as reader:
                for _ in reader.blocks():
                    pass
        except unbraid.UnbraidError:
            continue
    assert capfd.readouterr() == ("", "")
