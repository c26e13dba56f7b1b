"""A small network over cells of 10 ms, in NumPy: dilated convolutions with PReLUs, and a score of each cell.

`training/high_band.py` trains such networks and writes their weights: `K.weight` (K, D, H), `K.bias` and `K.slope`
(H,) of each layer, and `output.weight` (H,).
"""

import numpy as np

from unbraid.dsp.arrays import FloatArray

CENTRE = 2.0  # added to the features
DILATIONS = (1, 2, 4)
TAPS = 5
REACH = TAPS // 2 * sum(DILATIONS)  # cells on either side


def cell_scores(features: FloatArray, weights: dict[str, FloatArray]) -> FloatArray:
    """Features (…, N, D) of cells -> scores (…, N)."""
    hidden: FloatArray = features + np.float32(CENTRE)
    for number, dilation in enumerate(DILATIONS):
        kernel, bias, slope = (weights[f"{number}.{name}"] for name in ("weight", "bias", "slope"))
        hidden = _convolved(hidden, kernel, dilation) + bias
        hidden = np.where(hidden > 0, hidden, slope * hidden).astype(np.float32, copy=False)
    scores: FloatArray = hidden @ weights["output.weight"]
    return scores


def _convolved(cells: FloatArray, kernel: FloatArray, dilation: int) -> FloatArray:
    """Cells (…, N, D) convolved over N with a kernel (K, D, H), silence around them: (…, N, H)."""
    count, reach = cells.shape[-2], dilation * (len(kernel) // 2)
    padded = np.pad(cells, [(0, 0)] * (cells.ndim - 2) + [(reach, reach), (0, 0)])
    out: FloatArray = sum(padded[..., k * dilation : k * dilation + count, :] @ tap for k, tap in enumerate(kernel))
    return out
