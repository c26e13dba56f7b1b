"""The distance of two spectrograms of different pace, by dynamic time warping.

The distance along the best path that advances in either or both (Sakoe & Chiba, IEEE TASSP 26(1), 1978):

    D[i, j] = d(i, j) + min(D[i-1, j-1], D[i-1, j], D[i, j-1]),   d(i, j) = mean over bands of |a_i - b_j|

All elements of an antidiagonal, i + j = k, follow at once from the two antidiagonals before it.
"""

import numpy as np

from unbraid.dsp.arrays import FloatArray


def warped_distance(one: FloatArray, two: FloatArray) -> float:
    """The mean of d along the best path between spectrograms (N, F) and (M, F), neither of them empty."""
    apart = np.abs(one[:, None] - two[None]).mean(-1)  # (N, M)
    costs, counts = np.full((len(one) + 1, len(two) + 1), np.inf), np.zeros((len(one) + 1, len(two) + 1), int)
    costs[0, 0] = 0.0
    for k in range(len(one) + len(two) - 1):
        i = np.arange(max(0, k + 1 - len(two)), min(len(one), k + 1))
        j = k - i
        before = np.stack((costs[i, j], costs[i, j + 1], costs[i + 1, j]))  # (3, …), both axes one further than `apart`
        lengths = np.stack((counts[i, j], counts[i, j + 1], counts[i + 1, j]))
        best = before.argmin(0)[None]
        costs[i + 1, j + 1] = np.take_along_axis(before, best, 0)[0] + apart[i, j]
        counts[i + 1, j + 1] = np.take_along_axis(lengths, best, 0)[0] + 1
    return float(costs[-1, -1] / counts[-1, -1])
