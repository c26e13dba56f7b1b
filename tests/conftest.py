"""Fixtures of all tests: where references are, and small models on disk."""

import os
import sys
from pathlib import Path

import pytest

import missing
from engine_fakes import music_spec, speech_spec, write_model

TESTS = Path(__file__).parent


@pytest.fixture(scope="session")
def goldens() -> Path:
    """Small published-layout checkpoints with what the peers make of them."""
    return TESTS / "goldens"


@pytest.fixture(scope="session")
def parity() -> Path:
    """Larger fixtures of the same kind, where this machine has them."""
    folder = Path(os.environ.get("UNBRAID_SHARED", TESTS.parents[1] / "shared")) / "parity"
    if not folder.is_dir():
        pytest.skip(f"no parity fixtures: {folder} is absent (set UNBRAID_SHARED)")
    return folder


@pytest.fixture(scope="session")
def speech_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny SepFormer of two voices, at 8 kHz, windows of 0.1 s. Not to be changed."""
    folder = tmp_path_factory.mktemp("models") / "tiny-speech"
    write_model(folder, speech_spec())
    return folder


@pytest.fixture(scope="session")
def music_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tiny U-Nets, at 8 kHz, frames of 256 samples. Not to be changed."""
    folder = tmp_path_factory.mktemp("models") / "tiny-music"
    write_model(folder, music_spec())
    return folder


def pytest_unconfigure(config: pytest.Config) -> None:
    """End with one plain sentence, below pytest's own last line."""
    if reductions := sys.modules.get("torch.multiprocessing.reductions"):
        reductions.shared_cache.clear()  # what workers shared; freed at exit, it may complain below the last line
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or not reporter.stats:
        return
    outcomes = {
        kind: len(reporter.stats.get(key, ()))
        for kind, key in (("passed", "passed"), ("failed", "failed"), ("with errors", "error"))
    }
    reasons = [report.longrepr[2].removeprefix("Skipped: ") for report in reporter.stats.get("skipped", ())]
    reporter.write_line(missing.sentence(outcomes, reasons))
