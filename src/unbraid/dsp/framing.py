"""Framing and windowing of a network's input; part of spec.json."""

from dataclasses import dataclass
from typing import Annotated, Literal

from unbraid.files.ranges import Range, Size, check_ranges

MelForm = Literal["level", "whisper", "speecht5", "hifigan"]
MOST_HOPS = 64  # in a frame
MOST_SEGMENT = 1 << 23  # values of a spectrogram that a U-Net sees at once


@dataclass(frozen=True)
class Spectral:
    """The spectrogram of a U-Net, and the form of its masks (Spleeter's front end).

    Raises:
        ValueError: a size out of its range, a hop that does not divide a frame into 2 to 64, more bins than a frame
            has, or segments that are too large.
    """

    frame_samples: Annotated[int, Range(4, 65_536)] = 4096
    hop_samples: Size = 1024
    frames: Size = 512  # T: frames of a segment
    bins: Size = 1024  # F: bins from 0 Hz
    exponent: Annotated[float, Range(0.01, 16)] = 2.0  # of the ratio masks
    extension: Literal["zeros", "average"] = "zeros"  # masks above the last bin, in the published system

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.frame_samples % self.hop_samples or not 2 <= self.frame_samples // self.hop_samples <= MOST_HOPS:
            raise ValueError(
                f"frame_samples must be 2 to {MOST_HOPS} times hop_samples, got {self.frame_samples} "
                f"for {self.hop_samples}."
            )
        if self.bins > (most := self.frame_samples // 2 + 1):
            raise ValueError(f"bins must be at most {most} for frames of {self.frame_samples}, got {self.bins}.")
        if self.frames * self.bins > MOST_SEGMENT:
            raise ValueError(f"frames times bins must be at most {MOST_SEGMENT}, got {self.frames} times {self.bins}.")


@dataclass(frozen=True)
class Mel:
    """The log-mel spectrogram that an audio Transformer reads or writes (see `dsp.mel`).

    Raises:
        ValueError: a size below 1, a hop that does not lie in the middle of a frame, or normalized levels in a form
            that has none.
    """

    frame_samples: Annotated[int, Range(-65_536, 65_536)] = 256
    hop_samples: Annotated[int, Range(-65_536, 65_536)] = 80
    bins: Annotated[int, Range(-4096, 4096)] = 64  # F, mel bands from 0 Hz to half the sample rate
    normalized: bool = False  # levels count from the loudest of a recording, and not from full scale
    form: MelForm = "level"  # whisper: see `dsp.whisper_mel`; speecht5, hifigan: see `dsp.log_mel`

    def __post_init__(self) -> None:
        check_ranges(self)
        if min(self.frame_samples, self.hop_samples, self.bins) < 1:
            raise ValueError(
                f"frame_samples, hop_samples and bins must be at least 1, got {self.frame_samples}, "
                f"{self.hop_samples} and {self.bins}."
            )
        if self.frame_samples < self.hop_samples or (self.frame_samples - self.hop_samples) % 2:
            raise ValueError(
                f"frame_samples must be hop_samples and an even number more, got {self.frame_samples} "
                f"for {self.hop_samples}."
            )
        if self.normalized and self.form == "whisper":
            raise ValueError("levels in the form of whisper are normalized already; leave normalized out.")
        if self.normalized and self.form != "level":
            raise ValueError(f"levels in the form of {self.form} are never normalized; leave normalized out.")


@dataclass(frozen=True)
class Windows:
    """The windows of long audio, for a network that processes a whole window at once.

    Raises:
        ValueError: a length out of its range, or an overlap that is no less than a window.
    """

    seconds: Annotated[float, Range(0.001, 600)] = 12.0
    overlap_seconds: Annotated[float, Range(0, 600)] = 3.0

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.overlap_seconds >= self.seconds:
            raise ValueError(
                f"overlap_seconds must be less than seconds, got {self.overlap_seconds:g} for {self.seconds:g}."
            )
