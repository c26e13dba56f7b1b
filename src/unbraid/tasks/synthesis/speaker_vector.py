"""The vector of a speaker, from a file: .npy, or .json with a list of numbers."""

import io
from pathlib import Path

import numpy as np

from unbraid.dsp.arrays import FloatArray
from unbraid.errors import UsageError
from unbraid.files.bounded import parse_json, read_bytes, readable

SUFFIXES = (".npy", ".json")
MOST_BYTES = 1 << 20


def read_vector(path: Path) -> FloatArray:
    """The vector (S,) in a file.

    Raises:
        UsageError: the file cannot be read, or holds something else.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{path} is no vector of a speaker; name a {' or '.join(SUFFIXES)} file.")
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
