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
from unbraid.models.tensors import open_weights, write_weights

WEIGHTS, SUMS = "model.int8.safetensors", "sha256.json"


def int8_graph(spec: ModelSpec, folder: Path, part: str = "model") -> Path:
    """The path of an int8 graph of a model folder, beside its weights; all are made now if need be.

    Raises:
        ModelError: the cache cannot be written to.
    """
    if graph_file(part) in spec.files:
        return folder / graph_file(part)
    graphs = {graph_file(name): find_graph(spec.geometry, "int8", name) for name in spec.geometry.graphs}
    making = hashlib.sha256(b"".join(graphs.values()) + METHOD.encode()).hexdigest()
    tidy(int8_folder())
    kept = int8_folder() / f"{spec.files['model.safetensors']}-{making[:16]}"
    if not _is_whole(kept, *graphs):
        try:
            _make(graphs, folder, kept)
        except OSError as error:
            if not _is_whole(kept, *graphs):  # else another process was first
                place = f"{kept.parent}, for the int8 copy of {spec.name},"
                raise ModelError(refused(place, error, " by UNBRAID_CACHE")) from error
    return kept / graph_file(part)


def graph_file(part: str) -> str:
    """The file of the int8 form of a graph (see `Config.graphs`)."""
    return f"{part}.int8.onnx"


def _is_whole(kept: Path, *graphs: str) -> bool:
    """Whether a copy is there, byte for byte as it was made."""
    try:
        sums = read_json(kept / SUMS)
        return bool(sums == {name: sha256(kept / name) for name in (*graphs, WEIGHTS)})
    except (OSError, ValueError):
        return False


def _make(graphs: dict[str, bytes], folder: Path, kept: Path) -> None:
    with appearing(kept) as fresh:
        write_weights(fresh / WEIGHTS, quantize(open_weights(folder / "model.safetensors")))
        for name, graph in graphs.items():
            (fresh / name).write_bytes(graph)
        (fresh / SUMS).write_text(json.dumps({name: sha256(fresh / name) for name in (*graphs, WEIGHTS)}))
