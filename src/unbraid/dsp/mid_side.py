"""Left minus right as a further input of a network: it distinguishes diffuse sources from those at one point."""

import numpy as np

from unbraid.dsp.arrays import ComplexArray, FloatArray

SILENT = 1e-4  # power of a channel, relative to the other one's
TURNED = 1e-2  # power of left plus right, relative to that of left minus right


def as_mixed(band: ComplexArray) -> ComplexArray:
    """Spectra (B, 2, N, F) as the input of a network with a side; the same array where nothing has to be corrected.

    A channel that is silent throughout the segment is replaced by the other one, and one of opposite polarity is
    inverted: in neither case does the difference say anything about the direction of a source.
    """
    shown = band
    for i, (left, right) in enumerate(band):
        powers = [np.vdot(channel, channel).real for channel in (left, right)]
        total, twice = sum(powers), 2 * np.vdot(left, right).real
        is_silent, is_turned = min(powers) < SILENT * max(powers), total + twice < TURNED * (total - twice)
        if is_silent or is_turned:
            shown = band.copy() if shown is band else shown
            shown[i] = band[i, int(np.argmax(powers))] if is_silent else np.stack((left, -right))
    return shown


def with_side(spectra: ComplexArray) -> FloatArray:
    """Magnitudes (B, 3, N, F) of left, right and left minus right, of spectra (B, 2, N, F)."""
    return np.abs(np.concatenate((spectra, spectra[:, :1] - spectra[:, 1:]), axis=1))
