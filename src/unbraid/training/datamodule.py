"""The DataModule: batches of the task's training and dev data, in a reproducible order.

An item is a pure function of (seed, position), and so is the order; the position of training follows from the number of
completed parts. No other state is needed to resume exactly.
"""

from collections.abc import Iterator, Sized
from functools import cache
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from torch.utils.data import DataLoader, Sampler

from unbraid.training.recipe import Recipe


class Parts(Sampler[int]):
    """The positions of one part after the other, on this rank; Lightning says which part through `set_epoch`."""

    def __init__(self, size: int, part: int, *, rank: int, world: int, shuffled: tuple[int, int] | None = None):
        self._part, self._positions = part, range(rank, size, world)
        self._size, self._shuffled = size, shuffled  # (number of items, seed) of items that come again

    def set_epoch(self, part: int) -> None:
        """Choose the part; Lightning calls this before each."""
        self._part = part

    def __iter__(self) -> Iterator[int]:
        start = self._part * self._size
        positions = (start + position for position in self._positions)
        return positions if self._shuffled is None else (shuffle(p, *self._shuffled) for p in positions)

    def __len__(self) -> int:
        return len(self._positions)


def shuffle(position: int, count: int, seed: int) -> int:
    """Positions stay in their round of `count`, in an order that each round draws anew."""
    turn, place = divmod(position, count)
    return turn * count + int(_order(turn, count, seed)[place])


@cache
def _order(turn: int, count: int, seed: int) -> np.ndarray:
    return np.random.default_rng((seed, turn)).permutation(count)


class Batches(pl.LightningDataModule):
    """The loaders of a run; `part` is the one that comes next."""

    def __init__(self, recipe: Recipe):
        super().__init__()
        self.recipe, self.part = recipe, 0
        together = recipe.trainer.batch * recipe.trainer.devices * recipe.trainer.nodes  # on all devices
        self.train_data = recipe.task.training_data(recipe.trainer.seed, together)
        self.dev_data = recipe.task.dev_data()

    def train_dataloader(self) -> DataLoader[Any]:
        """Batches of the part that comes next, on this rank."""
        recipe, trainer = self.recipe, self.trainer
        assert trainer is not None
        size = recipe.part_steps * recipe.step_items
        again = (len(self.train_data), recipe.trainer.seed) if isinstance(self.train_data, Sized) else None
        parts = Parts(size, self.part, rank=trainer.global_rank, world=trainer.world_size, shuffled=again)
        return self._loader(self.train_data, parts, recipe.trainer.batch)

    def val_dataloader(self) -> DataLoader[Any]:
        """The dev items of this rank."""
        trainer = self.trainer
        assert trainer is not None
        assert isinstance(self.dev_data, Sized)
        mine = range(trainer.global_rank, len(self.dev_data), trainer.world_size)
        return self._loader(self.dev_data, mine, self.recipe.task.dev_batch)

    def state_dict(self) -> dict[str, Any]:
        """The number of the next part, for last.ckpt."""
        assert self.trainer is not None
        return {"part": self.trainer.current_epoch + 1}  # saved when a part is over

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue with the next part of an earlier run."""
        self.part = state["part"]

    def _loader(self, data: Any, sampler: Sampler[int] | range, batch: int) -> DataLoader[Any]:
        workers = self.recipe.task.workers
        return DataLoader(
            data,
            batch,
            sampler=sampler,
            collate_fn=self.recipe.task.collate,
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=torch.cuda.is_available(),
            generator=torch.Generator(),  # the global one is the model's
        )
