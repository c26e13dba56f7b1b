"""A network with three outputs that are silent where nobody speaks, embeddings, and recordings that it takes apart."""

import dataclasses
from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np

from engine_fakes import Fake, even_and_odd, speech_fake, speech_spec
from unbraid.hub.spec import ModelSpec, Windows
from unbraid.tasks.separation.options import Options
from unbraid.tasks.separation.separator import Separator

RATE = 8000  # Hz
Turn = tuple[int, float, float]  # voice 0, 1 or 2, from and to in seconds


def by_band(mixture: np.ndarray) -> np.ndarray:
    """(B, T) -> (B, 3, T): what lies below 1 kHz, below 2 kHz, and above; bands in which there is little are silent."""
    spectra = np.fft.rfft(mixture)[:, None]
    hertz = np.fft.rfftfreq(mixture.shape[-1], 1 / RATE)
    bands = np.stack([hertz < 1000, (hertz >= 1000) & (hertz < 2000), hertz >= 2000])
    voices = np.fft.irfft(spectra * bands, mixture.shape[-1])
    loud = np.square(voices).mean(-1, keepdims=True)
    return voices * (loud > 1e-3 * loud.max(1, keepdims=True))


def by_turns(mixture: np.ndarray) -> np.ndarray:
    """(B, T) -> (B, 3, T): two voices of which one lives in the even samples and the other one in the odd ones."""
    return np.concatenate((even_and_odd(mixture), np.zeros_like(mixture)[:, None]), axis=1)


def voices(*turns: Turn, seconds: float, channels: int = 1) -> np.ndarray:
    """Voices (3, C, T): tones of 500, 1500 and 2500 Hz, each at the times of its turns, of different loudness."""
    time = np.arange(round(seconds * RATE)) / RATE
    out = np.zeros((3, channels, time.size), np.float32)
    for voice, begin, end in turns:
        here = (time >= begin) & (time < end)
        out[voice] += (0.1 + 0.01 * voice) * here * np.sin(2 * np.pi * (500 + 1000 * voice) * time)
    return out


def counting_spec(windows: Windows = Windows(1.0, 0.25), rate: int = RATE) -> ModelSpec:
    """A model of three voices whose outputs may be silent."""
    return dataclasses.replace(speech_spec(3, rate, windows), name="tiny-voices", level="own", silent_outputs=True)


class ByBand:
    """Embeddings by the power in each of twelve bands: people speak in different ones."""

    spec, least_samples, closed = counting_spec(), 2000, False

    def embed(self, pieces: Sequence[np.ndarray]) -> np.ndarray:
        """Pieces (T,) -> (P, 12), of length 1."""
        rows = []
        for piece in pieces:
            assert piece.ndim == 1 and len(piece) >= self.least_samples
            power = np.square(np.abs(np.fft.rfft(piece)))
            rows.append(np.sqrt([band.sum() for band in np.array_split(power, 12)]))
        found = np.stack(rows)
        return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)

    def close(self) -> None:
        self.closed = True


class Closer(ByBand):
    """The same, but what cosines lack of 1 is SHARE of that; its spec says from which one on two are one speaker."""

    SHARE = 0.4
    spec = SimpleNamespace(sample_rate=RATE, same_speaker=1 - SHARE * (1 - 0.25))

    def embed(self, pieces: Sequence[np.ndarray]) -> np.ndarray:
        """Pieces (T,) -> (P, 13), of length 1."""
        far = super().embed(pieces)
        common = np.ones((len(far), 1), np.float32)
        return np.hstack((np.sqrt(self.SHARE) * far, np.sqrt(1 - self.SHARE) * common)).astype(np.float32)


def counting(options: Options = Options(), fake: Fake | None = None) -> Separator:
    """A separator that counts voices."""
    return Separator.over(fake or speech_fake(by_band), counting_spec(), options, ByBand())
