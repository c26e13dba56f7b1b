"""Small models of speaker embeddings, for tests."""

import numpy as np

from unbraid.hub.spec import Mel, ModelSpec, Windows
from unbraid.models.ecapa.config import EcapaConfig
from unbraid.models.family import family_of
from unbraid.models.speaker_config import SpeakerConfig

VOICE = EcapaConfig(bins=10, width=12, scale=3, squeezed=5, merged=18, attention=4, features=10, filterbank="levels")
MEL = Mel(256, 128, 10, normalized=True)


def voice_spec(config: EcapaConfig = VOICE, windows: Windows = Windows(1.0, 0.25)) -> ModelSpec:
    """A model that embeds windows of a second at 8 kHz."""
    return ModelSpec("tiny-voice", "ecapa", 8000, 1, (), config, "MIT", "a test", windows=windows, mel=MEL)


def speaker_spec(config: SpeakerConfig) -> ModelSpec:
    """A model of any network that embeds windows of a second at 8 kHz."""
    mel, windows = Mel(256, 128, config.bins), Windows(1.0, 0.25)
    return ModelSpec("tiny", family_of(config), 8000, 1, (), config, "MIT", "a test", windows=windows, mel=mel)


def stirred(network):
    """A torch module whose weights are seeded and whose batch norms have learnt something."""
    import torch

    torch.manual_seed(0)
    for parameter in network.parameters():
        parameter.data.normal_(0, 0.3)
    for name, buffer in network.named_buffers():
        if name.endswith("running_mean"):
            buffer.normal_()
        elif name.endswith("running_var"):
            buffer.uniform_(0.5, 2)
    return network.eval()


class Bands:
    """An executor whose embedding is the spread of each band over time, as the network's input shows it."""

    device, reason = "fake", "a test asked for it"

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        levels = inputs["levels"]
        assert levels.dtype == np.float32 and levels.flags.c_contiguous
        self.shapes.append(levels.shape)
        return {"embedding": levels.std(1)}

    def close(self) -> None:
        pass
