"""The HiFi-GAN of SpeechT5 as `transformers` publishes it, read without transformers or torch.

A published vocoder (`microsoft/speecht5_hifigan` on the Hugging Face hub) is config.json (sizes) and the weights, as
safetensors or by torch.save, with weight norms (Salimans and Kingma, arXiv 1602.07868) or without: these are worked
out, w = g v / |v|. Names and shapes of the tensors are checked both ways.
Source: the files that transformers 4.27 to 5.24 write, and its models/speecht5.
"""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from unbraid.dsp.framing import Mel, MelForm
from unbraid.errors import ModelError
from unbraid.hub.importers.checkpoint import Checkpoint, as_weight, normed
from unbraid.hub.importers.settings import Settings, read_json, states_model_type
from unbraid.hub.importers.wav2vec2 import SETTINGS, WEIGHT_NORMS, WEIGHTS, read_tensors
from unbraid.hub.spec import ModelSpec
from unbraid.models.family import tensor_shapes
from unbraid.models.hifigan.config import HifiganConfig
from unbraid.models.shapes import Shapes
from unbraid.models.tensors import compare_shapes, shapes_of

FILES = f"{SETTINGS} and {' or '.join(WEIGHTS)}"
KINDS = ("hifigan", "speecht5_hifigan")  # model_type, before and since transformers 5
FRAME_SAMPLES = 1024
STATISTICS = ("mean", "scale")  # of the levels

MODULES = {  # ours, as a pattern: published; {block} is counted over all stages
    r"inlet": "conv_pre",
    r"outlet": "conv_post",
    r"stages\.(\d+)\.up": r"upsampler.\1",
    r"stages\.\d+\.blocks\.\d+\.wide\.(\d+)": r"resblocks.{block}.convs1.\1",
    r"stages\.\d+\.blocks\.\d+\.near\.(\d+)": r"resblocks.{block}.convs2.\1",
}


def is_checkpoint(folder: Path) -> bool:
    """Whether the folder's config.json says that it is a HiFi-GAN."""
    return states_model_type(folder / SETTINGS, *KINDS)


def read_checkpoint(folder: Path, name: str) -> Checkpoint:
    """Read a folder of SpeechT5's HiFi-GAN.

    Raises:
        ModelError: a file is missing or damaged, it is another network, or a tensor does not fit.
    """
    settings = read_json(folder / SETTINGS)
    path = next((folder / file for file in WEIGHTS if (folder / file).is_file()), None)
    if path is None:
        raise ModelError(f"{folder} has no {WEIGHTS[0]}; a HiFi-GAN for transformers is {FILES}.")
    normalizes = settings.flag("normalize_before", True)
    published, config = dict(read_tensors(path)), _config(settings)
    if not normalizes:  # then they are of no effect, if they are there
        published |= {"mean": np.zeros(config.bins, np.float32), "scale": np.ones(config.bins, np.float32)}
    tensors = renamed(published, config, path, lambda ours: published_module(ours, config))
    if not tensors["scale"].all():
        raise ModelError(
            f"{path}: tensor 'scale' has a 0, by which levels would be divided; the checkpoint is damaged."
        )
    return Checkpoint(
        tensors,
        spec_of(
            config,
            name,
            settings.positive("sampling_rate", 16000),
            "speecht5",
            "MIT" if name.startswith("microsoft/") else "as stated by its publisher",
            f"A HiFi-GAN published for transformers, imported from {name if '/' in name else folder.name}.",
        ),
    )


def spec_of(config: HifiganConfig, name: str, rate: int, form: MelForm, licence: str, provenance: str) -> ModelSpec:
    """The spec of a vocoder whose spectrogram has frames of 64 ms at 16 kHz, or as many samples at other rates."""
    return ModelSpec(
        name=name,
        family="hifigan",
        sample_rate=rate,
        channels=1,
        stems=(),
        geometry=config,
        licence=licence,
        provenance=provenance,
        mel=Mel(FRAME_SAMPLES, config.hop_samples, config.bins, form=form),
    )


def with_frames(config: HifiganConfig) -> HifiganConfig:
    """The config, where its hop is one of our spectrogram.

    Raises:
        ValueError: it is not.
    """
    Mel(FRAME_SAMPLES, config.hop_samples, config.bins)
    return config


def dilations_of(settings: Settings, key: str, kernels: int) -> tuple[int, ...]:
    """The dilations of the residual blocks, which all blocks share.

    Raises:
        ModelError: there are none, or they differ from block to block.
    """
    values = settings.get(key, [[1, 3, 5]] * kernels)
    if not isinstance(values, list) or len(values) != kernels or any(found != values[0] for found in values):
        raise settings.misfit(key, values, f"the same list of dilations for each of {kernels} blocks")
    return settings.within({key: values[0]}).positives(key, ())


def renamed(
    published: dict[str, np.ndarray], config: HifiganConfig, path: Path, module: Callable[[str], str]
) -> dict[str, np.ndarray]:
    """The tensors under our names, weight norms worked out; `module` is the published name of one of our modules.

    Raises:
        ModelError: a tensor is missing, unexpected or of another shape, or a direction has length 0.
    """
    norm = next((pair for pair in WEIGHT_NORMS if f"{module('inlet')}.{pair[0]}" in published), ())
    names = {ours: _published(ours, module, norm) for ours in tensor_shapes(config)}
    compare_shapes(shapes_of(published), _published_shapes(config, names), str(path))
    tensors = {}
    for ours, theirs in names.items():
        parts = [as_weight(published[name], name, str(path)) for name in theirs]
        tensors[ours] = (
            parts[0] if len(parts) == 1 else normed(parts[0], parts[1], (1, 2), f"tensor {theirs[1]!r}", path)
        )
    return tensors


def published_module(ours: str, config: HifiganConfig, modules: dict[str, str] = MODULES) -> str:
    """The published name of one of our modules; their residual blocks are counted over all stages."""
    block = 0
    if found := re.match(r"stages\.(\d+)\.blocks\.(\d+)", ours):
        block = int(found[1]) * len(config.block_kernels) + int(found[2])
    matches = ((re.fullmatch(pattern, ours), theirs) for pattern, theirs in modules.items())
    return next(match.expand(theirs) for match, theirs in matches if match).format(block=block)


def _config(settings: Settings) -> HifiganConfig:
    """The sizes that config.json gives."""
    kernels = settings.positives("resblock_kernel_sizes", (3, 7, 11))
    slope = settings.get("leaky_relu_slope", 0.1)
    try:
        return with_frames(
            HifiganConfig(
                bins=settings.positive("model_in_dim", 80),
                width=settings.positive("upsample_initial_channel", 512),
                kernels=settings.positives("upsample_kernel_sizes", (8, 8, 8, 8)),
                strides=settings.positives("upsample_rates", (4, 4, 4, 4)),
                block_kernels=kernels,
                dilations=dilations_of(settings, "resblock_dilation_sizes", len(kernels)),
                slope=float(slope) if type(slope) in (int, float) else slope,
                padding="zeros",
                edge_frames=0,
            )
        )
    except ValueError as error:
        raise ModelError(f"{settings.path}: the sizes describe no network: {error}") from None


def _published(ours: str, module: Callable[[str], str], norm: tuple[str, ...]) -> list[str]:
    """The published names of the tensors that one of ours is made of."""
    if ours in STATISTICS:
        return [ours]
    name, _, kind = ours.rpartition(".")
    return [f"{module(name)}.{part}" for part in (norm or [kind] if kind == "weight" else [kind])]


def _published_shapes(config: HifiganConfig, names: dict[str, list[str]]) -> Shapes:
    """Name and shape of every published tensor; lengths of the first axis's rows are (D, 1, 1)."""
    shapes: Shapes = {}
    for ours, shape in tensor_shapes(config).items():
        *lengths, direction = names[ours]
        shapes |= {direction: shape} | dict.fromkeys(lengths, (shape[0], 1, 1))
    return shapes
