"""Length bucketing: batches of items of similar length, with little padding.

In each round over the data all items are permuted, sorted by size and cut into batches, which are shuffled. The item at
a position is a function of (seed, position) alone.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch.utils.data import Dataset


class Bunches:
    """The order of items in bunches of similar size, without end; a batch, if `bunch` is its size."""

    def __init__(self, sizes: np.ndarray, *, bunch: int, seed: int):
        self._sizes, self._seed = sizes, seed  # (items,)
        self.bunch = min(bunch, len(sizes))
        self._round, self._order = -1, np.empty(0, np.int64)

    def __getitem__(self, position: int) -> int:
        turn, place = divmod(position, self.round_items)
        if turn != self._round:  # kept while it lasts
            self._round, self._order = turn, self._order_of(turn)
        return int(self._order[place])

    @property
    def round_items(self) -> int:
        """Items in a round, without an incomplete last batch."""
        return len(self._sizes) // self.bunch * self.bunch

    def _order_of(self, turn: int) -> np.ndarray:
        random = np.random.default_rng((self._seed, turn))
        chosen = random.permutation(len(self._sizes))[: self.round_items]
        chosen = chosen[np.argsort(self._sizes[chosen], kind="stable")]
        bunches: np.ndarray = random.permutation(chosen.reshape(-1, self.bunch))  # (bunches, bunch)
        return bunches.ravel()


class Bunched(Dataset[Any]):
    """The items of a dataset in bunches of similar size, without end; a batch, if `bunch` is its size."""

    def __init__(self, items: Dataset[Any] | Sequence[Any], sizes: np.ndarray, *, bunch: int, seed: int):
        self._items, self._order = items, Bunches(sizes, bunch=bunch, seed=seed)

    def __getitem__(self, position: int) -> Any:
        return self._items[self._order[position]]

    @property
    def round_items(self) -> int:
        """Items in a round, without an incomplete last batch."""
        return self._order.round_items
