"""The tensors of Demucs's networks under our names.

A published layer over steps has two axes where ours has three (bins, of which there is one, and steps); one over bins
and steps is alike. Three kinds of published tensors are scales of what is in front of them (LayerScale, and that of the
embedding of frequencies); they are multiplied into it.
"""

from collections.abc import Iterator

import numpy as np

from unbraid.models.family import tensor_shapes
from unbraid.models.htdemucs.config import HtdemucsConfig
from unbraid.models.htdemucs.layout import is_cross
from unbraid.models.shapes import Shapes

FREQUENCIES = "freq_emb.embedding.weight"
LEVELS = {"encoder": "conv", "decoder": "conv_tr"}  # of a level: the published name of what we call conv
RESIDUAL = {"squeeze": 0, "squeeze_norm": 1, "expand": 3, "expand_norm": 4}  # place in the published sequence
RESIDUAL_SCALE = 6
SELF = {"attention_norm": "norm1", "feed_norm": "norm2"}
CROSS = {"attention_norm": "norm1", "memory_norm": "norm2", "feed_norm": "norm3"}
BOTH = {"feed_in": "linear1", "feed_out": "linear2", "norm": "norm_out"}
PARTS = ("weight", "bias")


def published_names(g: HtdemucsConfig) -> dict[str, str]:
    """Our name of each tensor of a single network: the published one, without the scales."""
    return {"frequencies": FREQUENCIES, **dict(_levels(g)), **dict(_transformer(g))}


def published_shapes(g: HtdemucsConfig) -> Shapes:
    """Name and shape of every published tensor of a single network."""
    shapes = {}
    ours = tensor_shapes(g)
    for mine, theirs in published_names(g).items():
        shapes[theirs] = _published(mine, ours[mine])
    return shapes | {scale: (ours[mine][0] // parts,) for mine, (scale, parts) in scales(g).items()}


def scales(g: HtdemucsConfig) -> dict[str, tuple[str, int]]:
    """Our biases of what a published scale multiplies: its name, and how many times fewer numbers it has.

    A scale behind a gate is that of the gate's first half.
    """
    found = {}
    for mine, theirs in published_names(g).items():
        if mine.endswith(".expand_norm.bias"):
            found[mine] = (f"{theirs.removesuffix('.4.bias')}.{RESIDUAL_SCALE}.scale", 2)
        for ours, gamma in (("attention.out_proj", "gamma_1"), ("feed_out", "gamma_2")):
            if mine.endswith(f".{ours}.bias"):
                found[mine] = (f"{theirs.rsplit('.', 3 if ours[0] == 'a' else 2)[0]}.{gamma}.scale", 1)
    return found


def unscaled(
    g: HtdemucsConfig, published: dict[str, np.ndarray], of_frequencies: tuple[np.float32, np.float32]
) -> dict[str, np.ndarray]:
    """Our tensors of a single network; the embedding of frequencies is multiplied by two numbers in turn."""
    ours = tensor_shapes(g)
    tensors = {
        mine: np.ascontiguousarray(published[theirs].T if mine == "frequencies" else published[theirs]).reshape(
            ours[mine]
        )
        for mine, theirs in published_names(g).items()
    }
    tensors["frequencies"] = tensors["frequencies"] * of_frequencies[0] * of_frequencies[1]
    for bias, (name, _) in scales(g).items():
        scale, count = published[name], len(published[name])
        for tensor in (bias, f"{bias.removesuffix('bias')}weight"):
            value = tensors[tensor].copy()
            value[:count] *= scale.reshape(-1, *[1] * (value.ndim - 1))
            tensors[tensor] = value
    return tensors


def _published(name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The published shape of a tensor that we have in another one."""
    if name == "frequencies":  # (C, F, 1)
        return shape[1::-1]
    if name.endswith(("let.weight",)):  # inlet and outlet, convolutions of one step
        return (*shape, 1)
    over_steps = name.startswith("temporal") or ".residuals." in name
    return (*shape[:2], shape[3]) if len(shape) == 4 and over_steps else shape


def _levels(g: HtdemucsConfig) -> Iterator[tuple[str, str]]:
    """The tensors of the U-Nets."""
    for branch, mark in (("spectral", ""), ("temporal", "t")):
        for half, conv in LEVELS.items():
            for i in range(g.levels):
                ours, theirs = f"{branch}.{half}.{i}", f"{mark}{half}.{i}"
                for part in PARTS:
                    yield f"{ours}.conv.{part}", f"{theirs}.{conv}.{part}"
                    yield f"{ours}.rewrite.{part}", f"{theirs}.rewrite.{part}"
                    for j in range(g.residual_layers if half == "encoder" or g.decoder_residuals else 0):
                        for layer, place in RESIDUAL.items():
                            yield f"{ours}.residuals.{j}.{layer}.{part}", f"{theirs}.dconv.layers.{j}.{place}.{part}"


def _transformer(g: HtdemucsConfig) -> Iterator[tuple[str, str]]:
    """Those of the Transformer, and of the layers around it."""
    for branch, mark in (("spectral", ""), ("temporal", "_t")):
        for part in PARTS:
            if g.bottom:
                yield f"{branch}.inlet.{part}", f"channel_upsampler{mark}.{part}"
                yield f"{branch}.outlet.{part}", f"channel_downsampler{mark}.{part}"
            yield f"{branch}.norm.{part}", f"crosstransformer.norm_in{mark}.{part}"
            for i in range(g.layers):
                ours, theirs = f"{branch}.layers.{i}", f"crosstransformer.layers{mark}.{i}"
                kind, norms = ("cross_attn", CROSS) if is_cross(i) else ("self_attn", SELF)
                for mine, other in (norms | BOTH).items():
                    yield f"{ours}.{mine}.{part}", f"{theirs}.{other}.{part}"
                yield f"{ours}.attention.in_proj.{part}", f"{theirs}.{kind}.in_proj_{part}"
                yield f"{ours}.attention.out_proj.{part}", f"{theirs}.{kind}.out_proj.{part}"
