"""Names and shapes of a TIGER's tensors, as published, and the weights under ours.

Published tensors of the heads, and of the activations of the bands, are one of ours, flattened one behind the other.
"""

from collections.abc import Iterator

import numpy as np

from unbraid.models.shapes import Shapes
from unbraid.models.tiger.config import TigerConfig
from unbraid.models.tiger.layout import KERNEL, PATHS, spans, tensor_shapes

PUBLISHED_PATHS = dict(zip(PATHS, ("freq_path", "frame_path"), strict=True))
PUBLISHED_GATED = {"local": "local_embedding", "gate": "global_act", "shift": "global_embedding"}
PUBLISHED_HEADS = {"query": "Queries", "key": "Keys", "value": "Values"}
Piece = tuple[str, tuple[int, ...]]  # name and shape of a published tensor
Pieces = dict[str, list[Piece]]  # by our name


def published_shapes(g: TigerConfig) -> Shapes:
    """Name and shape of every tensor of one network, also of a layer that leads to no output."""
    used = {name: shape for pieces in published_pieces(g).values() for name, shape in pieces}
    unused = [
        piece
        for theirs in PUBLISHED_PATHS.values()
        for pieces in _gated(g, "unused", f"separator.{theirs}.0.loc_glo_fus.{g.levels - 1}", 1).values()
        for piece in pieces
    ]
    return used | dict(unused)


def renamed(g: TigerConfig, published: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The weights of one network under our names, from those under the published ones."""
    shapes = tensor_shapes(TigerConfig(**{**vars(g), "chosen": ()}))
    return {
        ours: np.concatenate([published[name].ravel() for name, _ in pieces]).reshape(shapes[ours])
        for ours, pieces in published_pieces(g).items()
    }


def published_pieces(g: TigerConfig) -> Pieces:
    """The published tensors that each of ours is made of, in order."""
    pieces: Pieces = dict(_ends(g))
    for ours, theirs in PUBLISHED_PATHS.items():
        pieces |= _scales(g, f"{ours}.scales", f"separator.{theirs}.0")
        pieces |= _attention(g, f"{ours}.attention", f"separator.{theirs}.1")
        pieces |= _token_norm(f"{ours}.norm", f"separator.{theirs}.2", g.features)
    return pieces


def _ends(g: TigerConfig) -> Iterator[tuple[str, list[Piece]]]:
    """In front of the iterations, between them and behind them."""
    count = len(g.widths)
    for k, (first, end) in enumerate(spans(g)):
        width = end - first
        for part in ("weight", "bias"):
            kernels = {"weight": (2 * width, 1), "bias": ()}, {"weight": (g.features // g.sources, 1), "bias": ()}
            yield f"inlet.{k}.norm.{part}", [(f"BN.{k}.0.{part}", (2 * width,))]
            yield f"inlet.{k}.conv.{part}", [(f"BN.{k}.1.{part}", (g.features, *kernels[0][part]))]
            yield f"masks.convs.{k}.{part}", [(f"mask.{k}.1.{part}", (4 * g.sources * width, *kernels[1][part]))]
    yield "masks.slope", [(f"mask.{k}.0.weight", (1,)) for k in range(count)]
    yield "again.weight", [("separator.concat_block.0.weight", (g.features, 1, 1, 1))]
    yield "again.bias", [("separator.concat_block.0.bias", (g.features,))]
    yield "again.slope", [("separator.concat_block.1.weight", (1,))]


def _scales(g: TigerConfig, ours: str, theirs: str) -> Pieces:
    """The convolutional network at several resolutions."""
    h = g.hidden
    pieces = _conv(f"{ours}.inlet.conv", f"{theirs}.proj_1x1.conv", (h, g.features, 1))
    pieces |= _affine(f"{ours}.inlet.norm", f"{theirs}.proj_1x1.norm", h)
    pieces[f"{ours}.slope"] = [(f"{theirs}.proj_1x1.act.weight", (1,))]
    for i in range(g.levels):
        pieces |= _conv(f"{ours}.down.{i}.conv", f"{theirs}.spp_dw.{i}.conv", (h, 1, KERNEL))
        pieces |= _affine(f"{ours}.down.{i}.norm", f"{theirs}.spp_dw.{i}.norm", h)
    for mine, other in (("mlp_in", "fc1"), ("mlp_out", "fc2")):
        pieces[f"{ours}.{mine}.conv.weight"] = [(f"{theirs}.globalatt.{other}.conv.weight", (h, h, 1))]
        pieces |= _affine(f"{ours}.{mine}.norm", f"{theirs}.globalatt.{other}.norm", h)
    pieces |= _conv(f"{ours}.mlp_middle", f"{theirs}.globalatt.dwconv", (h, 1, KERNEL))
    for i in range(g.levels - 1):
        pieces |= _gated(g, f"{ours}.fuse.{i}", f"{theirs}.loc_glo_fus.{i}", 1)
        pieces |= _gated(g, f"{ours}.up.{i}", f"{theirs}.last_layer.{i}", KERNEL)
    return pieces | _conv(f"{ours}.outlet", f"{theirs}.res_conv", (g.features, h, 1))


def _gated(g: TigerConfig, ours: str, theirs: str, kernel: int) -> Pieces:
    pieces: Pieces = {}
    for mine, other in PUBLISHED_GATED.items():
        pieces[f"{ours}.{mine}.conv.weight"] = [(f"{theirs}.{other}.conv.weight", (g.hidden, 1, kernel))]
        pieces |= _affine(f"{ours}.{mine}.norm", f"{theirs}.{other}.norm", g.hidden)
    return pieces


def _attention(g: TigerConfig, ours: str, theirs: str) -> Pieces:
    d, pieces = g.features, Pieces()
    sizes = {"query": g.query_features, "key": g.query_features, "value": g.value_features}
    for mine, other in PUBLISHED_HEADS.items():
        size, heads = sizes[mine], [f"{theirs}.{other}.{h}" for h in range(g.heads)]
        pieces[f"{ours}.{mine}.linear.weight"] = [(f"{head}.conv.weight", (size, d, 1, 1)) for head in heads]
        pieces[f"{ours}.{mine}.linear.bias"] = [(f"{head}.conv.bias", (size,)) for head in heads]
        pieces[f"{ours}.{mine}.slope"] = [(f"{head}.act.weight", (1,)) for head in heads]
        pieces[f"{ours}.{mine}.weight"] = [(f"{head}.norm.gamma", (1, size, 1, 1)) for head in heads]
        pieces[f"{ours}.{mine}.bias"] = [(f"{head}.norm.beta", (1, size, 1, 1)) for head in heads]
    last = f"{theirs}.attn_concat_proj"
    pieces |= _conv(f"{ours}.out.linear", f"{last}.conv", (d, d, 1, 1))
    pieces[f"{ours}.out.slope"] = [(f"{last}.act.weight", (1,))]
    return pieces | _token_norm(f"{ours}.out", f"{last}.norm", d)


def _conv(ours: str, theirs: str, shape: tuple[int, ...]) -> Pieces:
    return {f"{ours}.weight": [(f"{theirs}.weight", shape)], f"{ours}.bias": [(f"{theirs}.bias", shape[:1])]}


def _affine(ours: str, theirs: str, size: int) -> Pieces:
    return {f"{ours}.{part}": [(f"{theirs}.{part}", (size,))] for part in ("weight", "bias")}


def _token_norm(ours: str, theirs: str, size: int) -> Pieces:
    parts = {"weight": "gamma", "bias": "beta"}
    return {f"{ours}.{mine}": [(f"{theirs}.{other}", (1, size, 1, 1))] for mine, other in parts.items()}
