"""The base class of the configs of networks that embed speakers: log-mel spectrograms in, an embedding out."""

from typing import Literal

from unbraid.dsp.framing import Mel, Spectral, Windows
from unbraid.models.config import Config, Task

Filterbank = Literal["levels", "speechbrain", "3d-speaker", "wespeaker"]  # see dsp/filterbank.py
WINDOWS = Windows(seconds=4.0, overlap_seconds=1.0)  # of long audio
TOOLKITS = {"speechbrain": "SpeechBrain", "3d-speaker": "3D-Speaker", "wespeaker": "WeSpeaker"}


class SpeakerConfig(Config):
    """The sizes of a network that embeds speakers."""

    bins: int  # F, mel bands: a field of its config, as the others
    features: int  # D, of an embedding
    filterbank: Filterbank  # the definition of the log-mel spectrogram

    @property
    def task(self) -> Task:
        """It tells who speaks."""
        return "speaker embedding"

    @property
    def writes(self) -> str:
        """An embedding."""
        return "embedding"

    @property
    def needs(self) -> tuple[str, ...]:
        """Windows of long audio, and the spectrogram that it reads."""
        return ("windows", "mel")

    @property
    def least_frames(self) -> int:
        """The shortest spectrogram that it takes."""
        return 1

    @property
    def example_sizes(self) -> dict[str, int]:
        """Sizes of the axes that vary, to compare engines with."""
        return {"B": 2, "N": self.least_frames + 151}

    def check(self, spectral: Spectral | None, mel: Mel | None, symbols: tuple[int, int]) -> None:
        """Compare with the spectrogram.

        Raises:
            ValueError: it has another number of bands, or is normalized where that of the toolkit never is.
        """
        if mel and mel.bins != self.bins:
            raise ValueError(f"the network reads {self.bins} mel bands, its spectrogram has {mel.bins}.")
        if mel and mel.normalized and self.filterbank in TOOLKITS:
            raise ValueError(f"{TOOLKITS[self.filterbank]}'s spectrogram is not normalized; write false.")
