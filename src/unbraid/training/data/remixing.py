"""Remixing: stems of different songs are combined into new ones. NumPy, with an explicit random generator.

    speed, or pitch and tempo → gain → tilt → channels swapped → left out → peak of the mixture

Stems of different songs together after Uhlich et al. (ICASSP 2017), pitch and tempo after Cohen-Hadria et al. (arXiv
1903.01415). A mixture is the sum of its stems, without clipping or limiting: that keeps the targets true.
"""

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from unbraid.corpora.levels import Array
from unbraid.files.ranges import Range
from unbraid.training.data.mixing import change_speed
from unbraid.training.data.stretch import stretched
from unbraid.training.tables import Above, Share, SpeedSpan, Table

PAUSE_RMS = 3e-3  # a crop below this (-50 dBFS) is nearly silent
SILENT_PEAK = 1e-4  # a mixture below this (-80 dBFS) is not scaled
SPARE_SECONDS = 0.1  # read behind a crop: there a stretched piece fades
TILTED_OCTAVES = (-5.0, 4.5)  # around 1 kHz: beyond 31 Hz and 22.6 kHz a tilt is level

Level = Annotated[float, Range(-100, 100)]  # dB
Tilt = Annotated[float, Range(-6, 6)]  # dB per octave
Semitones = Annotated[float, Range(-12, 12)]


@dataclass(frozen=True)
class Remixing(Table):
    """The distribution of training crops; a pair holds the limits of a uniform distribution."""

    crop_seconds: Above = 3.0
    remix_probability: Share = 0.5  # stems of different songs at about equal power; else those of one song
    gain_db: tuple[Level, Level] = (-6.0, 6.0)  # of each stem
    tilt_db_per_octave: tuple[Tilt, Tilt] = (-1.0, 1.0)  # of each stem, around 1 kHz
    swap_probability: Share = 0.5  # a stem's left and right channel
    leave_out_probability: Share = 0.1  # of each stem; never of all that sound
    level_db: tuple[Level, Level] = (-30.0, 0.0)  # peak of the mixture, over full scale; half are in the upper quarter
    speed: SpeedSpan = (0.88, 1.14)  # with the pitch; the same for all stems of an unmixed song
    vocals_speed: SpeedSpan = (0.8, 1.25)  # of vocals that are with another song
    stretch_probability: Share = 0.2  # in place of a speed, pitch and tempo change on their own
    pitch_semitones: tuple[Semitones, Semitones] = (-2.0, 2.0)
    tempo: SpeedSpan = (0.88, 1.14)

    def crop_samples(self, sample_rate: int) -> int:
        """The length of a crop."""
        return max(1, round(self.crop_seconds * sample_rate))


@dataclass(frozen=True)
class Playing:
    """A change of speed, pitch and tempo."""

    speed: float = 1.0  # a factor that changes the pitch, too
    semitones: float = 0.0  # so much higher; the tempo stays
    tempo: float = 1.0  # a factor that keeps the pitch

    def samples(self, samples: int, sample_rate: int) -> int:
        """The number of samples to read for `samples` of output."""
        return math.ceil(samples * self.speed * self.tempo + SPARE_SECONDS * sample_rate)


def draw_playing(remixing: Remixing, random: np.random.Generator, *, vocals: bool = False) -> Playing:
    """A speed, or now and then a pitch and a tempo; `vocals`: of vocals that may leave their song."""
    if random.random() < remixing.stretch_probability:
        return Playing(semitones=random.uniform(*remixing.pitch_semitones), tempo=random.uniform(*remixing.tempo))
    return Playing(speed=random.uniform(*(remixing.vocals_speed if vocals else remixing.speed)))


def played(audio: Array, playing: Playing, samples: int, sample_rate: int) -> Array:
    """Change the speed, pitch and tempo of audio (C, t), then cut or pad it to (C, samples)."""
    if playing.semitones != 0 or playing.tempo != 1:
        audio = stretched(audio, playing.semitones, playing.tempo, sample_rate)
    audio = change_speed(np.ascontiguousarray(audio.T), playing.speed).T[:, :samples]  # soxr's axes are (T, C)
    return np.pad(audio, ((0, 0), (0, samples - audio.shape[1])))


def remixed(stems: Array, remixing: Remixing, sample_rate: int, random: np.random.Generator) -> Array:
    """Stems (S, C, T), each with a gain, a tilt and channels of its own or left out, at the level of their mixture."""
    kept = random.random(len(stems)) >= remixing.leave_out_probability
    if not stems[kept].any():
        kept[:] = True
    out = np.zeros(stems.shape, np.float32)
    for row, stem, is_kept in zip(out, stems, kept, strict=True):
        gain_db, tilt_db = random.uniform(*remixing.gain_db), random.uniform(*remixing.tilt_db_per_octave)
        is_swapped = random.random() < remixing.swap_probability
        if is_kept and stem.any():
            row[:] = tilted(stem[::-1] if is_swapped else stem, tilt_db, sample_rate) * np.float32(10 ** (gain_db / 20))
    low, high = remixing.level_db
    return at_peak(out, high + (low - high) * random.random() ** 2)


def tilted(audio: Array, db_per_octave: float, sample_rate: int) -> Array:
    """(…, T) with a spectrum that rises by so much with each octave, level at 1 kHz; without a delay."""
    if db_per_octave == 0:
        return audio
    samples = audio.shape[-1]
    size = _quick(samples + round(0.05 * sample_rate))  # room for what the filter rings, both ways round
    hertz = np.fft.rfftfreq(size, 1 / sample_rate)
    octaves = np.log2(np.maximum(hertz, 1) / 1000).clip(*TILTED_OCTAVES)
    gain = (10 ** (db_per_octave * octaves / 20)).astype(np.float32)
    return np.fft.irfft(np.fft.rfft(audio, size) * gain, size)[..., :samples].astype(np.float32)


def _quick(samples: int) -> int:
    """The next length with a fast FFT: a small multiple of a power of two."""
    step = 1 << max(0, samples.bit_length() - 4)
    return -(-samples // step) * step


def rms(audio: Array) -> float:
    """Root of the mean power over all axes; 0 of nothing."""
    return float(np.sqrt(np.mean(np.square(audio)))) if audio.size else 0.0


def at_unit_power(audio: Array) -> Array:
    """Audio scaled to an RMS of about 1; audio far below -60 dBFS stays soft."""
    return audio / np.float32(rms(audio) + 1e-3)


def at_peak(stems: Array, level_db: float) -> Array:
    """Stems (S, C, T) whose sum has its peak there, over full scale; silence stays silence."""
    peak = float(np.abs(stems.sum(0)).max(initial=0))
    return stems if peak < SILENT_PEAK else stems * np.float32(10 ** (level_db / 20) / peak)
