"""Basic Pitch's published network, nmp.onnx of the package basic-pitch, read without TensorFlow and onnx.

The file was converted from Keras, with batch norms folded into convolutions; its weights have the names that the
converter gave them. Sizes are those of the one published network, with which every shape is compared.

Source: basic-pitch 0.4.0 (basic_pitch/models.py), Bittner et al., arXiv 2203.09893.
"""

from pathlib import Path

import numpy as np

from unbraid.errors import ModelError
from unbraid.hub.importers.checkpoint import Checkpoint, as_weight
from unbraid.hub.importers.onnx_weights import float_weights
from unbraid.hub.spec import ModelSpec
from unbraid.models.basic_pitch.config import BasicPitchConfig
from unbraid.models.family import tensor_shapes

FILE = "nmp.onnx"
SAMPLE_RATE = 22050
MOST_BYTES = 1 << 20
_FOLDED = "const_fold_opt__"
_NORM = "model_1/batch_normalization"

PUBLISHED = {  # ours: the end of the published name, after its last ";"
    "cqt.real": f"{_FOLDED}655",
    "cqt.imaginary": f"{_FOLDED}664",
    "cqt.lowpass": f"{_FOLDED}734",
    "cqt.scale": "model_1/cq_t2010v2_1/Sqrt",
    "norm.weight": f"{_NORM}/FusedBatchNormV3",
    "norm.bias": f"{_NORM}/FusedBatchNormV31",
    "contour.weight": f"{_FOLDED}727",
    "contour.bias": "model_1/conv2d_1/Conv2D",
    "contour_out.weight": f"{_FOLDED}710",
    "contour_out.bias": "model_1/contours-reduced/BiasAdd/ReadVariableOp",
    "note.weight": f"{_FOLDED}738",
    "note.bias": "model_1/conv2d_2/BiasAdd/ReadVariableOp",
    "note_out.weight": f"{_FOLDED}702",
    "note_out.bias": "model_1/conv2d_3/BiasAdd/ReadVariableOp",
    "onset.weight": f"{_FOLDED}707",
    "onset.bias": "model_1/conv2d_4/Conv2D",
    "onset_out.weight": f"{_FOLDED}680",
    "onset_out.bias": "model_1/conv2d_5/BiasAdd/ReadVariableOp",
}


def is_checkpoint(folder: Path) -> bool:
    """Whether the folder holds the published file."""
    return (folder / FILE).is_file()


def read_checkpoint(folder: Path, name: str) -> Checkpoint:
    """Read the published file.

    Raises:
        ModelError: it is damaged, or not this network.
    """
    path, config = folder / FILE, BasicPitchConfig()
    found = {full.rpartition(";")[2]: tensor for full, tensor in float_weights(path, MOST_BYTES).items()}
    spec = ModelSpec(
        name=name,
        family="basic_pitch",
        sample_rate=SAMPLE_RATE,
        channels=1,
        stems=(),
        geometry=config,
        licence="Apache-2.0",
        provenance=f"Spotify's Basic Pitch, imported from {folder.name}.",
    )
    weights = {ours: _weight(found, ours, shape, path) for ours, shape in tensor_shapes(config).items()}
    return Checkpoint(weights, spec)


def _weight(found: dict[str, np.ndarray], ours: str, shape: tuple[int, ...], path: Path) -> np.ndarray:
    """A tensor in our layout: without the axes of length one that the converter added."""
    tensor = found.get(PUBLISHED[ours])
    if tensor is None or sorted(tensor.shape) != sorted((*shape, *(1,) * (tensor.ndim - len(shape)))):
        raise ModelError(f"{path} lacks the tensor {ours} of the published network, or has it in another shape.")
    return as_weight(tensor.reshape(shape), PUBLISHED[ours], str(path))
