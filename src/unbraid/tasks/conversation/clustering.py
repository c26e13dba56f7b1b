"""Clusters embeddings into people: agglomerative, by average linkage, with soft constraints.

The likeness of two items is the cosine of their embeddings, less a penalty where they are heard at the same time, since
two voices at once are two people, unless they are very much alike: then one person is spread over two outputs. The
likeness of two clusters is the mean over all pairs of their items, weighted by their lengths. The two most alike
clusters are merged until none are more alike than a threshold. Clusters with little speech are not counted: among them
are voices that were separated badly. If too many are left that count, merging goes on; two of them are not merged if
too few would be left.

An item costs memory with every other one. So a long recording is first clustered in parts of `MOST_ITEMS` items in
order of time, each down to its share of `MOST_ITEMS` clusters, which are far more than there are people; then these.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unbraid.dsp.arrays import FloatArray

MOST_ITEMS = 1000  # clustered at once: 4 MB
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Limits:
    """When merging ends."""

    alike: float  # clusters that are less alike are not merged
    fewest: int = 1  # clusters that count
    most: int = MOST_ITEMS
    least_weight: float = 0.0  # of a cluster that counts


def cluster(
    embeddings: FloatArray,
    weights: FloatArray,
    penalties: dict[tuple[int, int], float],
    limits: Limits,
) -> Labels:
    """The cluster (P,) of each item, from 0, of embeddings (P, D) with weights (P,), in order of time.

    `penalties` holds pairs of items (i < j) that are heard at the same time.
    """
    items = len(embeddings)
    if items <= MOST_ITEMS:
        return _merged(embeddings, weights, penalties, limits)
    parts = -(-items // MOST_ITEMS)
    groups, first = np.zeros(items, np.int64), 0
    for part in np.array_split(np.arange(items), parts):
        low, high = int(part[0]), int(part[-1]) + 1
        inside = {(i - low, j - low): p for (i, j), p in penalties.items() if low <= i and j < high}
        few = Limits(np.inf, most=MOST_ITEMS // parts)
        groups[part] = first + _merged(embeddings[part], weights[part], inside, few)
        first = int(groups[part].max()) + 1
    means = _weighted_means(embeddings, weights, groups)
    totals = np.bincount(groups, weights).astype(np.float32)
    between: dict[tuple[int, int], float] = {}
    for (i, j), penalty in penalties.items():
        a, b = sorted((int(groups[i]), int(groups[j])))
        if a != b:
            share_of_pairs = float(weights[i] * weights[j] / (totals[a] * totals[b]))
            between[a, b] = between.get((a, b), 0.0) + penalty * share_of_pairs
    return _merged(means, totals, between, limits)[groups]


def _weighted_means(embeddings: FloatArray, weights: FloatArray, groups: Labels) -> FloatArray:
    """The mean embedding (G, D) of each group; their products are the mean products of their items."""
    sums = np.zeros((int(groups.max()) + 1, embeddings.shape[1]), np.float32)
    np.add.at(sums, groups, embeddings * weights[:, None])
    return np.asarray(sums / np.bincount(groups, weights)[:, None], np.float32)


def _merged(
    embeddings: FloatArray,
    weights: FloatArray,
    penalties: dict[tuple[int, int], float],
    limits: Limits,
) -> Labels:
    """The cluster (P,) of each item; the clusters are numbered by their first items."""
    count = len(embeddings)
    alike = (embeddings @ embeddings.T).astype(np.float32)  # (P, P)
    for (i, j), penalty in penalties.items():
        alike[i, j] -= penalty
        alike[j, i] -= penalty
    np.fill_diagonal(alike, -np.inf)
    weights, labels = weights.astype(np.float32), np.arange(count)
    nearest = alike.argmax(1) if count else labels
    closeness = alike.max(1, initial=-np.inf)
    for _ in range(count - 1):
        i = int(closeness.argmax())
        j = int(nearest[i])
        counted = int((weights >= limits.least_weight).sum())
        if closeness[i] == -np.inf or (counted <= limits.most and closeness[i] < limits.alike):
            break
        if counted <= limits.fewest and min(weights[i], weights[j]) >= limits.least_weight:
            alike[i, j] = alike[j, i] = -np.inf
            nearest[[i, j]], closeness[[i, j]] = alike[[i, j]].argmax(1), alike[[i, j]].max(1)
            continue
        row = (weights[i] * alike[i] + weights[j] * alike[j]) / (weights[i] + weights[j])
        row[[i, j]] = -np.inf
        alike[i], alike[:, i] = row, row
        alike[j], alike[:, j] = -np.inf, -np.inf
        weights[i], weights[j] = weights[i] + weights[j], -1  # j is gone
        labels[labels == j] = i
        closeness[j] = -np.inf
        closer = row > closeness
        nearest[closer], closeness[closer] = i, row[closer]
        changed = np.flatnonzero(((nearest == i) | (nearest == j)) & ~closer & (weights > 0))
        changed = np.append(changed, i)
        nearest[changed], closeness[changed] = alike[changed].argmax(1), alike[changed].max(1)
    return np.unique(labels, return_inverse=True)[1].astype(np.int64)
