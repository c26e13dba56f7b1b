"""WeSpeaker's ResNet folders, read without WeSpeaker or torch.

A published model (`Wespeaker/wespeaker-voxceleb-resnet34-LM` on the Hugging Face hub) is `config.yaml`, the settings of
its training, and `avg_model.pt`, a state dict with the classifier of speakers, which is left behind. Sizes follow from
the tensors, whose names and shapes are then checked both ways.
Source: WeSpeaker (wespeaker/models/resnet.py, wespeaker/cli/speaker.py).
"""

import re
from pathlib import Path

import numpy as np

from unbraid.errors import ModelError
from unbraid.hub.importers.checkpoint import Checkpoint, as_weight, size_of
from unbraid.hub.importers.residual import blocks_of_stages, published_module
from unbraid.hub.importers.settings import Rules, Settings, read_yaml
from unbraid.hub.importers.torch_pickle import read_state_dict
from unbraid.hub.spec import Mel, ModelSpec
from unbraid.models.family import tensor_shapes
from unbraid.models.shapes import COUNTER, Shapes
from unbraid.models.speaker_config import WINDOWS
from unbraid.models.speaker_resnet.config import SpeakerResnetConfig
from unbraid.models.tensors import compare_shapes, shapes_of

SETTINGS, WEIGHTS = "config.yaml", "avg_model.pt"
FILES = (SETTINGS, WEIGHTS)
SAMPLE_RATE, FRAME_MS, HOP_MS = 16000, 25, 10  # where the settings name none
MODELS = ("ResNet18", "ResNet34")
IGNORED = re.compile(rf"projection\..*|.*\.{COUNTER}")  # the classifier, and counters of batch norms
NETWORK_RULES: Rules = {"pooling_func": ("TSTP", "TSTP"), "two_emb_layer": (False, False)}
SOUND_RULES: Rules = {"frontend": ("fbank", "fbank")}


def is_checkpoint(folder: Path) -> bool:
    """Whether the folder looks like one of these."""
    return (folder / WEIGHTS).exists()


def read_checkpoint(folder: Path, name: str) -> Checkpoint:
    """Read a WeSpeaker folder.

    Raises:
        ModelError: a file is missing or damaged, the network is not a ResNet18 or 34, or a tensor does not fit.
    """
    if not (folder / SETTINGS).is_file():
        raise ModelError(f"{folder} has no {SETTINGS}; a WeSpeaker model is {SETTINGS} and {WEIGHTS}.")
    settings = read_yaml(folder / SETTINGS)
    if (kind := settings.get("model")) not in MODELS:
        raise settings.misfit("model", kind, " or ".join(MODELS))
    settings.within(settings.get("model_args")).require(NETWORK_RULES)
    data = settings.within(settings.get("dataset_args"))
    data.require(SOUND_RULES)
    rate, official = data.positive("resample_rate", SAMPLE_RATE), name.startswith("Wespeaker/")
    path = folder / WEIGHTS
    tensors, config = renamed(read_state_dict(path), path)
    spec = ModelSpec(
        name=name,
        family="speaker_resnet",
        sample_rate=rate,
        channels=1,
        stems=(),
        geometry=config,
        licence="CC BY 4.0" if official else "as stated by its publisher",
        provenance=f"A {kind} trained with WeSpeaker, imported from {name if official else folder.name}.",
        windows=WINDOWS,
        mel=mel_of(data.within(data.get("fbank_args")), rate, config.bins),
    )
    return Checkpoint(tensors, spec)


def renamed(published: dict[str, np.ndarray], path: Path) -> tuple[dict[str, np.ndarray], SpeakerResnetConfig]:
    """The tensors of a published ResNet, from the file at PATH, under our names, and its sizes.

    Raises:
        ModelError: one is missing, extra, misshapen or not finite.
    """
    found = {name: tensor for name, tensor in published.items() if not IGNORED.fullmatch(name)}
    config, where = _config(found, path), str(path)
    compare_shapes(shapes_of(found), published_shapes(config), where)
    tensors = {ours: as_weight(found[theirs], theirs, where) for theirs, ours in published_names(config).items()}
    return dict(sorted(tensors.items())), config


def mel_of(sound: Settings, sample_rate: int, bins: int) -> Mel:
    """The spectrogram that a section of settings describes, in milliseconds.

    Raises:
        ModelError: it has another number of bands than the network reads, or its frames make no spectrogram.
    """
    sound.require({"num_mel_bins": (bins, bins)})
    frame, hop = sound.positive("frame_length", FRAME_MS), sound.positive("frame_shift", HOP_MS)
    try:
        return Mel(sample_rate * frame // 1000, sample_rate * hop // 1000, bins)
    except ValueError as error:
        raise ModelError(f"{sound.path}: its frames make no spectrogram: {error}") from None


def published_names(config: SpeakerResnetConfig) -> dict[str, str]:
    """{published: ours} for every tensor."""
    return {_published(name): name for name in tensor_shapes(config)}


def published_shapes(config: SpeakerResnetConfig) -> Shapes:
    """Name and shape of every tensor that a published network of these sizes has."""
    return {theirs: tensor_shapes(config)[ours] for theirs, ours in published_names(config).items()}


def _published(name: str) -> str:
    """The published name of one of our tensors."""
    module, _, kind = name.rpartition(".")
    return f"{'seg_1' if module == 'embedding' else published_module(module)}.{kind}"


def _config(found: dict[str, np.ndarray], path: Path) -> SpeakerResnetConfig:
    """Sizes from the tensors; the last layer reads the means and deviations of channels times bands."""

    def size(name: str, axis: int) -> int:
        return size_of(found, name, axis, path, "a ResNet of WeSpeaker's")

    planes = size("conv1.weight", 0)
    try:
        return SpeakerResnetConfig(
            bins=size("seg_1.weight", 1) // (2 * planes),
            planes=planes,
            blocks=blocks_of_stages(found),
            features=size("seg_1.weight", 0),
        )
    except ValueError as error:
        raise ModelError(f"{path}: the sizes describe no network: {error}") from None
