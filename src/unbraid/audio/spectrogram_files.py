"""Log-mel spectrograms in files of NumPy: .npy, or .npz with one array; floats (N, F), bands in frames (`dsp.mel`)."""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from unbraid.dsp.arrays import FloatArray
from unbraid.errors import AudioError
from unbraid.files.bounded import check_regular

SUFFIXES = (".npy", ".npz")
ARRAY = "log_mel"  # the name of the array that is written to .npz
MOST_BYTES = 1 << 31  # of an array in .npz, which is read as a whole; .npy is mapped


def is_spectrogram(path: Path) -> bool:
    """Whether a file is a spectrogram by its name."""
    return path.suffix.lower() in SUFFIXES


def open_spectrogram(path: Path, bins: int) -> FloatArray:
    """The levels (N, F) in a file; those of .npy are read when they are used.

    Raises:
        AudioError: the file cannot be read, or holds something else.
    """
    try:
        check_regular(path)
        levels = _in_archive(path) if path.suffix.lower() == ".npz" else np.lib.format.open_memmap(path, mode="r")
    except OSError as error:
        raise AudioError(f"{path} cannot be read: {error.strerror or error}.") from None
    except (ValueError, EOFError, MemoryError, NotImplementedError, zipfile.BadZipFile) as error:
        raise AudioError(f"{path} is no spectrogram of NumPy ({error}); write it with numpy.save.") from None
    if levels.ndim != 2 or levels.shape[1] != bins or not len(levels) or levels.dtype.kind != "f":
        raise AudioError(
            f"{path} holds {levels.dtype} {levels.shape}; needed are floating-point levels of shape (frames, {bins})."
        )
    return levels


def checked_levels(levels: FloatArray, place: object) -> FloatArray:
    """Some levels as float32.

    Raises:
        AudioError: they hold NaN or infinity.
    """
    if not np.isfinite(levels).all():
        raise AudioError(f"{place} holds NaN or infinity; repair it first.")
    return np.ascontiguousarray(levels, np.float32)


@contextmanager
def spectrogram_writer(path: Path, bins: int) -> Iterator["SpectrogramWriter"]:
    """Write a spectrogram block by block; its name says in which of the two kinds of files."""
    if path.suffix.lower() == ".npy":
        with open(path, "wb") as file:
            yield (writer := SpectrogramWriter(file, bins))
            writer.finish()
        return
    array = path.with_suffix(".npy")
    try:
        with spectrogram_writer(array, bins) as writer:
            yield writer
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(array, f"{ARRAY}.npy")
    finally:
        array.unlink(missing_ok=True)


class SpectrogramWriter:
    """Appends frames to an open .npy file, whose header is completed at the end."""

    def __init__(self, file: BinaryIO, bins: int):
        self.frames = 0
        self._file, self._bins = file, bins
        self._write_header()

    def write(self, levels: FloatArray) -> None:
        """Append frames (n, F)."""
        self._file.write(np.ascontiguousarray(levels, "<f4").tobytes())
        self.frames += len(levels)

    def finish(self) -> None:
        """Complete the header; NumPy leaves room in it for a first axis of any length."""
        self._file.seek(0)
        self._write_header()

    def _write_header(self) -> None:
        header = {"descr": "<f4", "fortran_order": False, "shape": (self.frames, self._bins)}
        np.lib.format.write_array_header_1_0(self._file, header)


def _in_archive(path: Path) -> FloatArray:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        if len(names) != 1:
            raise ValueError(f"it holds {len(names)} arrays, not one")
        if archive.getinfo(names[0]).file_size > MOST_BYTES:
            raise ValueError(f"it is larger than the limit of {MOST_BYTES} bytes")
        with archive.open(names[0]) as file:
            levels: FloatArray = np.load(file, allow_pickle=False)
    return levels
