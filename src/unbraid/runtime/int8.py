"""The int8 copy of a model: shipped in its folder, or made on first use and kept in the cache.

The copy is filed under the hash of the weights and the graph it was made from, so it is never stale, and the model
folder itself is never written to (it may belong to somebody else).
"""

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from unbraid.graphs import find_graph
from unbraid.quantize import quantize
from unbraid.spec import ModelSpec
from unbraid.store import cache_folder
from unbraid.weights import read_weights, write_weights

GRAPH, WEIGHTS = "model.int8.onnx", "model.int8.safetensors"


def int8_graph(spec: ModelSpec, folder: Path) -> Path:
    """The path of the int8 graph of a model folder, beside its weights; made now if need be."""
    if GRAPH in spec.files:
        return folder / GRAPH
    graph = find_graph(spec.geometry, "int8")
    key = hashlib.sha256(graph + spec.files["model.safetensors"].encode()).hexdigest()
    kept = cache_folder() / "int8" / key
    if not kept.is_dir():
        kept.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=kept.parent))
        try:
            write_weights(temporary / WEIGHTS, quantize(read_weights(folder / "model.safetensors")))
            (temporary / GRAPH).write_bytes(graph)
            os.replace(temporary, kept)
        except OSError:  # another process was first
            if not kept.is_dir():
                raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return kept / GRAPH
