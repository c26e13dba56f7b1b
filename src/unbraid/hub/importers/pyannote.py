"""WeSpeaker's ResNet34 as pyannote.audio publishes it, read without pyannote, Lightning or torch.

A published model (`pyannote/wespeaker-voxceleb-resnet34-LM` on the Hugging Face hub) is `config.yaml` and a checkpoint
of Lightning, `pytorch_model.bin`: the state dict beside a description of the task, whose objects are left out.
Source: pyannote.audio 3.1 (pyannote/audio/models/embedding/wespeaker, pyannote/audio/core/model.py).
"""

from pathlib import Path

from unbraid.errors import ModelError
from unbraid.hub.importers import wespeaker
from unbraid.hub.importers.checkpoint import Checkpoint
from unbraid.hub.importers.settings import Rules, read_yaml
from unbraid.hub.importers.torch_pickle import read_state_dict
from unbraid.hub.spec import ModelSpec
from unbraid.models.speaker_config import WINDOWS

SETTINGS, WEIGHTS = "config.yaml", "pytorch_model.bin"
PREFIX = "resnet."  # of the names of tensors
DESCRIPTION = (  # classes of the objects beside the state dict
    "torch.torch_version.TorchVersion",
    *(f"pyannote.audio.core.task.{name}" for name in ("Specifications", "Problem", "Resolution")),
)
RULES: Rules = {  # setting: (the peer's default, what our network has)
    "_target_": (None, "pyannote.audio.models.embedding.WeSpeakerResNet34"),
    "num_channels": (1, 1),
    "window_type": ("hamming", "hamming"),
    "use_energy": (False, False),
}


def is_checkpoint(folder: Path) -> bool:
    """Whether the folder looks like one of these; transformers' have a config.json."""
    return (folder / SETTINGS).exists() and (folder / WEIGHTS).exists() and not (folder / "config.json").exists()


def read_checkpoint(folder: Path, name: str) -> Checkpoint:
    """Read a folder of pyannote's.

    Raises:
        ModelError: a file is damaged, the network is another one, or a tensor does not fit.
    """
    settings = read_yaml(folder / SETTINGS)
    model, path = settings.within(settings.get("model")), folder / WEIGHTS
    model.require(RULES)
    found = read_state_dict(path, within=("state_dict",), inert=DESCRIPTION)
    if other := [key for key in found if not key.startswith(PREFIX)]:
        raise ModelError(f"{path}: tensor {other[0]!r} does not belong to a ResNet; is it another model of pyannote's?")
    tensors, config = wespeaker.renamed({key.removeprefix(PREFIX): value for key, value in found.items()}, path)
    rate = model.positive("sample_rate", wespeaker.SAMPLE_RATE)
    spec = ModelSpec(
        name=name,
        family="speaker_resnet",
        sample_rate=rate,
        channels=1,
        stems=(),
        geometry=config,
        licence="as stated by its publisher",
        provenance=f"A ResNet34 trained with WeSpeaker, published for pyannote.audio, imported from {folder.name}.",
        windows=WINDOWS,
        mel=wespeaker.mel_of(model, rate, config.bins),
    )
    return Checkpoint(tensors, spec)
