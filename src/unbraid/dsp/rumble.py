"""Separation of DC offset and rumble below 20 Hz, which mislead networks, from the audible signal.

    for clean, rumble in split(blocks, sample_rate): ...        # clean + rumble is the input

A linear-phase low pass (windowed sinc, Kaiser with 60 dB, half its gain at 24 Hz) removes everything below 18 Hz and
keeps everything above 30 Hz, the lowest notes of a bass included, within 0.1 %. It is symmetric, 0.3 s long, so there
is no delay; at both ends the recording is mirrored.

A recording without rumble passes unchanged, bit for bit. Filtering starts with the first section of a second whose
power below 20 Hz is above -70 dB and exceeds that of white noise (three times its expected share, and 1 % more).
The bounds of sections do not depend on the blocks of the input, so the result is the same whole and block by block.
"""

import functools
from collections.abc import Iterator

import numpy as np

from unbraid.dsp.arrays import Blocks, FloatArray
from unbraid.dsp.overlap import sections

SECTION_SECONDS = 1.0
HALF_SECONDS = 0.15  # of the filter, on either side
CUTOFF_HZ = 24.0
KAISER_BETA = 5.65  # 60 dB
LOOK_BELOW_HZ = 20.0
SHARE = 0.01  # of a section's power, above what white noise has
WHITE_TIMES = 3.0
FAINT_POWER = 1e-7  # -70 dB: less is the noise of a codec, or of a converter
LEAST_SECONDS = 0.1  # two periods: nothing shorter tells of rumble
LEAST_RATE = 1000  # Hz: of less than this, rumble is no small part
FADE_SECONDS = 0.05


def split(blocks: Blocks, sample_rate: int) -> Iterator[tuple[FloatArray, FloatArray | None]]:
    """Blocks (C, n) as sections: the audio without rumble (C, m), and the rumble (C, m) or None where none is taken.

    Below `LEAST_RATE` the blocks pass as they come.
    """
    if sample_rate < LEAST_RATE:
        yield from ((block, None) for block in blocks)
        return
    kernel, half = _kernel(sample_rate), round(HALF_SECONDS * sample_rate)
    is_found = False  # once it is, for all that follows
    before: FloatArray | None = None  # the end of the section before
    here: FloatArray | None = None

    def divided(section: FloatArray, after: FloatArray | None) -> tuple[FloatArray, FloatArray | None]:
        nonlocal is_found
        begins = not is_found and has_rumble(section, sample_rate)
        is_found = is_found or begins
        if not is_found:
            return section, None
        rumble = _filtered(section, before, after, kernel)
        if begins and before is not None:
            fade = min(round(FADE_SECONDS * sample_rate), section.shape[-1])
            rumble[:, :fade] *= (np.arange(fade, dtype=np.float32) + 0.5) / fade
        return section - rumble, rumble

    for section in sections(blocks, max(1, round(SECTION_SECONDS * sample_rate))):
        if here is not None:
            yield divided(here, section[:, :half])
            before = here[:, -half:]
        here = section
    if here is not None:
        yield divided(here, None)


def without_rumble(blocks: Blocks, sample_rate: int) -> Blocks:
    """Blocks (C, n) without their rumble, where it need not be restored in the output."""
    return (clean for clean, _ in split(blocks, sample_rate))


def has_rumble(section: FloatArray, sample_rate: int) -> bool:
    """Whether any channel of a section (C, T) has a DC offset or rumble that counts."""
    samples = section.shape[-1]
    if samples < LEAST_SECONDS * sample_rate:
        return False
    window = _window(samples)
    power = np.square(section * window, dtype=np.float64).sum(-1)  # (C,)
    bins = 1 + int(LOOK_BELOW_HZ * samples / sample_rate)
    low = np.square(np.abs(np.fft.rfft(section * window)[:, :bins])).astype(np.float64)  # (C, bins)
    below = (2 * low.sum(-1) - low[:, 0]) / samples
    white = (2 * bins - 1) / samples
    loud = below > FAINT_POWER * np.square(window, dtype=np.float64).sum()
    return bool(np.any(loud & (below > (SHARE + WHITE_TIMES * white) * power)))


@functools.lru_cache(maxsize=4)
def _window(samples: int) -> FloatArray:
    return np.hanning(samples + 2)[1:-1].astype(np.float32)


def _kernel(sample_rate: int) -> FloatArray:
    """The low pass (2·half + 1,); its sum is one, so that an offset is taken out entirely."""
    half = round(HALF_SECONDS * sample_rate)
    time = np.arange(-half, half + 1)
    ideal = np.sinc(2 * CUTOFF_HZ / sample_rate * time)
    kernel = ideal * np.kaiser(2 * half + 1, KAISER_BETA)
    return np.asarray(kernel / kernel.sum())


def _filtered(
    section: FloatArray, before: FloatArray | None, after: FloatArray | None, kernel: FloatArray
) -> FloatArray:
    """A section (C, T) through the low pass, given the adjoining ends of its neighbours; None at an end."""
    half = len(kernel) // 2
    parts = [part for part in (before, section, after) if part is not None]
    joined = np.concatenate(parts, axis=-1).astype(np.float64)
    missing = (half if before is None else 0, half if after is None else half - after.shape[-1])
    padded = np.pad(joined, ((0, 0), missing), mode="symmetric")
    size = 1 << int(np.ceil(np.log2(padded.shape[-1] + len(kernel))))
    product = np.fft.rfft(padded, size) * np.fft.rfft(kernel, size)
    found = np.fft.irfft(product, size)[:, 2 * half : 2 * half + section.shape[-1]]
    return np.asarray(found, np.float32)
