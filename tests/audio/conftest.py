"""The file most of these tests start from."""

from pathlib import Path

import pytest
import soundfile
from audio_signals import noise


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    """One second of stereo noise, 16 bit, 8 kHz."""
    path = tmp_path / "in.wav"
    soundfile.write(path, noise(2, 8000).T, 8000, subtype="PCM_16")
    return path
