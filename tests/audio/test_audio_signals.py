"""Calls into C that calls Python back: signals wait for their end, and nothing else changes."""

import gc
import io
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import numpy as np
import pytest
import soundfile
from audio_signals import noise

from sndfile_fakes import CountingLibrary
from unbraid import audio
from unbraid.audio import signals
from unbraid.audio.signals import undisturbed
from unbraid.audio.sndfile import SndfileDecoder

pytestmark = [
    pytest.mark.skipif(os.name == "nt", reason="signals are POSIX"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),  # files that were just being opened
]


@contextmanager
def interrupts(every_seconds: float) -> Iterator[None]:
    """Signals that raise KeyboardInterrupt, again and again, as a timer of the operating system sends them."""

    def stop(number: int, frame: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        raise KeyboardInterrupt

    old = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, every_seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)


def test_results_and_errors_come_through() -> None:
    assert undisturbed(lambda: 3) == 3
    with pytest.raises(ValueError, match="no"):
        undisturbed(lambda: int("no"))


def test_an_interrupt_waits_for_the_end_of_the_call() -> None:
    done = threading.Event()
    with pytest.raises(KeyboardInterrupt), interrupts(0.05):
        undisturbed(lambda: time.sleep(0.3) or done.set())
    assert done.is_set()


def test_what_is_opened_in_vain_is_closed() -> None:
    opened = io.BytesIO()
    with pytest.raises(KeyboardInterrupt), interrupts(0.05):
        undisturbed(lambda: time.sleep(0.3) or opened)
    assert opened.closed


@pytest.mark.parametrize("name", ["wav", "flac", "ogg", "mp3", "opus", "m4a"])
def test_a_signal_while_encoding_is_never_lost(tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]) -> None:
    samples, path = noise(2, 96000), tmp_path / f"out.{name}"
    stop_without_end(lambda: audio.write(path, samples, 48000, audio.choose_format(name)))
    assert capfd.readouterr().err == ""  # cffi prints what it cannot pass on


@pytest.mark.parametrize("name", ["wav", "flac", "m4a"])
def test_a_signal_while_decoding_is_never_lost(tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / f"in.{name}"
    audio.write(path, noise(2, 96000), 48000, audio.choose_format(name))
    data = path.read_bytes()
    if name == "wav":  # a stream of unknown length, which libsndfile reads through callbacks
        data = data[:4] + b"\xff" * 4 + data[8:]
    stop_without_end(lambda: audio.read(io.BytesIO(data)))
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("name", ["wav", "flac", "ogg", "mp3"])
def test_a_signal_while_a_file_is_decoded_is_never_lost(
    tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"in.{name}"
    audio.write(path, noise(2, 96000), 48000, audio.choose_format(name))
    stop_without_end(lambda: audio.read(path))
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("line", range(1, 7))
def test_a_signal_while_a_file_is_closed_frees_it_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: int
) -> None:
    library = CountingLibrary()
    monkeypatch.setattr(soundfile, "_snd", library)
    path = tmp_path / "in.wav"
    audio.write(path, noise(2, 960), 48000, audio.choose_format("wav"))
    decoder = SndfileDecoder(path, "in.wav")
    with pytest.raises(KeyboardInterrupt), interrupted_at(soundfile.SoundFile.close, line):
        decoder.close()
    del decoder
    gc.collect()
    assert len(library.freed) <= 1


def test_wav_files_need_no_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours is the code that writes them, and libsndfile opens them by their names: nothing calls Python back."""

    def refuse(*_: object) -> None:
        raise RuntimeError("a thread was started")

    monkeypatch.setattr(signals, "start_new_thread", refuse)
    samples = noise(2, 9600)
    audio.write(tmp_path / "a.wav", samples, 48000, audio.choose_format("wav", subtype="32f"))
    assert np.array_equal(audio.read(tmp_path / "a.wav")[0], samples)
    with pytest.raises(RuntimeError, match="a thread was started"):
        audio.write(tmp_path / "a.flac", samples, 48000, audio.choose_format("flac"))


def stop_without_end(work: Callable[[], object]) -> None:
    """Work again and again until the signal comes, wherever it then is; several times."""
    for delay in np.linspace(0.02, 0.2, 6):
        with pytest.raises(KeyboardInterrupt), interrupts(delay):
            deadline = time.monotonic() + 10
            while time.monotonic() < deadline:
                work()


@contextmanager
def interrupted_at(function: Callable[..., object], line: int) -> Iterator[None]:
    """A signal before so many lines of the function have run, or at its end where it has fewer."""
    left = [line]

    def step(frame: FrameType, event: str, _: object) -> Callable[..., object]:
        left[0] -= event == "line"
        if left[0] == 0 or event == "return":
            sys.settrace(None)
            raise KeyboardInterrupt
        return step

    sys.settrace(lambda frame, *_: step if frame.f_code is function.__code__ else None)
    try:
        yield
    finally:
        sys.settrace(None)
