"""Where the importers' tests find their references."""

import os
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]


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
