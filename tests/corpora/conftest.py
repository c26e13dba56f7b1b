"""Where the real corpora are, on machines that have them."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def speech8k() -> Path:
    """A folder of speakers with fixed mixtures."""
    shared = Path(os.environ.get("UNBRAID_SHARED", Path(__file__).parents[3] / "shared"))
    folder = shared / "data" / "speech8k"
    if not folder.is_dir():
        pytest.skip(f"no real speech: {folder} is absent (set UNBRAID_SHARED)")
    return folder


@pytest.fixture(scope="session")
def songs() -> Path:
    """A folder of real songs as stems."""
    shared = Path(os.environ.get("UNBRAID_SHARED", Path(__file__).parents[3] / "shared"))
    folder = shared / "data" / "music"
    if not folder.is_dir():
        pytest.skip(f"no real songs: {folder} is absent (set UNBRAID_SHARED)")
    return folder
