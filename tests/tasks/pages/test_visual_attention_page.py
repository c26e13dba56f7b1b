"""The page of attention as text: whole in itself, safe with any name, true about its weights, and never too large."""

import base64
import html
import json
import re
from typing import Any

import numpy as np
import pytest

from unbraid.tasks.attention import AttentionMap, AttentionMaps, Axis
from unbraid.tasks.pages.attention_page import MOST_BYTES, attention_page, coded, most_cells, pooled

WORDS = Axis(3, ("c", "a", "<end>"))
PHONES = Axis(2, ("K", "<end>"))


def rows_of(heads: int, rows: int, columns: int, seed: int = 0) -> np.ndarray:
    """Random weights (H, M, N)."""
    found = np.random.default_rng(seed).exponential(size=(heads, rows, columns)).astype(np.float32)
    return found / found.sum(-1, keepdims=True)


def sound(steps: int, seconds: float, frames: int, bins: int = 64) -> Axis:
    levels = np.random.default_rng(0).uniform(-1, 0.5, (frames, bins)).astype(np.float32)
    return Axis(steps, levels=levels, seconds=seconds, start=2.0)


def words() -> AttentionMaps:
    before = Axis(2, ("<begin>", "K"))
    maps = [AttentionMap("encoder", layer, rows_of(2, 3, 3, layer), WORDS, WORDS) for layer in (1, 2)]
    maps.append(AttentionMap("decoder", 1, np.tril(np.ones((2, 2, 2), np.float32)) / [[1], [2]], PHONES, before))
    maps.append(AttentionMap("cross", 1, rows_of(2, 2, 3), PHONES, WORDS))
    return AttentionMaps("tiny", tuple(maps), PHONES)


def data_of(page: str) -> dict[str, Any]:
    (found,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    data: dict[str, Any] = json.loads(found)
    return data


def weights_of(map_: dict[str, Any], head: int) -> np.ndarray:
    one = map_["heads"][head]
    values = np.frombuffer(base64.b64decode(one["weights"]), np.uint8).reshape(map_["size"])
    return one["most"] * (values / 255.0) ** 2


def test_it_needs_nothing_but_itself() -> None:
    text = attention_page(words(), "ca")
    assert not re.search(r"https?:|//[a-z]|\bfetch\b|\bimport\b|XMLHttp|@import|url\(|\bsrc=|\bhref=", text)
    assert "default-src 'none'; img-src data:;" in text


def test_weights_labels_and_layers_are_those_of_the_model() -> None:
    seen = words()
    data = data_of(attention_page(seen, "ca"))
    assert list(data["kinds"]) == ["encoder", "decoder", "cross"]
    for shown, one in zip(data["maps"], seen.maps, strict=True):
        assert (shown["kind"], shown["layer"], shown["each"]) == (one.kind, one.layer, [1, 1])
        assert data["axes"][shown["rows"]]["labels"] == list(one.rows.labels)
        assert data["axes"][shown["columns"]]["labels"] == list(one.columns.labels)
        for head, weights in enumerate(one.heads):
            np.testing.assert_allclose(weights_of(shown, head), weights, atol=0.004 * weights.max() + 1e-6)
    assert (weights_of(data["maps"][2], 0)[0, 1]) == 0  # what is masked stays exactly 0
    assert len(data["axes"]) == 3  # words, phones, what was before them
    assert len(data["colours"]) == 64


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "</script><b>", "a & b", '"><img src=x>', "日本 🎵"])
def test_names_and_symbols_are_text(name: str) -> None:
    axis = Axis(2, (name, "<end>"))
    seen = AttentionMaps(name, (AttentionMap("encoder", 1, rows_of(1, 2, 2), axis, axis),))
    text = attention_page(seen, name)
    assert text.count("<script") == text.count("</script>") == 2  # data, program
    assert "<img" not in text
    assert f"<h1>{html.escape(name)}</h1>" in text
    assert data_of(text)["axes"][0]["labels"] == [name, "<end>"]


def test_facts_are_told() -> None:
    text = attention_page(words(), "ca")
    for name, value in {"Model": "tiny", "Read": "ca", "Written": "K", "Layers": "2 + 1", "Heads": "2"}.items():
        assert f"<dt>{name}</dt><dd>{value}</dd>" in text
    axis = sound(20, 0.8, 80)
    heard = AttentionMaps("tiny", (AttentionMap("encoder", 1, rows_of(1, 20, 20), axis, axis),), PHONES, True, True)
    text = attention_page(heard, "a.wav")
    assert "<dt>Read</dt><dd>0.8 s from 0:02 on, 20 steps of 40 ms</dd>" in text
    assert "<dt>Given as written</dt><dd>K</dd>" in text
    assert "Only 30 s of the file are shown; --start chooses which." in text
    assert "several steps are one" not in text


@pytest.mark.parametrize(("shape", "limit"), [((2, 7, 5), 9), ((1, 1000, 700), 512), ((3, 10, 33), 4), ((1, 1, 9), 1)])
def test_pooled_rows_still_sum_to_1(shape: tuple[int, int, int], limit: int) -> None:
    weights = rows_of(*shape)
    found = pooled(weights, limit)
    assert max(found.shape[1:]) <= limit
    np.testing.assert_allclose(found.sum(-1), 1, atol=1e-5)
    if max(shape) <= limit:
        np.testing.assert_array_equal(found, weights)


def test_pooling_is_a_mean_of_rows_and_a_sum_of_columns() -> None:
    weights = np.arange(1.0, 16, dtype=np.float32).reshape(1, 3, 5)
    assert pooled(weights, 2).tolist() == [[[(1 + 2 + 3 + 6 + 7 + 8) / 2, (4 + 5 + 9 + 10) / 2], [36, 29]]]


def test_bytes_keep_small_weights() -> None:
    weights = np.array([[1.0, 0.5, 0.01, 1e-4, 0.0]], np.float32)
    most, values = coded(weights)
    np.testing.assert_allclose(most * (values / 255.0) ** 2, weights, rtol=0.5, atol=1e-6)
    assert values[0, 0] == 255 and values[0, 4] == 0


def test_half_a_minute_is_a_page_below_10_mb() -> None:
    axis, weights = sound(1200, 30.0, 3000), rows_of(4, 1200, 1200)
    maps = tuple(AttentionMap("encoder", layer, weights, axis, axis) for layer in range(1, 13))
    seen = AttentionMaps("tiny", maps)
    text = attention_page(seen, "a.wav")
    limit = most_cells(seen)
    assert 48 * limit**2 <= MOST_BYTES
    assert 1_000_000 < len(text.encode()) < 10_000_000
    assert f"Pictures have at most {limit} rows and columns, so several steps are one" in text
    shown = data_of(text)
    assert shown["maps"][0]["each"] == [4, 4]
    assert max(shown["axes"][0]["size"]) <= 900
