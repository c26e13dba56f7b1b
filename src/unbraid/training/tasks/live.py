"""Training of causal networks, which remove noise from one voice or separate several: as speech separation, but dev
mixtures have noise, too, where training has it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from unbraid.corpora.noise import AddedNoise
from unbraid.models.causal_lstm.config import CausalLSTMConfig
from unbraid.training.data import FixedMixtures
from unbraid.training.tasks.audio_to_audio import AudioData
from unbraid.training.tasks.speech import Loss, Speech


@dataclass(frozen=True)
class Live(Speech):
    """The task (see task.py): mixture (B, T) -> voices (B, S, T), trained on whole crops."""

    fixed: ClassVar[tuple[str, ...]] = (*Speech.fixed, "data.noise_dev", "data.dev_snr_db")
    per_source: ClassVar[Mapping[str, int]] = {"outlet.": 0}

    model: CausalLSTMConfig
    data: AudioData
    loss: Loss = field(default_factory=lambda: Loss("active_snr"))

    def dev_data(self, noise: AddedNoise | None = None) -> FixedMixtures:
        """The mixtures of the dev split, with the same noise in every run."""
        return super().dev_data(noise or (self.data.dev_noise() if self.mixing.noise_probability else None))

    def record(self) -> dict[str, Any]:
        """As of speech separation, but nobody counts the voices of a stream, which takes the whole recording."""
        return super().record() | {"silent_outputs": False}
