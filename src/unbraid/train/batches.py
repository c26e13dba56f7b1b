"""From the recipe's folder to batches: which mixtures are trained on, in which order, and which ones choose.

An item is a pure function of (seed, position), and so is the order; training is at a position that follows from how
many parts are done. Nothing else has to be remembered to go on exactly.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from torch.utils.data import DataLoader, Sampler

from unbraid.corpora import Clip, Wanted, find_mixtures, find_noises, find_speakers
from unbraid.data import DynamicMixtures, FixedMixtures, Positions
from unbraid.errors import UsageError
from unbraid.train.config import Recipe


class Parts(Sampler[int]):
    """The positions of one part after the other, on this rank; Lightning says which part through `set_epoch`."""

    def __init__(self, size: int, part: int, *, rank: int, world: int, shuffled: tuple[int, int] | None = None):
        self._size, self._part, self._rank, self._world = size, part, rank, world
        self._shuffled = shuffled  # (number of mixtures, seed) of mixtures that come again

    def set_epoch(self, part: int) -> None:
        self._part = part

    def __iter__(self) -> Iterator[int]:
        start = self._part * self._size
        positions = Positions(start, start + self._size, rank=self._rank, world=self._world)
        return iter(positions) if self._shuffled is None else (shuffle(p, *self._shuffled) for p in positions)

    def __len__(self) -> int:
        return self._size // self._world


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
        folder = Path(recipe.data.folder)
        if not folder.is_dir():
            raise UsageError(f"The data folder {folder} is not there; say where it is with data.folder=PATH.")
        self.train_data = _training_data(recipe, folder)
        mixtures = find_mixtures(folder, recipe.data.dev, wanted(recipe))
        if not mixtures:
            raise UsageError(f"{folder} has no dev mixtures: nothing is in its split {recipe.data.dev}.")
        self.dev_data = FixedMixtures(mixtures[: recipe.data.dev_mixtures or None], sample_rate=recipe.data.sample_rate)

    def train_dataloader(self) -> DataLoader[Any]:
        recipe, trainer = self.recipe, self.trainer
        assert trainer is not None
        size = recipe.part_steps * recipe.step_mixtures
        again = (len(self.train_data), recipe.trainer.seed) if isinstance(self.train_data, FixedMixtures) else None
        parts = Parts(size, self.part, rank=trainer.global_rank, world=trainer.world_size, shuffled=again)
        return self._loader(self.train_data, parts, recipe.trainer.batch)

    def val_dataloader(self) -> DataLoader[Any]:
        trainer = self.trainer
        assert trainer is not None
        mine = Positions(0, len(self.dev_data), rank=trainer.global_rank, world=trainer.world_size)
        return self._loader(self.dev_data, mine, 1)

    def state_dict(self) -> dict[str, Any]:
        assert self.trainer is not None
        return {"part": self.trainer.current_epoch + 1}  # saved when a part is over

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.part = state["part"]

    def _loader(self, data: Any, sampler: Sampler[int], batch: int) -> DataLoader[Any]:
        workers = self.recipe.data.workers
        return DataLoader(
            data,
            batch,
            sampler=sampler,
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=torch.cuda.is_available(),
            generator=torch.Generator(),  # the global one is the model's
        )


def wanted(recipe: Recipe) -> Wanted:
    """What the recipe looks for in its folder."""
    data = recipe.data
    return Wanted(data.layout, recipe.model.sources, data.sample_rate, data.condition, data.mode)


def _training_data(recipe: Recipe, folder: Path) -> DynamicMixtures | FixedMixtures:
    data, seed = recipe.data, recipe.trainer.seed
    if not data.dynamic:
        mixtures = find_mixtures(folder, data.train, wanted(recipe))
        if not mixtures:
            raise UsageError(
                f"{folder} has no mixtures in its split {data.train}; set data.train, or data.dynamic=true."
            )
        crop = recipe.mixing.crop_seconds
        return FixedMixtures(mixtures, sample_rate=data.sample_rate, crop_seconds=crop, seed=seed)
    speakers = find_speakers(folder, data.train, wanted(recipe))
    names = list(speakers)
    kept = np.unique(np.arange(0, len(names), 1 / data.speakers).astype(int))
    return DynamicMixtures(
        {names[i]: speakers[names[i]] for i in kept},
        recipe.mixing,
        sources=recipe.model.sources,
        sample_rate=data.sample_rate,
        seed=seed,
        noises=_noises(recipe, folder),
    )


def _noises(recipe: Recipe, folder: Path) -> Sequence[Clip]:
    if recipe.mixing.noise_probability == 0:
        return ()
    place = Path(recipe.data.noise) if recipe.data.noise else folder
    if not place.is_dir():
        raise UsageError(f"The noise folder {place} is not there; say where it is with data.noise=PATH.")
    layout = recipe.data.layout if place == folder else "auto"
    split = recipe.data.train if place == folder else "train"
    return find_noises(place, split, dataclasses.replace(wanted(recipe), layout=layout))
