"""Mixing effects for a part: tone, mild overdrive, reverb, width and level. NumPy, (C, T) float32."""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
_PAD = 1 << 14  # transforms of a multiple of this are fast, whatever the length of the song
_LOWEST_HZ, _CENTRE_HZ, _HIGHEST_HZ = 60.0, 1000.0, 12000.0


def tilted(audio: Array, db_per_octave: float, sample_rate: int) -> Array:
    """Brighter or darker: a spectrum that rises around 1 kHz by so much an octave."""
    size = _size(audio.shape[-1])
    hz = np.fft.rfftfreq(size, 1 / sample_rate).clip(_LOWEST_HZ, _HIGHEST_HZ)
    gain = 10 ** (db_per_octave * np.log2(hz / _CENTRE_HZ) / 20)
    return _filtered(audio, gain.astype(np.float32), size)


def saturated(audio: Array, drive: float) -> Array:
    """Gentle overdrive of loud parts; the peak stays."""
    peak = float(np.abs(audio).max(initial=0.0))
    if peak == 0 or drive <= 0:
        return audio
    return np.asarray(np.tanh(audio * (drive / peak)) * (peak / np.tanh(drive)), np.float32)


def in_hall(audio: Array, seconds: float, wet_db: float, sample_rate: int, random: np.random.Generator) -> Array:
    """(2, T) with its echo: exponentially decaying noise that falls by 60 dB in `seconds`, different in each ear."""
    length = round(seconds * sample_rate)
    response = random.standard_normal((2, length)) * 10 ** (-3 * np.arange(length) / length)
    response[:, 1:] = 0.5 * (response[:, 1:] + response[:, :-1])  # halls are dark
    response *= 10 ** (wet_db / 20) / np.sqrt(np.sum(response**2, 1, keepdims=True))
    late = round(0.015 * sample_rate)
    size = _size(audio.shape[-1] + length + late)
    echo = _filtered(audio, np.fft.rfft(np.pad(response, ((0, 0), (late, 0))).astype(np.float32), size), size)
    return audio + echo


def placed(mono: Array, pan: float, width: float, sample_rate: int) -> Array:
    """(T,) as (2, T): from left (-1) to right (1), spread by a short delay between the ears as `width` goes up to 1."""
    delay = round(0.012 * sample_rate)
    side = 0.4 * width * np.pad(mono, (delay, 0))[: len(mono)]
    angle = (pan + 1) * np.pi / 4
    return np.stack((np.sqrt(2) * np.cos(angle) * (mono + side), np.sqrt(2) * np.sin(angle) * (mono - side)))


def active_rms(audio: Array, sample_rate: int) -> float:
    """RMS of where there is sound: of blocks of 0.4 s that are within 20 dB of the loudest."""
    block = min(round(0.4 * sample_rate), audio.shape[-1])
    if not block:
        return 0.0
    blocks = audio[:, : audio.shape[-1] // block * block].reshape(len(audio), -1, block)
    power = np.mean(np.square(blocks, dtype=np.float64), axis=(0, 2))
    return float(np.sqrt(power[power >= 0.01 * power.max()].mean()))


def _filtered(audio: Array, response: npt.NDArray[np.inexact], size: int) -> Array:
    spectrum = np.fft.rfft(audio, size) * response
    return np.fft.irfft(spectrum, size)[..., : audio.shape[-1]].astype(np.float32)


def _size(samples: int) -> int:
    return -(-samples // _PAD) * _PAD
