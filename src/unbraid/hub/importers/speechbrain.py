"""SpeechBrain's SepFormer folders, read without SpeechBrain or torch.

A published model (`speechbrain/sepformer-…` on the Hugging Face hub) is `hyperparams.yaml` and three state dicts.
The YAML (read as data, see `hyperyaml`) gives sources, heads, chunk length and rate; every other size follows from
the tensors, whose names and shapes are then checked both ways.
Source: the files that speechbrain 1.1 writes (lobes/models/dual_path.py, recipes/WSJ0Mix).
"""

import itertools
import re
from pathlib import Path

import numpy as np

from unbraid.errors import ModelError, quoted
from unbraid.hub.importers.checkpoint import Checkpoint, as_weight
from unbraid.hub.importers.hyperyaml import read_settings, section
from unbraid.hub.importers.settings import Rules, Settings
from unbraid.hub.importers.torch_pickle import read_state_dict
from unbraid.hub.spec import ModelSpec, Windows
from unbraid.models.config import Config
from unbraid.models.family import family_of, tensor_shapes
from unbraid.models.sepformer.config import SepFormerConfig
from unbraid.models.shapes import Shapes
from unbraid.models.tensors import compare_shapes, shapes_of

SETTINGS = "hyperparams.yaml"
PARTS = ("encoder", "masknet", "decoder")
FILES = (SETTINGS, *(f"{part}.ckpt" for part in PARTS))

BLOCK = ("dual_mdl.{i}.{half}", "masknet.blocks.{i}.{half}")
LAYER = (f"{BLOCK[0]}_mdl.mdl.layers.{{j}}.", f"{BLOCK[1]}.layers.{{j}}.")
AFFINE = {  # modules with a weight and a bias; published: ours; {i} is a block, {half} intra or inter, {j} a layer
    "norm": "masknet.norm",
    "conv2d": "masknet.split",
    "output.0": "masknet.value",
    "output_gate.0": "masknet.gate",
    f"{BLOCK[0]}_norm": f"{BLOCK[1]}_norm",
    f"{BLOCK[0]}_mdl.mdl.norm.norm": f"{BLOCK[1]}.norm",
    f"{LAYER[0]}norm1.norm": f"{LAYER[1]}attention_norm",
    f"{LAYER[0]}self_att.att.out_proj": f"{LAYER[1]}attention.out_proj",
    f"{LAYER[0]}norm2.norm": f"{LAYER[1]}feed_norm",
    f"{LAYER[0]}pos_ffn.ffn.0": f"{LAYER[1]}feed_in",
    f"{LAYER[0]}pos_ffn.ffn.3": f"{LAYER[1]}feed_out",
}
NAMES = {  # of tensors
    "encoder": {"conv1d.weight": "encoder.weight"},
    "decoder": {"weight": "decoder.weight"},
    "masknet": {
        "conv1d.weight": "masknet.inlet.weight",
        "prelu.weight": "masknet.prelu.weight",
        "end_conv1x1.weight": "masknet.outlet.weight",
        f"{LAYER[0]}self_att.att.in_proj_weight": f"{LAYER[1]}attention.in_proj.weight",
        f"{LAYER[0]}self_att.att.in_proj_bias": f"{LAYER[1]}attention.in_proj.bias",
        **{f"{theirs}.{kind}": f"{ours}.{kind}" for theirs, ours in AFFINE.items() for kind in ("weight", "bias")},
    },
}
CONVOLUTIONS = {  # published 1x1 convolutions: axes of size 1 that our Linear weights lack
    "masknet.inlet.weight": 1,
    "masknet.split.weight": 2,
    "masknet.value.weight": 1,
    "masknet.gate.weight": 1,
    "masknet.outlet.weight": 1,
}
HIDDEN = "dual_mdl.0.intra_mdl.mdl.layers.0.pos_ffn.ffn.0.weight"  # (hidden, features)
IGNORED = re.compile(r"dual_mdl\.\d+\.(intra|inter)_mdl\.pos_enc\.pe")  # positions: a formula, computed

MASKNET_RULES: Rules = {  # setting: (the peer's default, what our network has)
    "norm": ("ln", "ln"),
    "linear_layer_after_inter_intra": (True, False),
    "skip_around_intra": (True, True),
    "use_global_pos_enc": (False, False),
}
TRANSFORMER_RULES: Rules = {
    "activation": ("relu", "relu"),
    "attention_type": ("regularMHA", "regularMHA"),
    "norm_before": (False, True),
    "use_positional_encoding": (False, True),
}


def is_checkpoint(folder: Path) -> bool:
    """Whether the folder looks like one of SpeechBrain's."""
    return any((folder / file).exists() for file in FILES)


def read_checkpoint(folder: Path, name: str) -> Checkpoint:
    """Read a SpeechBrain SepFormer folder.

    Raises:
        ModelError: a file is missing or damaged, the network is not a SepFormer, or a tensor does not fit.
    """
    if missing := [file for file in FILES if not (folder / file).is_file()]:
        raise ModelError(
            f"{folder} has no {missing[0]}; a SpeechBrain SepFormer is {', '.join(FILES[:-1])} and {FILES[-1]}."
        )
    settings = read_settings(folder / SETTINGS)
    published = {part: read_state_dict(folder / f"{part}.ckpt") for part in PARTS}
    published["masknet"] = {k: v for k, v in published["masknet"].items() if not IGNORED.fullmatch(k)}
    geometry = _geometry(settings, published, folder)
    expected, shapes, tensors = published_shapes(geometry), tensor_shapes(geometry), {}
    for part in PARTS:
        where = str(folder / f"{part}.ckpt")
        compare_shapes(shapes_of(published[part]), expected[part], where)
        for theirs, ours in published_names(part, geometry).items():
            weight = as_weight(published[part][theirs], theirs, where)
            tensors[ours] = weight.reshape(shapes[ours])  # drops the axes of 1x1 convolutions, nothing else
    spec = spec_of(name, folder, geometry, settings.positive("sample_rate"), "SepFormer")
    return Checkpoint(dict(sorted(tensors.items())), spec)


def spec_of(name: str, folder: Path, geometry: Config, sample_rate: int, network: str) -> ModelSpec:
    """The spec of a network of voices, from a folder."""
    sources, official = geometry.sources, name.startswith("speechbrain/")
    return ModelSpec(
        name=name,
        family=family_of(geometry),
        sample_rate=sample_rate,
        channels=1,
        stems=("speech",) if sources == 1 else tuple(f"voice{i + 1}" for i in range(sources)),
        geometry=geometry,
        licence="Apache-2.0" if official else "as stated by its publisher",
        provenance=f"A {network} trained with SpeechBrain, imported from {name if official else folder.name}.",
        windows=Windows(),
    )


def published_names(part: str, geometry: SepFormerConfig) -> dict[str, str]:
    """{published: ours} for every tensor of one file."""
    places = [
        {"i": i, "half": half, "j": j}
        for i, half, j in itertools.product(range(geometry.blocks), ("intra", "inter"), range(geometry.layers))
    ]
    return {theirs.format(**at): ours.format(**at) for theirs, ours in NAMES[part].items() for at in places}


def published_shapes(geometry: SepFormerConfig) -> dict[str, Shapes]:
    """Name and shape of every tensor that a published network of this geometry has, file by file."""
    ours = tensor_shapes(geometry)
    return {
        part: {
            theirs: ours[name] + (1,) * CONVOLUTIONS.get(name, 0)
            for theirs, name in published_names(part, geometry).items()
        }
        for part in PARTS
    }


def _geometry(settings: Settings, published: dict[str, dict[str, np.ndarray]], folder: Path) -> SepFormerConfig:
    """Sizes from the tensors, or from the settings if no tensor shows them (heads, chunk length, sources)."""
    modules = section(settings, "modules", "a SepFormer")
    masknet = section(modules, "masknet", "a SepFormer")
    masknet.require(MASKNET_RULES)
    halves = [section(masknet, key, "a SepFormer") for key in ("intra_model", "inter_model")]
    for half in halves:
        half.require(TRANSFORMER_RULES)
    features, kernel = _sizes(published["encoder"], "conv1d.weight", (0, 2), folder / "encoder.ckpt")
    (hidden,) = _sizes(published["masknet"], HIDDEN, (0,), folder / "masknet.ckpt")
    halves[1].require({"nhead": (None, heads := halves[0].positive("nhead"))})
    section(modules, "decoder", "a SepFormer").require(
        {"stride": (1, kernel // 2)}
    )  # the peer's encoder always steps by half a kernel
    chunk_frames = masknet.positive("K", 200)
    if chunk_frames % 2:
        raise ModelError(f"{settings.path}: K is {chunk_frames}, expected an even number: chunks overlap by half.")
    if features % heads:
        raise ModelError(f"{settings.path}: nhead is {heads}, which does not divide the {features} features.")
    try:
        return SepFormerConfig(
            sources=masknet.positive("num_spks", 2),
            features=features,
            kernel_samples=kernel,
            stride_samples=kernel // 2,
            chunk_frames=chunk_frames,
            blocks=count(published["masknet"], r"dual_mdl\.(\d+)\."),
            layers=count(published["masknet"], r"dual_mdl\.0\.intra_mdl\.mdl\.layers\.(\d+)\."),
            heads=heads,
            hidden=hidden,
        )
    except ValueError as error:
        raise ModelError(f"{folder}: the sizes describe no network: {error}") from None


def _sizes(tensors: dict[str, np.ndarray], name: str, axes: tuple[int, ...], path: Path) -> list[int]:
    """Sizes along some axes of a tensor that the geometry is read from."""
    if name not in tensors:
        raise ModelError(f"{path}: tensor {name!r} is missing; is this the checkpoint of a SepFormer?")
    shape = tensors[name].shape
    if len(shape) <= max(axes) or 0 in shape:
        raise ModelError(f"{path}: tensor {name!r} has shape {quoted(shape)}, which is not that of a SepFormer's.")
    return [shape[axis] for axis in axes]


def count(names: dict[str, np.ndarray], pattern: str) -> int:
    """How many different first groups a pattern finds at the start of the names."""
    return len({match[1] for name in names if (match := re.match(pattern, name))})
