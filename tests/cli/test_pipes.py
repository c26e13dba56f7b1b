"""Standard input, standard output, and the end of patience: pipes and interrupts, the command as a process."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from unbraid import audio

PROGRAM = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # tests in the background of a shell ignore it
sys.path.insert(0, {folder!r})
import unbraid.cli.separation as separation
from cli_fakes import FakeSeparator
FakeSeparator.pause_seconds = {pause}
separation.Separator = FakeSeparator
from unbraid.cli import main
main()
"""


def start(*words: str, pause: float = 0.0, **streams: object) -> subprocess.Popen[bytes]:
    """The command with the stand-in, as a process of its own."""
    program = PROGRAM.format(folder=str(Path(__file__).parent), pause=pause)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    return subprocess.Popen([sys.executable, "-c", program, *words], env=environment, **streams)  # type: ignore[call-overload, no-any-return]


def test_a_pipe_through(unbraid_command, tone, here):
    mixture = tone("a.wav", channels=2)
    data = (here / "a.wav").read_bytes()
    outcome = unbraid_command("separate", "-", "-m", "loud", "--stems", "vocals", "-o", "-", stdin=data)
    assert outcome.code == 0
    (here / "b.wav").write_bytes(outcome.bytes)
    samples, rate = audio.read("b.wav")
    assert rate == 8000
    assert np.array_equal(samples, 4 * mixture)
    assert outcome.errors[0].startswith("standard input is read to its end first: ")
    assert outcome.errors[1].startswith("standard input -> standard output (0.5 s in ")
    assert list((here.parent / "tmp").iterdir()) == []


def test_standard_input_to_files(unbraid_command, tone, tree, here):
    tone("a.wav")
    data = (here / "a.wav").read_bytes()
    assert unbraid_command("separate", "-", stdin=data).code == 0
    assert tree() == ["a.wav", "stdin/.unbraid.json", "stdin/voice1.wav", "stdin/voice2.wav"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "error: standard input is empty: it holds no bytes. Name a file with audio in it."),
        (b"no audio", "error: standard input is not audio that can be read (libsndfile: "),
    ],
)
def test_bad_standard_input(unbraid_command, data, message, here):
    outcome = unbraid_command("separate", "-", "--stems", "voice1", "-o", "-", "-q", stdin=data)
    assert (outcome.code, outcome.bytes) == (1, b"")
    assert len(outcome.errors) == 1
    assert outcome.err.startswith(message)
    assert list((here.parent / "tmp").iterdir()) == []


def test_a_reader_that_goes_away_is_no_reason_to_complain(tone):
    tone("a.wav", seconds=60)
    words = ("separate", "a.wav", "--stems", "voice1", "-o", "-")
    with start(*words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.read(4) == b"RIFF"
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=30) == 1


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_no_half_files(tone, here, number):
    tone("a.wav", seconds=100)
    with start(
        "separate", "a.wav", "-m", "speech", pause=0.05, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    ) as process:
        deadline = time.monotonic() + 30
        while not any(here.glob(".unbraid-*/*/*.wav")) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(number)
        _, errors = process.communicate(timeout=30)
    assert errors == b"error: interrupted; nothing is kept of the track that was under way.\n"
    assert process.returncode == 130
    assert [path.name for path in here.iterdir()] == ["a.wav"]


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")
@pytest.mark.parametrize("extension", ["mp3", "opus"])
def test_an_interrupt_while_stems_are_encoded_leaves_nothing(tone, here, extension):
    tone("a.wav", seconds=200, rate=16000)
    words = ("separate", "a.wav", "-m", "speech", "-f", extension)
    with start(*words, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 30
        while not any(here.glob(f".unbraid-*/track/*.{extension}")) and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert errors == b"error: interrupted; nothing is kept of the track that was under way.\n"
    assert process.returncode == 130
    assert [path.name for path in here.iterdir()] == ["a.wav"]


@pytest.mark.skipif(os.name == "nt", reason="named pipes are POSIX")
def test_a_named_pipe_is_read_once(unbraid_command, tone, tree, here):
    tone("a.wav")
    os.mkfifo(here / "pipe.wav")
    with subprocess.Popen(["sh", "-c", "cat a.wav > pipe.wav"], cwd=here):
        assert unbraid_command("separate", "pipe.wav").code == 0
    assert tree() == ["a.wav", "pipe/.unbraid.json", "pipe/voice1.wav", "pipe/voice2.wav"]
    assert list((here.parent / "tmp").iterdir()) == []


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_standard_output(tone):
    tone("a.wav")
    with open("/dev/full", "wb") as full:
        process = start("separate", "a.wav", "--stems", "voice1", "-o", "-", stdout=full, stderr=subprocess.PIPE)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert errors.decode() == (
        "error: a.wav: standard output cannot be written: No space left on device. "
        "Free some space, or choose another folder.\n"
    )


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize(
    "words",
    [
        "--version",
        "--help",
        "models",
        "models --json",
        "models path speech-2",
        "separate a.wav",
        "separate a.wav --json",
    ],
)
def test_words_that_nobody_can_take(tone, words):
    tone("a.wav")
    with open("/dev/full", "wb") as full:
        process = start(*words.split(), stdout=full, stderr=subprocess.PIPE)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert errors.decode() == (
        "error: standard output cannot be written: No space left on device. Free some space, or choose another "
        "folder.\n"
    )


@pytest.mark.skipif(os.name == "nt", reason="closes file descriptors")
@pytest.mark.parametrize(
    ("words", "closed", "message"),
    [
        ("-", "<&-", "Standard input is closed; pipe audio into it, or name a file instead of -."),
        (
            "a.wav -o - --stems voice1",
            ">&-",
            "-o - writes one float32 WAV to standard output, which is closed; redirect it to a file or a pipe.",
        ),
    ],
)
def test_closed_streams_are_told(tone, words, closed, message):
    tone("a.wav")
    shell = f'exec "$@" {words} {closed}'
    program = PROGRAM.format(folder=str(Path(__file__).parent), pause=0.0)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(
        ["sh", "-c", shell, "sh", sys.executable, "-c", program, "separate"],
        env=environment,
        stderr=subprocess.PIPE,
        timeout=30,
    )
    assert (done.returncode, done.stderr.decode()) == (2, f"error: {message}\n")
