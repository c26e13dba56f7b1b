"""The decoder that takes prompts: torch's, the same one symbol at a time, and with the keys of an item shared."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from engine_fakes import peak_error, weights
from unbraid.models.audio_transformer.config import AudioTransformerConfig, SpectrogramSide, TextSide
from unbraid.models.tensors import write_weights

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

import onnxruntime  # noqa: E402

from unbraid.models.onnx.build import build_graph  # noqa: E402
from unbraid.runtime.eager import EagerExecutor, load_module  # noqa: E402

TOLERANCE = 3e-5  # of the output's peak
LAYERS, HEADS, WIDTH, STEPS, SYMBOLS = 2, 3, 8, 13, 23
GEOMETRY = AudioTransformerConfig(
    SpectrogramSide(6, (1, 2)), TextSide(SYMBOLS), HEADS * WIDTH, HEADS, 40, 2, LAYERS,
    positions="learned", activation="gelu", norm_eps=1e-5, source_steps=17, target_steps=11, tied=True,
)  # fmt: skip
Arrays = dict[str, np.ndarray]


class Both:
    """ONNX Runtime and torch on the same weights: every output of the one is compared with the other's."""

    def __init__(self, folder: Path) -> None:
        self.tensors = weights(GEOMETRY)
        write_weights(folder / "model.safetensors", self.tensors)
        self._module, self._sessions = load_module(GEOMETRY, self.tensors), {}
        for part in ("encoder", "decoder", "attention"):
            (folder / f"{part}.onnx").write_bytes(build_graph(GEOMETRY, "float32", part))
            self._sessions[part] = onnxruntime.InferenceSession(folder / f"{part}.onnx")

    def run(self, part: str, inputs: Arrays) -> Arrays:
        session = self._sessions[part]
        ours = dict(zip([out.name for out in session.get_outputs()], session.run(None, inputs), strict=True))
        theirs = EagerExecutor(self._module, GEOMETRY, torch.device("cpu"), part).run(inputs)
        assert ours.keys() == theirs.keys()
        for name, expected in theirs.items():
            assert ours[name].shape == expected.shape
            assert not expected.size or peak_error(expected, ours[name]) <= TOLERANCE, name
        return ours


@pytest.fixture
def both(tmp_path: Path) -> Both:
    return Both(tmp_path)


def memory(both: Both, items: int = 2) -> Arrays:
    log_mel = np.random.default_rng(1).normal(size=(items, 2 * STEPS, 6)).astype(np.float32)
    return both.run("encoder", {"log_mel": log_mel, "lengths": np.full(items, STEPS)})


def step(both: Both, read: Arrays, symbols: list[list[int]], past: Arrays, heads: list[list[int]]) -> Arrays:
    rows, items = len(symbols), read["cross_keys"].shape[1]
    inputs = {"symbols": np.array(symbols), "lengths": np.full(items, STEPS)}
    for i, name in itertools.product(range(LAYERS), ("keys", "values")):
        inputs[f"heads_{i}"] = np.array(heads[i], np.int64)
        inputs[f"cross_{name}_{i}"] = read[f"cross_{name}"][i]
        empty = np.zeros((rows, HEADS, 0, WIDTH), np.float32)
        inputs[f"self_{name}_{i}"] = past.get(f"new_self_{name}_{i}", empty)
    return both.run("decoder", inputs)


NONE: list[list[int]] = [[], []]


def test_a_prompt_at_once_is_the_same_one_symbol_at_a_time(both: Both) -> None:
    read, prompt = memory(both), [[4, 7, 1, 9], [2, 2, 22, 5]]
    at_once = step(both, read, prompt, {}, NONE)
    found: Arrays = {}
    for i in range(4):
        found = step(both, read, [[row[i]] for row in prompt], found, NONE)
    for name in at_once.keys() - {"alignment"}:
        np.testing.assert_allclose(at_once[name], found[name], rtol=0, atol=1e-5)


def test_hypotheses_of_an_item_share_its_keys(both: Both) -> None:
    read, rows = memory(both), [[3], [8], [1], [20]]  # two of each item
    shared = step(both, read, rows, {}, NONE)["logits"]
    each = {name: np.repeat(value, 2, axis=1) for name, value in read.items()}
    np.testing.assert_allclose(step(both, each, rows, {}, NONE)["logits"], shared, rtol=0, atol=1e-5)


def test_the_alignment_is_that_of_the_attention_graph(both: Both) -> None:
    log_mel = np.random.default_rng(1).normal(size=(1, 2 * STEPS, 6)).astype(np.float32)
    text, source = [[5, 6, 7]], {"log_mel": log_mel, "lengths": np.array([STEPS])}
    found = step(both, both.run("encoder", source), text, {}, [[2], [0, 1]])["alignment"]
    cross = both.run("attention", source | {"target": np.array(text)})["cross_attention"]  # (L, H, M, N)
    np.testing.assert_allclose(found[0], [cross[0, 2], cross[1, 0], cross[1, 1]], rtol=0, atol=1e-6)


def test_no_logit_depends_on_a_later_symbol(both: Both) -> None:
    read = memory(both, 1)
    first = step(both, read, [[4, 7]], {}, NONE)
    more = step(both, read, [[4, 7, 3]], {}, NONE)
    for name in (f"new_self_{kind}_{i}" for kind in ("keys", "values") for i in range(LAYERS)):
        np.testing.assert_allclose(more[name][:, :, :2], first[name], rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source_steps": 0}, "source_steps and target_steps are above 0 where positions are learned"),
        ({"positions": "rotary"}, "source_steps and target_steps are above 0 where positions are learned"),
        ({"target": SpectrogramSide(6), "tied": False}, "text that is written from audio"),
        ({"target": SpectrogramSide(6)}, "tied is for text that is written"),
    ],
)
def test_sizes_that_do_not_go_together(changes: dict[str, object], message: str) -> None:
    import dataclasses

    with pytest.raises(ValueError, match=message):
        dataclasses.replace(GEOMETRY, **changes)
