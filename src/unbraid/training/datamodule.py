"""The DataModule: batches of the task's training and dev data, in a reproducible order.

An item is a pure function of (seed, position), and so is the order; the position of training follows from the number of
completed parts and the steps of a part that the time limit has cut off. No other state is needed to resume exactly.
"""

import itertools
from collections.abc import Callable, Iterator, Sized
from functools import cache
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from torch.utils.data import DataLoader, Sampler

from unbraid.training.recipe import Recipe


class Parts(Sampler[int]):
    """The positions of one part after the other, on this rank; Lightning says which part through `set_epoch`."""

    def __init__(
        self, size: int, part: int, *, rank: int, world: int, shuffled: tuple[int, int] | None = None, done: int = 0
    ):
        self._part, self._positions = part, range(rank, size, world)
        self._size, self._shuffled = size, shuffled  # (number of items, seed) of items that come again
        self._begun = part, done  # the part that was cut off, and how many of its positions are done

    def set_epoch(self, part: int) -> None:
        """Choose the part; Lightning calls this before each."""
        self._part = part

    def __iter__(self) -> Iterator[int]:
        start = self._part * self._size
        part, done = self._begun
        positions = (start + position for position in self._positions[done if self._part == part else 0 :])
        return positions if self._shuffled is None else (shuffle(p, *self._shuffled) for p in positions)

    def __len__(self) -> int:
        return len(self._positions)


class Unhurried(Sampler[int]):
    """The positions of dev items, as long as nobody stops the run."""

    def __init__(self, positions: range, stopped: Callable[[], bool]):
        self._positions, self._stopped = positions, stopped

    def __iter__(self) -> Iterator[int]:
        return itertools.takewhile(lambda _: not self._stopped(), self._positions)

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
    """The loaders of a run; `part` is the one that comes next, of which `done` steps are done."""

    def __init__(self, recipe: Recipe):
        super().__init__()
        self.recipe, self.part, self.done = recipe, 0, 0
        together = recipe.trainer.batch * recipe.trainer.devices * recipe.trainer.nodes  # on all devices
        self.train_data = recipe.task.training_data(recipe.trainer.seed, together)
        self.dev_data = recipe.task.dev_data()

    def train_dataloader(self) -> DataLoader[Any]:
        """Batches of the part that comes next, on this rank."""
        recipe, trainer = self.recipe, self.trainer
        assert trainer is not None
        size = recipe.part_steps * recipe.step_items
        again = (len(self.train_data), recipe.trainer.seed) if isinstance(self.train_data, Sized) else None
        done = self.done * recipe.trainer.batch * recipe.trainer.accumulate  # items of this rank
        rank, world = trainer.global_rank, trainer.world_size
        parts = Parts(size, self.part, rank=rank, world=world, shuffled=again, done=done)
        return self._loader(self.train_data, parts, recipe.trainer.batch)

    def val_dataloader(self) -> DataLoader[Any]:
        """The dev items of this rank."""
        trainer = self.trainer
        assert trainer is not None
        assert isinstance(self.dev_data, Sized)
        every = range(trainer.global_rank, len(self.dev_data), trainer.world_size)
        mine = Unhurried(every, lambda: trainer.should_stop)
        return self._loader(self.dev_data, mine, self.recipe.task.dev_batch)

    def state_dict(self) -> dict[str, Any]:
        """The number of the next part and how many of its steps are done, for last.ckpt."""
        assert self.trainer is not None
        part, done = divmod(self.trainer.global_step, self.recipe.part_steps)
        return {"part": part, "done": done}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where an earlier run stopped."""
        self.part, self.done = state["part"], state.get("done", 0)

    def _loader(self, data: Any, sampler: Sampler[int], batch: int) -> DataLoader[Any]:
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
