"""The weights of beats and chords, which are in the package; `training/rhythm.py` fits them on rendered songs."""

from functools import cache
from importlib import resources
from pathlib import Path

import safetensors.numpy

from unbraid.dsp.arrays import FloatArray
from unbraid.tasks.analysis.beat_path import Weights

PLACE = Path(str(resources.files("unbraid") / "assets" / "rhythm.safetensors"))
SEPARATED, MIXTURE = "separated", "mixture"  # fitted on the stems of songs, and on whole songs for comparison


@cache
def _tensors() -> dict[str, FloatArray]:
    return safetensors.numpy.load_file(PLACE)


def beat_weights(kind: str = SEPARATED) -> Weights:
    """The weights of `beat_path`."""
    tensors = _tensors()
    return Weights(
        tensors[f"{kind}.beats.places"], tensors[f"{kind}.beats.tempo"], float(tensors[f"{kind}.beats.three"][0])
    )


def chord_weights(kind: str = SEPARATED) -> FloatArray:
    """The templates (2, M, 12) of `chords`, major and minor on C."""
    return _tensors()[f"{kind}.chords"]
