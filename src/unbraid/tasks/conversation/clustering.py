"""Clusters embeddings into people: agglomerative, by average linkage, with soft constraints.

The likeness of two items is the cosine of their embeddings, less a penalty where they are heard at the same time, since
two voices at once are two people, unless they are very much alike: then one person is spread over two outputs. The
likeness of two clusters is the mean over all pairs of their items, weighted by their lengths. The two most alike
clusters are merged until none are more alike than a threshold, or as few are left as there may be.

An item costs memory with every other one. So a long recording is first clustered in parts of `MOST_ITEMS` items in
order of time, each down to its share of `MOST_ITEMS` clusters, which are far more than there are people; then these.
"""

import numpy as np
from numpy.typing import NDArray

from unbraid.dsp.arrays import FloatArray

MOST_ITEMS = 1500  # clustered at once: 9 MB, and 1 s
Labels = NDArray[np.int64]


def cluster(
    embeddings: FloatArray,
    weights: FloatArray,
    penalties: dict[tuple[int, int], float],
    threshold: float,
    bounds: tuple[int, int],
) -> Labels:
    """The cluster (P,) of each item, from 0, of embeddings (P, D) with weights (P,), in order of time.

    `penalties` holds pairs of items (i < j) that are heard at the same time. `bounds` are the fewest and most clusters;
    there are never more than items.
    """
    items = len(embeddings)
    if items <= MOST_ITEMS:
        return _merged(embeddings, weights, penalties, threshold, bounds)
    parts = -(-items // MOST_ITEMS)
    groups, first = np.zeros(items, np.int64), 0
    for part in np.array_split(np.arange(items), parts):
        low, high = int(part[0]), int(part[-1]) + 1
        inside = {(i - low, j - low): p for (i, j), p in penalties.items() if low <= i and j < high}
        share = MOST_ITEMS // parts
        groups[part] = first + _merged(embeddings[part], weights[part], inside, np.inf, (1, share))
        first = int(groups[part].max()) + 1
    means = _weighted_means(embeddings, weights, groups)
    totals = np.bincount(groups, weights).astype(np.float32)
    between: dict[tuple[int, int], float] = {}
    for (i, j), penalty in penalties.items():
        a, b = sorted((int(groups[i]), int(groups[j])))
        if a != b:
            share_of_pairs = float(weights[i] * weights[j] / (totals[a] * totals[b]))
            between[a, b] = between.get((a, b), 0.0) + penalty * share_of_pairs
    return _merged(means, totals, between, threshold, bounds)[groups]


def _weighted_means(embeddings: FloatArray, weights: FloatArray, groups: Labels) -> FloatArray:
    """The mean embedding (G, D) of each group; their products are the mean products of their items."""
    sums = np.zeros((int(groups.max()) + 1, embeddings.shape[1]), np.float32)
    np.add.at(sums, groups, embeddings * weights[:, None])
    return sums / np.bincount(groups, weights)[:, None].astype(np.float32)


def _merged(
    embeddings: FloatArray,
    weights: FloatArray,
    penalties: dict[tuple[int, int], float],
    threshold: float,
    bounds: tuple[int, int],
) -> Labels:
    """The cluster (P,) of each item; the clusters are numbered by their first items."""
    count, (fewest, most) = len(embeddings), bounds
    alike = (embeddings @ embeddings.T).astype(np.float32)  # (P, P)
    for (i, j), penalty in penalties.items():
        alike[i, j] -= penalty
        alike[j, i] -= penalty
    np.fill_diagonal(alike, -np.inf)
    weights, labels = weights.astype(np.float32), np.arange(count)
    nearest = alike.argmax(1) if count else labels
    closeness = alike.max(1, initial=-np.inf)
    for left in range(count, max(1, fewest), -1):
        i = int(closeness.argmax())
        j = int(nearest[i])
        if left <= most and closeness[i] < threshold:
            break
        row = (weights[i] * alike[i] + weights[j] * alike[j]) / (weights[i] + weights[j])
        row[[i, j]] = -np.inf
        alike[i], alike[:, i] = row, row
        alike[j], alike[:, j] = -np.inf, -np.inf
        weights[i] += weights[j]
        labels[labels == j] = i
        closeness[j] = -np.inf
        for k in np.flatnonzero((nearest == i) | (nearest == j) | (row > closeness)):
            nearest[k], closeness[k] = alike[k].argmax(), alike[k].max()
        nearest[i], closeness[i] = row.argmax(), row.max()
    return np.unique(labels, return_inverse=True)[1].astype(np.int64)
