"""What left and right differ by, for a network that also sees that: it tells spread sources from those of one place."""

import numpy as np

from unbraid.dsp import ComplexArray, FloatArray

SILENT = 1e-4  # power of a channel, relative to the other one's
TURNED = 1e-2  # power of left plus right, relative to that of left minus right


def with_side(band: ComplexArray) -> FloatArray:
    """Magnitudes (B, 3, N, F) of left, right and left minus right, of spectra (B, 2, N, F) as they were mixed.

    A channel that is silent through the segment is taken for the other one's double, and one of turned polarity as if
    it were turned back: in neither case does the difference tell where anything comes from.
    """
    magnitude = np.abs(np.concatenate((band, band[:, :1] - band[:, 1:]), axis=1))
    for item, spectra in zip(magnitude, band, strict=True):
        power, together = np.square(item).sum((1, 2)), np.abs(spectra.sum(0))
        if power[:2].min() < SILENT * power[:2].max():
            item[:2], item[2] = item[power[:2].argmax()].copy(), 0
        elif np.square(together).sum() < TURNED * power[2]:
            item[2] = together
    return magnitude
