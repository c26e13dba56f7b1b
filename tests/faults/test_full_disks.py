"""Where the disk takes no more, each command says so in a sentence and leaves what was there."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

if not hasattr(os, "fork"):
    pytest.skip("these tests fork, which this system cannot", allow_module_level=True)

import resource

from kill_inputs import fake_everything, make_inputs
from kill_points import child, command, copied, tree

ONE = ("separate", "a.wav", "-o", "out", "-q")
CASES = [
    ((*ONE,), 1200),
    ((*ONE, "--resume"), 1700),
    ((*ONE, "-f", "flac", "--overwrite"), 1000),
    ((*ONE, "-f", "mp3"), 1000),
    ((*ONE, "--report"), 4000),
    ((*ONE, "-m", "voices"), 5000),
    ((*ONE, "-m", "voices", "--speakers", "2"), 200),
    ((*ONE, "--template", "{track}_{stem}.{ext}"), 1200),
    (("enhance", "a.wav", "-m", "clean", "-q"), 1500),
    (("evaluate", "model", "data", "--metrics", "si-sdr", "-o", "scores", "-q"), 30000),
    (("models", "import", "checkpoint", "--to", "mine"), 3000),
    (("attention", "speller", "bad", "-o", "pages/bad.html"), 1000),
    (("synthesize", "ab", "-o", "said/ab.wav", "-q"), 700),
]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What every command starts from."""
    pytest.importorskip("onnx")
    folder = tmp_path_factory.mktemp("full") / "inputs"
    make_inputs(folder)
    return folder


def limited(words: tuple[str, ...], size: int) -> Callable[[], None]:
    """A command that may write no file of more bytes: all writes beyond fail, as on a full disk."""

    def work() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        command(*words)()

    return work


@pytest.mark.parametrize(("words", "size"), CASES)
def test_nothing_is_written_by_half(
    words: tuple[str, ...], size: int, inputs: Path, tmp_path: Path, monkeypatch
) -> None:
    fake_everything(monkeypatch, "cache")
    folder = copied(inputs, tmp_path / "work")
    (folder / "cache" / "models").mkdir(parents=True)
    before = tree(folder)
    end = child(limited(words, size), folder)
    assert end.code == 1
    assert "cannot be written: File too large. Files may not be that large there" in end.said
    assert "Traceback" not in end.said
    assert "bug" not in end.said
    assert ".unbraid-" not in end.said
    assert tree(folder) == before
