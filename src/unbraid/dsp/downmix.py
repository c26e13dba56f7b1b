"""Polarity-aware downmix to mono, for networks with one input channel.

The legs of a balanced cable, or one microphone wired the wrong way round, put a voice on two channels with opposite
signs; their mean is silence. So each active channel enters the mean with a sign:

    mono = Σ sign_c · x_c / number of active channels

Both are decided for sections of a second, in the band of speech (150 Hz to 4 kHz), outside DC offset and hum:

    active   its power is above -40 dB of the loudest channel's so far; a channel that was active once stays so
    sign     the sign of its correlation with the section's loudest channel if that is beyond ±0.5, else as before

Changes of weights are cross-faded over the last 20 ms of the previous section. Sections are causal, and their bounds do
not depend on the blocks of the input, so the result is the same for whole files and block by block, in constant memory,
and overlapping windows of a network agree. For a recording whose channels are in phase, as nearly all are, this is the
plain mean, bit for bit.
"""

from itertools import chain

import numpy as np
from numpy.typing import NDArray

from unbraid.dsp.arrays import Blocks, FloatArray
from unbraid.dsp.overlap import sections

SECTION_SECONDS = 1.0
FADE_SECONDS = 0.02
BAND_HZ = (150.0, 4000.0)
FAINT = 1e-4  # power of a channel that counts as silent, relative to the loudest one's
SILENT_POWER = 1e-10  # -100 dB: sections below it are ignored
SURE = 0.5  # correlation from which the sign of a channel is decided
UNLIKE = 0.3  # correlation below which channels carry different things


class Downmix:
    """The mean of channels of one recording; afterwards `is_unlike` says whether they carried different things."""

    def __init__(self, sample_rate: int) -> None:
        self._rate = sample_rate
        self._products = np.zeros((0, 0))  # (C, C), of all sections
        self._loudest = 0.0
        self._signs: FloatArray = np.zeros(0, np.float32)  # (C,)
        self._sounding = np.zeros(0, bool)  # (C,)

    def blocks(self, blocks: Blocks) -> Blocks:
        """Blocks (C, n) as blocks (1, m) of as many samples; one channel passes as it is."""
        blocks = iter(blocks)
        if (first := next(blocks, None)) is None:
            return
        if first.shape[0] == 1:
            yield first
            yield from blocks
            return
        fade = max(1, round(FADE_SECONDS * self._rate))
        before: tuple[FloatArray, FloatArray, int] | None = None  # a section, its signs, how many channels count
        for section in sections(chain((first,), blocks), max(1, round(SECTION_SECONDS * self._rate))):
            signs, count = self._weights(section)
            if before is not None:
                yield _mixed(*before, following=(signs, count), fade=fade)
            before = section, signs, count
        if before is not None:
            yield _mixed(*before)

    @property
    def is_unlike(self) -> bool:
        """Whether two channels sounded that have little in common, as those of a call with one party on each."""
        power = np.diag(self._products)
        heard = np.flatnonzero(power > FAINT * max(power.max(initial=0.0), SILENT_POWER))
        if len(heard) < 2:
            return False
        between = self._products[np.ix_(heard, heard)] / np.sqrt(np.outer(power[heard], power[heard]))
        return bool(np.abs(between[np.triu_indices(len(heard), 1)]).min() < UNLIKE)

    def section(self, section: FloatArray) -> FloatArray:
        """The next section (C, n) as (1, n), with its own weights and no cross-fade: for previews."""
        return _mixed(section, *self._weights(section))

    def _weights(self, section: FloatArray) -> tuple[FloatArray, int]:
        """The sign of each channel in a section, 0 for silent ones, and the number of the others."""
        if not len(self._signs):
            self._signs, self._sounding = np.ones(len(section), np.float32), np.zeros(len(section), bool)
            self._products = np.zeros((len(section), len(section)))
        products = _products(section, self._rate)  # (C, C)
        power = np.diag(products)
        loudest = int(power.argmax())
        self._products += section.shape[-1] * products
        self._loudest = max(self._loudest, float(power[loudest]))
        if power[loudest] > SILENT_POWER:
            self._sounding |= power > FAINT * self._loudest
            alike = products[loudest] / np.sqrt(power[loudest] * np.maximum(power, SILENT_POWER * FAINT))
            told = np.where(alike < 0, -self._signs[loudest], self._signs[loudest])
            clear = (np.abs(alike) > SURE) & (power > FAINT * power[loudest])
            self._signs = np.where(clear, told, self._signs).astype(np.float32)
        counts = self._sounding if self._sounding.any() else np.ones_like(self._sounding)
        return self._signs * counts.astype(np.float32), int(counts.sum())


def downmixed(audio: FloatArray, sample_rate: int) -> FloatArray:
    """The mean (1, T) of channels (C, T), see above."""
    return np.concatenate(list(Downmix(sample_rate).blocks(iter([audio]))), axis=-1)


def _products(section: FloatArray, sample_rate: int) -> NDArray[np.float64]:
    """Mean products of channels (C, C) in the band that counts."""
    samples = section.shape[-1]
    spectra = np.fft.rfft(section)  # (C, F)
    hertz = np.fft.rfftfreq(samples, 1 / sample_rate)
    low, high = (BAND_HZ[0], BAND_HZ[1]) if samples * BAND_HZ[0] > sample_rate else (0.0, np.inf)
    band = spectra[:, (hertz >= low) & (hertz <= high)]
    return np.asarray(2 * (band @ band.conj().T).real / samples**2)


def _mixed(
    section: FloatArray,
    signs: FloatArray,
    count: int,
    following: tuple[FloatArray, int] | None = None,
    fade: int = 0,
) -> FloatArray:
    """A section (C, n) as (1, n), cross-faded at its end to the weights of the following one."""
    mono: FloatArray = (section * signs[:, None]).sum(0, keepdims=True) / np.float32(count)
    if following is None or (np.array_equal(signs, following[0]) and count == following[1]):
        return mono
    fade = min(fade, section.shape[-1])
    later = (section[:, -fade:] * following[0][:, None]).sum(0, keepdims=True) / np.float32(following[1])
    rise = ((np.arange(fade) + 0.5) / fade).astype(np.float32)
    mono[:, -fade:] += (later - mono[:, -fade:]) * rise
    return mono
