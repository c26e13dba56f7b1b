"""The sizes of a ResNet of speakers."""

from dataclasses import dataclass

from unbraid.files.ranges import Layers, Size, check_ranges
from unbraid.models.speaker_config import Filterbank, SpeakerConfig


@dataclass(frozen=True)
class SpeakerResnetConfig(SpeakerConfig):
    """Sizes of a ResNet of speakers; the defaults are those of WeSpeaker's ResNet34 (6.6 M parameters).

    Raises:
        ValueError: a size out of its range, or bands that the stages cannot halve.
    """

    bins: Size = 80  # F, mel bands
    planes: Size = 32  # channels of the first stage; each further one has twice as many
    blocks: tuple[Layers, ...] = (3, 4, 6, 3)  # of each stage; all but the first halve bands and frames
    features: Size = 256  # D, of an embedding
    filterbank: Filterbank = "wespeaker"

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.bins % self.halvings:
            raise ValueError(f"bins ({self.bins}) must be a multiple of {self.halvings}, since the stages halve them.")

    @property
    def halvings(self) -> int:
        """The last stage reads so many bands, and frames, as one."""
        return int(2 ** (len(self.blocks) - 1))

    @property
    def pooled(self) -> int:
        """Channels times bands, the same before the stages as behind them."""
        return self.planes * self.bins

    @property
    def least_frames(self) -> int:
        """The shortest spectrogram that it takes: a deviation needs two steps behind the last stage."""
        return self.halvings + 1
