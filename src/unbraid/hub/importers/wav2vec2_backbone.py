"""The backbones of Wav2Vec2 and HuBERT folders of transformers, with a CTC head or without.

`facebook/hubert-base-ls960`, say, was trained on speech alone and writes nothing. Its folder has no vocab.json; its
weights may have other tensors besides, those of its pre-training, and their names may lack the prefix. The rest is as
`wav2vec2` reads it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from unbraid.hub.importers.wav2vec2 import HEAD, IGNORED, open_folder, read_tensors, renamed
from unbraid.models.wav2vec2.config import Wav2Vec2Config


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
    parts = open_folder(folder, with_head=False)
    geometry = parts.geometry(Wav2Vec2Config().symbols)
    published = _below_the_head(read_tensors(parts.weights), f"{parts.kind}.")
    return Trunk(geometry, parts.sample_rate, renamed(published, parts.kind, geometry, None, parts.weights))


def _below_the_head(tensors: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    """The tensors with the prefix; if there are none, all but the head, with the prefix added."""
    if not any(name.startswith(prefix) for name in tensors):
        tensors = {f"{prefix}{name}": tensor for name, tensor in tensors.items() if not name.startswith(f"{HEAD}.")}
    ignored = {f"{prefix}{name}" for name in IGNORED}
    return {name: tensor for name, tensor in tensors.items() if name.startswith(prefix) and name not in ignored}
