"""SpeechBrain's ECAPA-TDNN folders, read without SpeechBrain or torch.

A published model (`speechbrain/spkrec-ecapa-voxceleb` on the Hugging Face hub) is `hyperparams.yaml` and the state dict
of the network, `embedding_model.ckpt`; its classifier of speakers is left behind. The YAML (read as data, see
`hyperyaml`) gives the dilations and the spectrogram; every other size follows from the tensors, whose names and shapes
are then checked both ways.
Source: the files that speechbrain 1.1 writes (lobes/models/ECAPA_TDNN.py, lobes/features.py, recipes/VoxCeleb).
"""

import dataclasses
import re
from pathlib import Path

import numpy as np

from unbraid.dsp.framing import Mel, Windows
from unbraid.errors import ModelError
from unbraid.hub.importers.checkpoint import Checkpoint, as_weight, size_of
from unbraid.hub.importers.hyperyaml import read_settings, section
from unbraid.hub.importers.settings import Rules, Settings
from unbraid.hub.importers.torch_pickle import read_state_dict
from unbraid.hub.spec import ModelSpec
from unbraid.models.ecapa.config import EcapaConfig
from unbraid.models.family import family_of, tensor_shapes
from unbraid.models.shapes import COUNTER, Shapes
from unbraid.models.speaker_config import WINDOWS, SpeakerConfig
from unbraid.models.tensors import compare_shapes, shapes_of

SETTINGS, WEIGHTS = "hyperparams.yaml", "embedding_model.ckpt"
FILES = (SETTINGS, WEIGHTS)
SAMPLE_RATE = 16000  # Hz; of Fbank, where the settings name none
FRAME_SECONDS, HOP_SECONDS = 0.025, 0.01
SAME_SPEAKER = 0.25  # cosine; the threshold of SpeechBrain's SpeakerRecognition.verify_batch

MODULES = {  # ours, as a pattern: published
    r"inlet\.(conv|norm)": r"blocks.0.\1.\1",
    r"blocks\.(\d+)\.(inlet|outlet)\.(conv|norm)": r"blocks.{block}.{\2}.\3.\3",
    r"blocks\.(\d+)\.groups\.(\d+)\.(conv|norm)": r"blocks.{block}.res2net_block.blocks.\2.\3.\3",
    r"blocks\.(\d+)\.(squeeze|excite)": r"blocks.{block}.se_block.{\2}.conv",
    r"merge\.(conv|norm)": r"mfa.\1.\1",
    r"attention\.inlet\.(conv|norm)": r"asp.tdnn.\1.\1",
    r"attention\.outlet": "asp.conv.conv",
    "pooled_norm": "asp_bn.norm",
    "embedding": "fc.conv",
}
PARTS = {"inlet": "tdnn1", "outlet": "tdnn2", "squeeze": "conv1", "excite": "conv2"}

NETWORK_RULES: Rules = {  # setting: (the peer's default, what our network has)
    "global_context": (True, True),
    "activation": ("torch.nn.ReLU", "torch.nn.ReLU"),
}
SOUND_RULES: Rules = {
    "deltas": (False, False),
    "context": (False, False),
    "f_min": (0, 0),
    "filter_shape": ("triangular", "triangular"),
    "param_change_factor": (1.0, 1.0),
    "left_frames": (5, 5),  # which are of no effect without a context
    "right_frames": (5, 5),
    "win_length": (25, 25),
    "hop_length": (10, 10),
}
NORM_RULES: Rules = {"norm_type": ("global", "sentence"), "std_norm": (True, False)}


def is_checkpoint(folder: Path) -> bool:
    """Whether the folder looks like one of these."""
    return (folder / WEIGHTS).exists()


def read_checkpoint(folder: Path, name: str) -> Checkpoint:
    """Read a SpeechBrain ECAPA-TDNN folder.

    Raises:
        ModelError: a file is missing or damaged, the network is not an ECAPA-TDNN, or a tensor does not fit.
    """
    if not (folder / SETTINGS).is_file():
        raise ModelError(f"{folder} has no {SETTINGS}; a SpeechBrain ECAPA-TDNN is {SETTINGS} and {WEIGHTS}.")
    settings, found = read_settings(folder / SETTINGS), read_tensors(folder)
    config, where = _config(settings, found, folder), str(folder / WEIGHTS)
    names, shapes = published_names(config), tensor_shapes(config)
    compare_shapes(shapes_of(found), published_shapes(config), where)
    tensors = {ours: as_weight(found[theirs], theirs, where).reshape(shapes[ours]) for theirs, ours in names.items()}
    spec = embedding_spec(name, folder, settings, config, "An ECAPA-TDNN", WINDOWS)
    return Checkpoint(dict(sorted(tensors.items())), dataclasses.replace(spec, same_speaker=SAME_SPEAKER))


def read_tensors(folder: Path) -> dict[str, np.ndarray]:
    """The tensors of a network for speaker embeddings, without the counters of its batch norms.

    Raises:
        ModelError: the file is missing or damaged.
    """
    return {k: v for k, v in read_state_dict(folder / WEIGHTS).items() if not k.endswith(COUNTER)}


def embedding_spec(
    name: str, folder: Path, settings: Settings, config: SpeakerConfig, network: str, windows: Windows
) -> ModelSpec:
    """The spec of a network for speaker embeddings that was trained with SpeechBrain.

    Raises:
        ModelError: the sample rate makes no spectrogram.
    """
    rate, official = settings.positive("sample_rate", SAMPLE_RATE), name.startswith("speechbrain/")
    try:
        mel = Mel(round(FRAME_SECONDS * rate), round(HOP_SECONDS * rate), config.bins)
    except ValueError as error:
        raise ModelError(f"{settings.path}: the sample rate {rate} makes no spectrogram: {error}") from None
    return ModelSpec(
        name=name,
        family=family_of(config),
        sample_rate=rate,
        channels=1,
        stems=(),
        geometry=config,
        licence="Apache-2.0" if official else "as stated by its publisher",
        provenance=f"{network} trained with SpeechBrain, imported from {name if official else folder.name}.",
        windows=windows,
        mel=mel,
    )


def published_names(config: EcapaConfig) -> dict[str, str]:
    """{published: ours} for every tensor."""
    return {_published(name): name for name in tensor_shapes(config)}


def published_shapes(config: EcapaConfig) -> Shapes:
    """Name and shape of every tensor that a published network of these sizes has; its last layer is a convolution."""
    shapes = {theirs: tensor_shapes(config)[ours] for theirs, ours in published_names(config).items()}
    return shapes | {"fc.conv.weight": (*shapes["fc.conv.weight"], 1)}


def _published(name: str) -> str:
    """The published name of one of our tensors; their first layer is their block 0."""
    module, _, kind = name.rpartition(".")
    for ours, theirs in MODULES.items():
        if match := re.fullmatch(ours, module):
            block = int(match[1]) + 1 if ours.startswith("blocks") else 0
            return f"{match.expand(theirs).format(block=block, **PARTS)}.{kind}"
    raise KeyError(name)


def _config(settings: Settings, found: dict[str, np.ndarray], folder: Path) -> EcapaConfig:
    """Sizes from the tensors, and from the settings those that no tensor shows."""
    network, sound, norm = (
        section(settings, key, "an ECAPA-TDNN") for key in ("embedding_model", "compute_features", "mean_var_norm")
    )
    network.require(NETWORK_RULES)
    sound.require(SOUND_RULES)
    norm.require(NORM_RULES)
    dilations = network.positives("dilations", (1, 2, 3, 4, 1))
    for key, default in (("kernel_sizes", (5, 3, 3, 3, 1)), ("groups", (1, 1, 1, 1, 1))):
        values = network.positives(key, default, len(dilations))
        fits = len({*values[1:-1]}) == 1 if key == "kernel_sizes" else {*values} == {1}
        if not fits:
            raise network.misfit(key, list(values), "one size for all blocks")
    if len(dilations) < 3 or (dilations[0], dilations[-1]) != (1, 1):
        raise network.misfit("dilations", list(dilations), "1, one for each block, and 1")

    def size(name: str, axis: int) -> int:
        return size_of(found, name, axis, folder / WEIGHTS, "an ECAPA-TDNN")

    try:
        return EcapaConfig(
            bins=sound.positive("n_mels", 40),
            width=size("blocks.0.conv.conv.weight", 0),
            kernel=size("blocks.0.conv.conv.weight", 2),
            block_kernel=size("blocks.1.res2net_block.blocks.0.conv.conv.weight", 2),
            dilations=dilations[1:-1],
            scale=network.positive("res2net_scale", 8),
            squeezed=size("blocks.1.se_block.conv1.conv.weight", 0),
            merged=size("mfa.conv.conv.weight", 0),
            attention=size("asp.tdnn.conv.conv.weight", 0),
            features=size("fc.conv.weight", 0),
        )
    except ValueError as error:
        raise ModelError(f"{folder}: the sizes describe no network: {error}") from None
