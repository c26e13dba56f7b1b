"""Leaves speech that is clean as it is: a network that removes noise also removes some of the voice.

In pauses, the removed sound is noise, and its power there is that of the noise under the voice. Where the voice is so
far above it that the network would do more harm than good, the recording passes while somebody speaks; in the pauses
between, the noise is removed as ever. The limits were chosen on dev (docs/enhancement.md).
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from unbraid.dsp.arrays import FloatArray
from unbraid.dsp.mixture_consistency import cell_power, in_context, interpolated

Power = NDArray[np.float64]

CLEAN_DB = (15.0, 30.0)  # of the voice above the noise: from here on some of the recording passes, and all of it
PAUSE_DB = -20.0  # of a pause, below the mean power of the voice around it
FAINT_DB = (-35.0, -25.0)  # of a voice below that: where it ends, and where it is heard
_AROUND, _HELD = 200, 8  # cells on either side: 2 s, and 80 ms after and before a voice
_LEAST_PAUSE = 0.05  # of the cells around: with fewer pauses, nothing is known of the noise


def spared(pairs: Iterator[tuple[FloatArray, FloatArray]], sample_rate: int) -> Iterator[FloatArray]:
    """A stream of (recording (C, n), voice (1, C, n)) -> the voice, and with it its recording where that is clean."""
    cell = max(1, sample_rate // 100)

    def passed(whole: FloatArray, stems: FloatArray) -> FloatArray:
        (voice,) = stems
        rest = whole - voice
        shares = clean_shares(cell_power(voice, cell), cell_power(rest, cell)).astype(np.float32)
        return stems + interpolated(shares, cell)[..., : voice.shape[-1]] * rest

    return in_context(pairs, passed, cell, _AROUND + _HELD + 1)


def clean_shares(voice: Power, noise: Power) -> Power:
    """The share of the recording that passes in each cell, from the power of voice and removed sound (C, N)."""
    level = _around(voice, _AROUND).mean(-1)
    pauses = voice < 10 ** (PAUSE_DB / 10) * level
    count, heard = _around(pauses.astype(np.float64), _AROUND).mean(-1), _around(noise * pauses, _AROUND).mean(-1)
    floor = heard / np.maximum(count, _LEAST_PAUSE)
    clean = np.where(count > _LEAST_PAUSE, _ramp(level, floor, CLEAN_DB), 0.0)
    speaks: Power = _around(_ramp(voice, level, FAINT_DB), _HELD).max(-1)
    return clean * speaks


def _ramp(power: Power, reference: Power, limits_db: tuple[float, float]) -> Power:
    """0 where a power is at the lower limit above the reference or below it, 1 at the upper one and above."""
    decibels = 10 * np.log10(np.maximum(power, 1e-30) / np.maximum(reference, 1e-30))
    low, high = limits_db
    return np.clip((decibels - low) / (high - low), 0.0, 1.0)


def _around(cells: Power, reach: int) -> Power:
    """Each cell (C, N) with so many on either side, the first and the last one repeated: (C, N, 2 · reach + 1)."""
    edged = np.pad(cells, ((0, 0), (reach, reach)), mode="edge")
    return np.lib.stride_tricks.sliding_window_view(edged, 2 * reach + 1, axis=-1)
