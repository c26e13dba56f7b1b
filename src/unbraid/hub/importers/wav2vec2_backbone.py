"""The backbones of Wav2Vec2 and HuBERT folders of transformers, with a CTC head or without.

`facebook/hubert-base-ls960`, say, was trained on speech alone and writes nothing. Its folder has no vocab.json; its
weights may have other tensors besides, those of its pre-training, and their names may lack the prefix. The rest is as
`wav2vec2` reads it.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from unbraid.errors import ModelError
from unbraid.hub.importers.wav2vec2 import (
    HEAD,
    IGNORED,
    KINDS,
    PROCESSOR,
    SETTINGS,
    SOUND,
    WEIGHTS,
    flag,
    geometry_of,
    read_settings,
    read_sound,
    read_tensors,
    renamed,
)
from unbraid.models.wav2vec2.config import Wav2Vec2Config

FILES = f"{SETTINGS}, {SOUND} and {' or '.join(WEIGHTS)}"


@dataclass(frozen=True)
class Trunk:
    """All but the head of a Wav2Vec2 or HuBERT."""

    geometry: Wav2Vec2Config  # its symbols count for nothing
    sample_rate: int  # Hz
    tensors: dict[str, np.ndarray]  # by the names of `backbone_shapes`, float32


def read_trunk(folder: Path) -> Trunk:
    """Read a folder as transformers publishes it.

    Raises:
        ModelError: a file is missing or damaged, it is another network, or a tensor does not fit.
    """
    if not (folder / SETTINGS).is_file():
        raise ModelError(f"{folder} has no {SETTINGS}; a Wav2Vec2 or HuBERT is {FILES}.")
    settings = read_settings(folder)
    kind = str(settings.get("model_type"))
    for choice in ((SOUND, PROCESSOR), WEIGHTS):
        if not any((folder / file).is_file() for file in choice):
            raise ModelError(f"{folder} has no {choice[0]}; a {KINDS[kind]} is {FILES}.")
    weights = next(folder / file for file in WEIGHTS if (folder / file).is_file())
    sound = read_sound(folder)
    geometry = geometry_of(settings, Wav2Vec2Config().symbols, flag(sound, "do_normalize", True))
    published = _below_the_head(read_tensors(weights), f"{kind}.")
    tensors = renamed(published, kind, geometry, None, weights)
    return Trunk(geometry, sound.positive("sampling_rate", 16000), tensors)


def _below_the_head(tensors: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    """The tensors with the prefix; if there are none, all but the head, with the prefix added."""
    if not any(name.startswith(prefix) for name in tensors):
        tensors = {f"{prefix}{name}": tensor for name, tensor in tensors.items() if not name.startswith(f"{HEAD}.")}
    ignored = {f"{prefix}{name}" for name in IGNORED}
    return {name: tensor for name, tensor in tensors.items() if name.startswith(prefix) and name not in ignored}
