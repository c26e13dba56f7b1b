"""Products in int8 of ONNX Runtime: how near they are to those of the same int8 weights with exact tokens."""

from pathlib import Path

import numpy as np
import pytest

from unbraid.models.quantize import quantize, quantized_signature
from unbraid.models.signatures import Signature
from unbraid.models.tensors import write_weights

pytest.importorskip("onnx")

NAME, INPUTS, OUTPUTS = "back.embedding", 64, 300


def error(folder: Path, product: str) -> float:
    """The largest error of a product, in units of its largest output."""
    import onnxruntime

    from unbraid.models.onnx import layers
    from unbraid.models.onnx.builder import Graph

    random = np.random.default_rng(0)
    weight = random.normal(size=(OUTPUTS, INPUTS)).astype(np.float32)
    tokens = random.normal(size=(5, INPUTS)).astype(np.float32)
    tokens[:, 3] *= 20  # as behind the last norm of a Whisper
    tensors = quantize({f"{NAME}.weight": weight})
    write_weights(folder / "model.int8.safetensors", tensors)
    graph = Graph(quantized_signature({f"{NAME}.weight": weight.shape}), "model.int8.safetensors")
    made = getattr(layers, product)(graph, NAME, "tokens")
    signature = Signature({"tokens": ["B", INPUTS]}, {"logits": ["B", OUTPUTS]})
    (folder / "graph.onnx").write_bytes(graph.model(signature, {"logits": made}))
    session = onnxruntime.InferenceSession(str(folder / "graph.onnx"), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"tokens": tokens})
    small, scale = tensors[f"{NAME}.weight"], tensors[f"{NAME}.weight.scale"]
    exact = tokens.astype(np.float64) @ (small * scale)
    return float(np.abs(found - exact).max() / np.abs(exact).max())


def test_tokens_in_two_numbers_are_far_nearer_than_in_one(tmp_path: Path) -> None:
    """6 bits more."""
    once, twice = error(tmp_path, "product"), error(tmp_path, "product_in_two")
    assert once > 3e-3
    assert twice < once / 30


def test_each_token_may_have_a_scale_of_its_own(tmp_path: Path) -> None:
    assert error(tmp_path, "product_by_row") < 2 * error(tmp_path, "product")
