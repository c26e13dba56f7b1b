"""Stems that wait on disk."""

import os
import tempfile
from pathlib import Path

import numpy as np
import pytest

from unbraid.errors import AudioError
from unbraid.tasks.separation import spool as module
from unbraid.tasks.separation.spool import spooled_stems


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def stems(samples: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(3, 2, samples)).astype(np.float32)


def test_what_was_written_is_read_in_any_pieces(temporary: Path) -> None:
    x = stems(1000)
    with spooled_stems() as spool:
        for begin, end in ((0, 0), (0, 1), (1, 700), (700, 1000)):
            spool.write(x[..., begin:end])
        pieces = [spool.read(samples) for samples in (0, 300, 1, 699)]
    np.testing.assert_array_equal(np.concatenate(pieces, -1), x)
    assert list(temporary.iterdir()) == []


def test_it_is_deleted_after_errors(temporary: Path) -> None:
    with pytest.raises(KeyboardInterrupt), spooled_stems() as spool:
        spool.write(stems(10))
        assert len(list(temporary.iterdir())) == 1
        raise KeyboardInterrupt
    assert list(temporary.iterdir()) == []


def test_a_recording_that_grew_is_named() -> None:
    with spooled_stems() as spool:
        spool.write(stems(10))
        spool.read(9)
        with pytest.raises(AudioError, match=r"^The recording has grown while it was read\."):
            spool.read(2)


def test_a_full_disk_says_so(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(module.FileIO):
        left = 100

        def write(self, data: memoryview) -> int:  # takes part of it first, as disks do
            if self.left == 0:
                raise OSError(28, os.strerror(28))
            taken, self.left = data[: self.left], max(0, self.left - len(data))
            return super().write(taken)

    monkeypatch.setattr(module, "FileIO", Full)
    message = f"^{temporary} cannot be written: No space left on device. Free some space, or choose .* with TMPDIR"
    with pytest.raises(AudioError, match=message), spooled_stems() as spool:
        spool.write(stems(10))
    assert list(temporary.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named(monkeypatch: pytest.MonkeyPatch, temporary: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(temporary / "file" / "in"))
    (temporary / "file").write_text("")
    with pytest.raises(AudioError, match=r"cannot be written: Not a directory\..* with TMPDIR"), spooled_stems():
        pass
