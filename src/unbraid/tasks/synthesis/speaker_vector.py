"""The vector of a speaker, from a file: .npy, .json with a list of numbers, or a recording of the speaker."""

import io
from pathlib import Path

import numpy as np

from unbraid.dsp.arrays import FloatArray
from unbraid.errors import ModelNotFound, UsageError
from unbraid.files.bounded import parse_json, read_bytes, readable
from unbraid.tasks.conversation.embedder import SpeakerEmbedder

SUFFIXES = (".npy", ".json")
EMBEDDER = "speechbrain/spkrec-xvect-voxceleb"  # of SpeechT5's training
MOST_BYTES = 1 << 20


def read_vector(path: Path, embedder: str | Path = EMBEDDER, *, device: str = "auto") -> FloatArray:
    """The vector (S,) in a file, or that of the speaker of a recording, by a model of speaker embeddings.

    Raises:
        AudioError: the recording cannot be read, is silent, or is shorter than 0.4 s.
        ModelError: there is no such model, or its folder is damaged.
        UsageError: the file cannot be read, or holds something else.
    """
    if path.suffix.lower() not in SUFFIXES:
        return _of_recording(path, embedder, device)
    with readable(path, UsageError, "holds no vector of a speaker"):
        data = read_bytes(path, MOST_BYTES)
        if path.suffix.lower() == ".npy":
            found = np.load(io.BytesIO(data), allow_pickle=False)
        else:
            values = parse_json(data.decode("utf-8"))
            if not isinstance(values, list) or not all(type(value) in (int, float) for value in values):
                raise ValueError("expected a list of numbers")
            found = np.array(values, np.float64)
        if not isinstance(found, np.ndarray) or found.dtype.kind not in "fiu" or found.ndim not in (1, 2):
            raise ValueError("expected an array of numbers")
        return found.astype(np.float32).reshape(-1)


def checked_vector(vector: FloatArray, size: int, name: str) -> FloatArray:
    """A speaker's vector (S,) as (1, S) float32, for the model of that name.

    Raises:
        UsageError: it is another vector.
    """
    found = np.asarray(vector)
    if found.dtype.kind not in "fiu" or found.size != size or found.ndim > 2:
        raise UsageError(f"{name} takes a vector of {size} numbers for its speaker, got {found.dtype} {found.shape}.")
    found = found.reshape(1, size).astype(np.float32)
    if not np.isfinite(found).all() or not found.any():
        raise UsageError(
            f"The vector of the speaker holds NaN or infinity, or nothing but zeros; {name} needs another."
        )
    return found


def check_recording(path: Path) -> None:
    """Refuse a recording of a speaker that is not there.

    Raises:
        UsageError: it is not.
    """
    if not path.is_file():
        raise UsageError(f"{path} is not there; name a recording of the speaker, or a {' or '.join(SUFFIXES)} file.")


def _of_recording(path: Path, embedder: str | Path, device: str) -> FloatArray:
    """The x-vector of the speaker of a recording."""
    check_recording(path)
    try:
        opened = SpeakerEmbedder(embedder, device=device)
    except ModelNotFound as error:
        raise ModelNotFound(
            f"The vector of the speaker of {path} needs {embedder}. {error} Or name a {' or '.join(SUFFIXES)} file."
        ) from None
    with opened as speaker:
        return speaker.of_file(path)
