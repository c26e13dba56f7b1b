"""SpeechBrain's RE-SepFormer folders, read without SpeechBrain or torch.

A published model (`speechbrain/resepformer-wsj02mix` on the Hugging Face hub) has the files of a SepFormer's
(`speechbrain`) and another masking network. The YAML (read as data, see `hyperyaml`) gives sources, heads, chunk length
and rate; every other size follows from the tensors, whose names and shapes are then checked both ways.
Source: the files that speechbrain 1.1 writes (lobes/models/resepformer.py, recipes/WSJ0Mix).
"""

import re
from pathlib import Path

import numpy as np

from unbraid.errors import ModelError
from unbraid.hub.importers.checkpoint import Checkpoint, as_weight, size_of
from unbraid.hub.importers.hyperyaml import read_settings, section
from unbraid.hub.importers.settings import Rules, Settings
from unbraid.hub.importers.speechbrain import FILES, NAMES, PARTS, SETTINGS, TRANSFORMER_RULES, count, spec_of
from unbraid.hub.importers.torch_pickle import read_state_dict
from unbraid.models.family import tensor_shapes
from unbraid.models.resepformer.config import ResepformerConfig
from unbraid.models.shapes import Shapes
from unbraid.models.tensors import compare_shapes, shapes_of

NETWORK = "a RE-SepFormer"
OURS = {  # modules of the masking network, as a pattern: published
    r"prelu": r"output_fc.0",
    r"split": r"output_fc.1",
    r"within\.(\d+)\.norm": r"seg_model.\1.norm",
    r"across\.(\d+)\.norm": r"mem_model.\1.norm",
    r"(within|across)\.(\d+)\.transformer\.norm": r"{\1}.\2.mdl.norm.norm",
    r"(within|across)\.(\d+)\.transformer\.layers\.(\d+)\.attention_norm": r"{\1}.\2.mdl.layers.\3.norm1.norm",
    r"(within|across)\.(\d+)\.transformer\.layers\.(\d+)\.feed_norm": r"{\1}.\2.mdl.layers.\3.norm2.norm",
    r"(within|across)\.(\d+)\.transformer\.layers\.(\d+)\.feed_in": r"{\1}.\2.mdl.layers.\3.pos_ffn.ffn.0",
    r"(within|across)\.(\d+)\.transformer\.layers\.(\d+)\.feed_out": r"{\1}.\2.mdl.layers.\3.pos_ffn.ffn.3",
    r"(within|across)\.(\d+)\.transformer\.layers\.(\d+)\.attention\.(in|out)_proj": (
        r"{\1}.\2.mdl.layers.\3.self_att.att.\4_proj"
    ),
}
STACKS = {"within": "seg_model", "across": "mem_model"}
ONE_WIDE = re.compile(r"masknet\.((within|across)\.\d+\.norm\..*|split\.weight)")  # published with one axis more
IGNORED = re.compile(r"model\.(seg|mem)_model\.\d+\.pos_enc\.pe")  # positions: a formula, computed
FIRST = "model.seg_model.0.mdl.layers.0.pos_ffn.ffn.0.weight"  # (hidden, features)

MASKNET_RULES: Rules = {  # setting: (the peer's default, what our network has)
    "causal": (True, False),
    "nonlinear": ("relu", "relu"),
    "mem_type": ("hc", "av"),
}
STACK_RULES: Rules = TRANSFORMER_RULES | {
    "causal": (False, False),
    "use_norm": (True, True),
    "use_skip": (True, True),
    "norm_type": ("gln", "gln"),
}


def is_checkpoint(folder: Path) -> bool:
    """Whether the folder looks like one of these: its settings describe such a masking network."""
    try:
        settings = read_settings(folder / SETTINGS)
        return "seg_model" in section(section(settings, "modules", NETWORK), "masknet", NETWORK).section
    except ModelError:
        return False


def read_checkpoint(folder: Path, name: str) -> Checkpoint:
    """Read a SpeechBrain RE-SepFormer folder.

    Raises:
        ModelError: a file is missing or damaged, the network is not a RE-SepFormer, or a tensor does not fit.
    """
    if missing := [file for file in FILES if not (folder / file).is_file()]:
        raise ModelError(
            f"{folder} has no {missing[0]}; a SpeechBrain RE-SepFormer is {', '.join(FILES[:-1])} and {FILES[-1]}."
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
            weight = as_weight(published[part][theirs], theirs, where).reshape(shapes[ours])
            tensors[ours] = _by_source(weight, geometry.sources) if ours.startswith("masknet.split.") else weight
    spec = spec_of(name, folder, geometry, settings.positive("sample_rate"), "RE-SepFormer")
    return Checkpoint(dict(sorted(tensors.items())), spec)


def _by_source(weight: np.ndarray, sources: int) -> np.ndarray:
    """Rows in which each feature has one after another for the sources, put in order of the sources."""
    rows = weight.reshape(-1, sources, *weight.shape[1:])  # (D, sources, …)
    return np.ascontiguousarray(rows.swapaxes(0, 1)).reshape(weight.shape)


def published_names(part: str, geometry: ResepformerConfig) -> dict[str, str]:
    """{published: ours} for every tensor of one file."""
    if part != "masknet":
        return NAMES[part]
    ours = [name for name in tensor_shapes(geometry) if name.startswith("masknet.")]
    return {_published(name.removeprefix("masknet.")): name for name in ours}


def _published(name: str) -> str:
    """A tensor of the masking network under its published name."""
    module, kind = name.rsplit(".", 1)
    pattern = next(pattern for pattern in OURS if re.fullmatch(pattern, module))
    theirs = re.sub(pattern, OURS[pattern], module).format(**STACKS)
    return f"model.{theirs}{'_' if module.endswith('in_proj') else '.'}{kind}"


def published_shapes(geometry: ResepformerConfig) -> dict[str, Shapes]:
    """Name and shape of every tensor that a published network of this geometry has, file by file."""
    ours = tensor_shapes(geometry)
    return {
        part: {
            theirs: ours[name] + (1,) * bool(ONE_WIDE.fullmatch(name))
            for theirs, name in published_names(part, geometry).items()
        }
        for part in PARTS
    }


def _geometry(settings: Settings, published: dict[str, dict[str, np.ndarray]], folder: Path) -> ResepformerConfig:
    """Sizes from the tensors, or from the settings if no tensor shows them (heads, chunk length, sources)."""
    modules = section(settings, "modules", NETWORK)
    masknet = section(modules, "masknet", NETWORK)
    masknet.require(MASKNET_RULES)
    stacks = [section(masknet, key, NETWORK) for key in ("seg_model", "mem_model")]
    for stack in stacks:
        stack.require(STACK_RULES)
    stacks[1].require({"nhead": (None, heads := stacks[0].positive("nhead"))})
    encoder, mask = folder / "encoder.ckpt", folder / "masknet.ckpt"
    kernel = size_of(published["encoder"], "conv1d.weight", 2, encoder, NETWORK)
    section(modules, "decoder", NETWORK).require({"stride": (1, kernel // 2)})
    features = size_of(published["encoder"], "conv1d.weight", 0, encoder, NETWORK)
    if features % heads:
        raise ModelError(f"{settings.path}: nhead is {heads}, which does not divide the {features} features.")
    try:
        return ResepformerConfig(
            sources=masknet.positive("num_spk", 2),
            features=features,
            kernel_samples=kernel,
            stride_samples=kernel // 2,
            chunk_frames=masknet.positive("segment_size", 20),
            blocks=count(published["masknet"], r"model\.seg_model\.(\d+)\."),
            layers=count(published["masknet"], r"model\.seg_model\.0\.mdl\.layers\.(\d+)\."),
            heads=heads,
            hidden=size_of(published["masknet"], FIRST, 0, mask, NETWORK),
        )
    except ValueError as error:
        raise ModelError(f"{folder}: the sizes describe no network: {error}") from None
