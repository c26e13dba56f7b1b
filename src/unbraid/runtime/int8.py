"""The int8 copy of a model: shipped in its folder, or made on first use and kept in the cache.

A copy is stored under the hash of the weights, the graph and the method, so it is never stale, and it is removed with
the last model that has these weights (`hub.cache.forget_copies`). It is checked like any model file whenever it is
opened, and made again if it is damaged. The model folder itself, which may belong to another user, is never written to.
"""

import hashlib
import json
from pathlib import Path

from unbraid.errors import ModelError, refused
from unbraid.files.bounded import read_json
from unbraid.hub.cache import appearing, int8_folder, tidy
from unbraid.hub.folder import sha256
from unbraid.hub.graphs import find_graph
from unbraid.hub.spec import ModelSpec
from unbraid.models.quantize import METHOD, quantize
from unbraid.models.tensors import read_weights, write_weights

GRAPH, WEIGHTS, SUMS = "model.int8.onnx", "model.int8.safetensors", "sha256.json"


def int8_graph(spec: ModelSpec, folder: Path) -> Path:
    """The path of the int8 graph of a model folder, beside its weights; made now if need be.

    Raises:
        ModelError: the cache cannot be written to.
    """
    if GRAPH in spec.files:
        return folder / GRAPH
    graph = find_graph(spec.geometry, "int8")
    making = hashlib.sha256(graph + METHOD.encode()).hexdigest()
    tidy(int8_folder())
    kept = int8_folder() / f"{spec.files['model.safetensors']}-{making[:16]}"
    if not _is_whole(kept):
        try:
            _make(graph, folder, kept)
        except OSError as error:
            if not _is_whole(kept):  # else another process was first
                place = f"{kept.parent}, for the int8 copy of {spec.name},"
                raise ModelError(refused(place, error, " by UNBRAID_CACHE")) from error
    return kept / GRAPH


def _is_whole(kept: Path) -> bool:
    """Whether a copy is there, byte for byte as it was made."""
    try:
        sums = read_json(kept / SUMS)
        return bool(sums == {name: sha256(kept / name) for name in (GRAPH, WEIGHTS)})
    except (OSError, ValueError):
        return False


def _make(graph: bytes, folder: Path, kept: Path) -> None:
    with appearing(kept) as fresh:
        write_weights(fresh / WEIGHTS, quantize(read_weights(folder / "model.safetensors")))
        (fresh / GRAPH).write_bytes(graph)
        (fresh / SUMS).write_text(json.dumps({name: sha256(fresh / name) for name in (GRAPH, WEIGHTS)}))
