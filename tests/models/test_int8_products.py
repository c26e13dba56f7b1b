"""Products in int8 of ONNX Runtime: how near they are to those of the same int8 weights with exact tokens."""

from pathlib import Path

import numpy as np
import pytest

from unbraid.models.quantize import ZERO, quantize, quantized_signature
from unbraid.models.signatures import Signature
from unbraid.models.tensors import write_weights

pytest.importorskip("onnx")

INPUTS, OUTPUTS, LOUD = 64, 300, 1000
CHANNELS, BLOCKS = "masknet.layers.0.feed_in", "encoder.layers.0.feed_in"  # names of either form


def products(folder: Path, name: str, third: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """A product as the runtime has it, and with exact tokens; one feature of one token is far louder than others."""
    import onnxruntime

    from unbraid.models.onnx.builder import Graph
    from unbraid.models.onnx.layers import product

    random = np.random.default_rng(0)
    weight = random.normal(size=(OUTPUTS, INPUTS)).astype(np.float32)
    tokens = random.normal(size=(5, INPUTS)).astype(np.float32)
    tokens[0, 3] = LOUD
    tensors = quantize({f"{name}.weight": weight})
    write_weights(folder / "model.int8.safetensors", tensors)
    graph = Graph(quantized_signature({f"{name}.weight": weight.shape}), "model.int8.safetensors")
    made = product(graph, name, "tokens", third=third)
    signature = Signature({"tokens": ["B", INPUTS]}, {"found": ["B", "outputs"]})
    (folder / "graph.onnx").write_bytes(graph.model(signature, {"found": made}))
    session = onnxruntime.InferenceSession(str(folder / "graph.onnx"), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"tokens": tokens})
    small, scale = tensors[f"{name}.weight"].astype(np.float64), tensors[f"{name}.weight.scale"]
    exact = (small - ZERO) * scale[..., None] if small.ndim == 3 else (small * scale).T
    return found, tokens.astype(np.float64) @ exact.reshape(OUTPUTS, INPUTS).T


def error(found: np.ndarray, exact: np.ndarray) -> float:
    """The largest error, in units of the largest output."""
    return float(np.abs(found - exact).max() / np.abs(exact).max())


def test_one_scale_for_all_tokens_loses_the_quiet_ones(tmp_path: Path) -> None:
    found, exact = products(tmp_path, CHANNELS)
    assert error(found[1:], exact[1:]) > 0.3
    assert error(found[:1], exact[:1]) < 0.01


def test_in_blocks_each_token_has_its_own_scales(tmp_path: Path) -> None:
    found, exact = products(tmp_path, BLOCKS)
    assert 1e-4 < error(found[1:], exact[1:]) < 0.01  # rounded all the same: they are products of integers
    assert error(found[:1], exact[:1]) < 0.01


def test_a_loud_feature_costs_only_its_own_block(tmp_path: Path) -> None:
    found, exact = products(tmp_path, BLOCKS)
    (tmp_path / "channels").mkdir()
    once, whole = products(tmp_path / "channels", CHANNELS)
    assert np.abs(found[0] - exact[0]).mean() < 0.8 * np.abs(once[0] - whole[0]).mean()


@pytest.mark.parametrize("name", [CHANNELS, BLOCKS])
def test_a_third_of_a_weight_gives_a_third_of_the_outputs(tmp_path: Path, name: str) -> None:
    whole, _ = products(tmp_path, name)
    for third in range(3):
        found, _ = products(tmp_path, name, third)
        np.testing.assert_allclose(found, whole[:, 100 * third : 100 * (third + 1)], rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("tokens", [1, 5, 64])
def test_sums_of_the_largest_products_do_not_saturate(tmp_path: Path, tokens: int) -> None:
    """Products of 127 · 127 with one sign, of which 16 bits would hold two; on any processor."""
    import onnxruntime

    from unbraid.models.onnx.builder import Graph
    from unbraid.models.onnx.layers import product

    name = f"{BLOCKS}.weight"
    signs = np.where(np.random.default_rng(0).random(INPUTS) < 0.5, -1, 1).astype(np.float32)
    tensors = quantize({name: np.tile(signs, (OUTPUTS, 1))})
    write_weights(tmp_path / "model.int8.safetensors", tensors)
    graph = Graph(quantized_signature({name: (OUTPUTS, INPUTS)}), "model.int8.safetensors")
    signature = Signature({"tokens": ["B", INPUTS]}, {"found": ["B", OUTPUTS]})
    (tmp_path / "graph.onnx").write_bytes(graph.model(signature, {"found": product(graph, BLOCKS, "tokens")}))
    session = onnxruntime.InferenceSession(str(tmp_path / "graph.onnx"), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"tokens": np.tile(signs, (tokens, 1))})
    np.testing.assert_allclose(found, INPUTS, rtol=1e-5)
