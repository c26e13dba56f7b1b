"""Fixtures of the command line: a folder to work in, recordings, and the command with a stand-in for the network."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from cli_fakes import FakeSeparator
from typer.testing import CliRunner

import unbraid.cli
import unbraid.cli.separation
from unbraid import audio
from unbraid.tasks.separation.content import Content

RATE = 8000  # Hz


@dataclass(frozen=True)
class Outcome:
    """What a command did."""

    code: int
    out: str
    err: str
    bytes: bytes

    @property
    def errors(self) -> list[str]:
        """The lines on standard error."""
        return self.err.splitlines()


Unbraid = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, a cache and a temporary folder of our own, and no network behind the separator.

    Tones stand for voices here, so nobody listens to them.
    """
    for name in ("work", "tmp"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("UNBRAID_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    for name in ("UNBRAID_OFFLINE", "HF_HUB_OFFLINE", "UNBRAID_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys.modules["unbraid.cli.separation"], "Separator", FakeSeparator)
    monkeypatch.setattr(sys.modules["unbraid.cli.separation"], "content_of_file", lambda *_: Content(None))
    monkeypatch.setattr(FakeSeparator, "made", 0)
    return tmp_path / "work"


@pytest.fixture
def unbraid_command() -> Unbraid:
    """The command, in this process."""

    def run(*words: object, stdin: bytes = b"") -> Outcome:
        result = CliRunner().invoke(unbraid.cli.app, [str(word) for word in words], input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Outcome(
            result.exit_code, result.stdout_bytes.decode(errors="replace"), result.stderr, result.stdout_bytes
        )

    return run


@pytest.fixture
def tone(here: Path) -> Callable[..., np.ndarray]:
    """Write a recording of a tone, and return its samples as `audio.read` gives them."""

    def make(name: str, seconds: float = 0.5, channels: int = 1, rate: int = RATE, level: float = 0.5) -> np.ndarray:
        path = here / name
        path.parent.mkdir(parents=True, exist_ok=True)
        time = np.arange(round(seconds * rate)) / rate
        samples = level * np.sin(2 * np.pi * 330 * (1 + np.arange(channels)[:, None]) * time)  # (C, T)
        extension = path.suffix.lstrip(".")
        subtype = "16" if extension in ("wav", "flac") else None
        audio.write(path, samples.astype(np.float32), rate, audio.choose_format(extension, subtype=subtype))
        return audio.read(path)[0]

    return make


@pytest.fixture
def tree(here: Path) -> Callable[[], list[str]]:
    """The files below the current folder, hidden ones too."""

    def list_files() -> list[str]:
        return sorted(path.relative_to(here).as_posix() for path in here.rglob("*") if path.is_file())

    return list_files
