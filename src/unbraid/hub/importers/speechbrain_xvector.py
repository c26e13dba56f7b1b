"""SpeechBrain's x-vector folders, read without SpeechBrain or torch.

A published model (`speechbrain/spkrec-xvect-voxceleb` on the Hugging Face hub) is `hyperparams.yaml` and the state dict
of the network, `embedding_model.ckpt`; its classifier of speakers is left behind. The YAML (read as data, see
`hyperyaml`) gives the sizes, against which names and shapes of the tensors are checked both ways.
Source: the files that speechbrain 0.5 to 1.1 write (lobes/models/Xvector.py, lobes/features.py).
"""

from pathlib import Path

from unbraid.dsp.framing import Windows
from unbraid.errors import ModelError
from unbraid.hub.importers.checkpoint import Checkpoint, as_weight
from unbraid.hub.importers.hyperyaml import read_settings, section
from unbraid.hub.importers.settings import Settings
from unbraid.hub.importers.speechbrain_ecapa import (
    NORM_RULES,
    SETTINGS,
    SOUND_RULES,
    WEIGHTS,
    embedding_spec,
    read_tensors,
)
from unbraid.models.family import tensor_shapes
from unbraid.models.tensors import compare_shapes, shapes_of
from unbraid.models.xvector.config import XvectorConfig

FILES = (SETTINGS, WEIGHTS)
LONG = Windows(seconds=30.0, overlap_seconds=3.0)  # statistics of all frames are those of its training


def is_checkpoint(folder: Path) -> bool:
    """Whether the folder looks like one of these: an ECAPA-TDNN has the same files, and other settings."""
    if not (folder / WEIGHTS).exists() or not (folder / SETTINGS).is_file():
        return False
    try:
        return "tdnn_channels" in section(read_settings(folder / SETTINGS), "embedding_model", "").section
    except ModelError:
        return False


def read_checkpoint(folder: Path, name: str) -> Checkpoint:
    """Read a SpeechBrain x-vector folder.

    Raises:
        ModelError: a file is missing or damaged, the network is not one of x-vectors, or a tensor does not fit.
    """
    settings, where = read_settings(folder / SETTINGS), str(folder / WEIGHTS)
    config, found = _config(settings), read_tensors(folder)
    names = published_names(config)
    compare_shapes(shapes_of(found), {names[ours]: shape for ours, shape in tensor_shapes(config).items()}, where)
    spec = embedding_spec(name, folder, settings, config, "An x-vector network", LONG)
    return Checkpoint({ours: as_weight(found[theirs], theirs, where) for ours, theirs in names.items()}, spec)


def published_names(config: XvectorConfig) -> dict[str, str]:
    """{ours: published} for every tensor: each layer is three blocks, and pooling one without tensors."""
    names = {}
    for ours in tensor_shapes(config):
        module, _, kind = ours.rpartition(".")
        if module == "embedding":
            names[ours] = f"blocks.{3 * len(config.widths) + 1}.w.{kind}"
        else:
            _, layer, part = module.split(".")
            names[ours] = f"blocks.{3 * int(layer) + 2 * (part == 'norm')}.{part}.{kind}"
    return names


def _config(settings: Settings) -> XvectorConfig:
    """The sizes that hyperparams.yaml gives."""
    network, sound, norm = (
        section(settings, key, "an x-vector network")
        for key in ("embedding_model", "compute_features", "mean_var_norm")
    )
    network.require({"tdnn_blocks": (5, len(network.positives("tdnn_channels", ())))})
    sound.require(SOUND_RULES)
    norm.require(NORM_RULES)
    try:
        return XvectorConfig(
            bins=sound.positive("n_mels", 40),
            widths=network.positives("tdnn_channels", ()),
            kernels=network.positives("tdnn_kernel_sizes", (5, 3, 3, 1, 1)),
            dilations=network.positives("tdnn_dilations", (1, 2, 3, 1, 1)),
            features=network.positive("lin_neurons", 512),
        )
    except ValueError as error:
        raise ModelError(f"{settings.path}: the sizes describe no network: {error}") from None
