"""The page of attention: for each layer and head a map of the weights, with source and target along its axes.

The weights are inside the page as bytes, drawn by its own script: a byte v is the weight w = w_max · (v / 255)², so
that small weights, of which a row over a long piece of audio is made, keep their differences. Long axes are pooled: a
cell is then the mean of its rows, and the sum of its columns, so that rows still sum to 1.
"""

import base64
import json
import math
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unbraid.dsp.arrays import FloatArray
from unbraid.files.printable import json_printable
from unbraid.tasks.attention import MOST_SECONDS, AttentionMap, AttentionMaps, Axis, Kind
from unbraid.tasks.pages import picture
from unbraid.tasks.pages.document import clock, document, facts, footer

MOST_CELLS = 512  # along an axis of a map
MOST_BYTES = 6_000_000  # of all maps; in base64 a third more
MOST_FRAMES, MOST_BINS = 900, 80  # of an axis that is audio
TITLES: dict[Kind, str] = {"encoder": "Encoder", "decoder": "Decoder", "cross": "Cross"}
MEANINGS: dict[Kind, str] = {
    "encoder": "Self-attention. Rows: steps of what is read. Columns: the steps that each of them looks at.",
    "decoder": "Masked self-attention. Rows: what is written there. Columns: what was written before it; what comes "
    "later is hidden from it.",
    "cross": "Cross-attention. Rows: what is written there. Columns: the steps of what is read that it looks at.",
}


def attention_page(seen: AttentionMaps, name: str) -> str:
    """The whole document; `name` is that of the input."""
    limit = most_cells(seen)
    text = json.dumps(_data(seen, limit), ensure_ascii=False, separators=(",", ":"))
    data = json_printable(text).replace("<", "\\u003c")
    body = "\n".join(
        (
            f"<h1>{escape(name)}</h1>",
            _facts(seen),
            '<form class="choose"><div id="choices"></div><output id="cell" aria-live="polite"></output></form>',
            '<p id="meaning"></p>\n<div id="views"></div>',
            "<noscript><p>These pictures are drawn by JavaScript.</p></noscript>",
            _notes(seen, limit),
            f'<script type="application/json" id="data">{data}</script>',
        )
    )
    return document(
        f"{name} – unbraid", f"<main>\n{body}\n</main>", ("colours.css", "report.css", "attention.css"), "attention.js"
    )


def most_cells(seen: AttentionMaps) -> int:
    """Along an axis of each map, so that the page does not get too large."""
    heads = sum(len(one.heads) for one in seen.maps)
    return min(MOST_CELLS, math.isqrt(MOST_BYTES // heads))


def pooled(heads: FloatArray, limit: int) -> FloatArray:
    """Weights (H, M, N) pooled to at most LIMIT rows and columns: the mean of rows, the sum of columns."""
    summed = np.add.reduceat(heads, np.arange(0, heads.shape[2], -(-heads.shape[2] // limit)), axis=2)
    return picture.pooled(summed, limit, axis=1)


def coded(weights: FloatArray) -> tuple[float, NDArray[np.uint8]]:
    """The largest weight, and each as a byte: 255 √(w / w_max)."""
    largest = max(float(weights.max()), 1e-12)
    return largest, np.rint(255 * np.sqrt(np.clip(weights, 0, None) / largest)).astype(np.uint8)


def _data(seen: AttentionMaps, limit: int) -> dict[str, Any]:
    """The data for the script."""
    axes = {id(axis): axis for one in seen.maps for axis in (one.rows, one.columns)}
    places = {key: place for place, key in enumerate(axes)}
    colours = ["#" + bytes(colour[1:]).hex() for colour in picture.colour_map()[: picture.LEVELS]]
    maps = [
        {"kind": one.kind, "layer": one.layer, "rows": places[id(one.rows)], "columns": places[id(one.columns)]}
        | _heads(one, limit)
        for one in seen.maps
    ]
    kinds = {kind: [TITLES[kind], MEANINGS[kind]] for kind in dict.fromkeys(one.kind for one in seen.maps)}
    return {"colours": colours, "kinds": kinds, "axes": [_axis(axis) for axis in axes.values()], "maps": maps}


def _heads(one: AttentionMap, limit: int) -> dict[str, Any]:
    """The weights of a layer; `each` is how many rows and columns are one."""
    found = pooled(one.heads, limit)
    heads = [{"most": round(largest, 6), "weights": _base64(values)} for largest, values in map(coded, found)]
    return {"size": found.shape[1:], "each": [-(-size // limit) for size in one.heads.shape[1:]], "heads": heads}


def _axis(axis: Axis) -> dict[str, Any]:
    if axis.levels is None:
        return {"steps": axis.steps, "labels": axis.labels}
    levels = picture.pooled(picture.pooled(axis.levels, MOST_FRAMES, axis=0), MOST_BINS, axis=1)
    span = max(float(levels.max()) + 1, 1e-6)  # from -80 dB to the loudest
    bytes_ = np.rint(255 * np.clip((levels + 1) / span, 0, 1)).astype(np.uint8)
    return {
        "steps": axis.steps,
        "seconds": round(axis.seconds, 6),
        "start": round(axis.start, 6),
        "size": levels.shape,
        "levels": _base64(bytes_),
    }


def _base64(values: NDArray[np.uint8]) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()


def _facts(seen: AttentionMaps) -> str:
    source = seen.maps[0].columns
    layers = {kind: max(one.layer for one in seen.maps if one.kind == kind) for kind in {m.kind for m in seen.maps}}
    rows = {"Model": seen.model, "Read": _told(source)}
    if seen.target:
        rows["Given as written" if seen.is_given else "Written"] = _told(seen.target)
    rows["Layers"] = " + ".join(str(layers[kind]) for kind in ("encoder", "decoder") if kind in layers) or str(
        layers["cross"]
    )
    rows["Heads"] = str(len(seen.maps[0].heads))
    return facts(rows)


def _told(axis: Axis) -> str:
    """The meaning of an axis, in words."""
    if axis.labels:
        symbols = axis.labels[:-1]  # without its end
        return (" " if any(len(symbol) > 1 for symbol in symbols) else "").join(symbols) or "nothing"
    each = 1000 * axis.seconds / axis.steps
    start = f" from {clock(axis.start)} on" if axis.start else ""
    return f"{axis.seconds:.1f} s{start}, {axis.steps} steps of {each:.3g} ms"


def _notes(seen: AttentionMaps, limit: int) -> str:
    longest = max(size for one in seen.maps for size in one.heads.shape[1:])
    notes = [
        "Each row sums to 1. Colours go by the square root of a weight, from 0 to the largest of the picture.",
        "Point at a cell, tap it, or go to it with the arrow keys to read its row, its column and its weight.",
    ]
    if longest > limit:
        notes.insert(0, f"Pictures have at most {limit} rows and columns, so several steps are one: "
                        "a cell is the mean of its rows and the sum of its columns.")  # fmt: skip
    if seen.is_cut:
        notes.insert(0, f"Only {MOST_SECONDS:g} s of the file are shown; --start chooses which.")
    return footer(notes)
