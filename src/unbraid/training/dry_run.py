"""A dry run: everything is built, two steps and one dev item are run, and nothing is written."""

import dataclasses
import time
from dataclasses import dataclass
from typing import Any

import lightning.pytorch as pl
import torch

from unbraid.files.peak_memory import peak_memory
from unbraid.training.datamodule import Batches
from unbraid.training.recipe import Recipe
from unbraid.training.run import averaging, fit, inherit, make_trainer
from unbraid.training.system import System
from unbraid.training.tasks.task import Task

STEPS = 2


@dataclass(frozen=True)
class Rehearsal:
    """The result of a dry run."""

    device: str
    parameters: int
    rows: dict[str, str]  # the description of a batch
    losses: tuple[float, ...]
    score: float  # of the first dev item
    memory_bytes: int  # at most, by now
    epoch_seconds: float  # training alone, going by the second step


class Stopwatch(pl.Callback):
    """Keep the times and losses of steps, and the description of a batch."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.times: list[float] = []
        self.losses: list[float] = []
        self.rows: dict[str, str] = {}

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Take the time before the first step."""
        self.times.append(time.monotonic())

    def on_train_batch_end(self, trainer: pl.Trainer, module: Any, outputs: Any, batch: Any, index: int) -> None:
        """Take the time and the loss after each step of the optimiser."""
        self.rows = self.task.describe(batch)
        if (index + 1) % trainer.accumulate_grad_batches == 0:
            self.losses.append(float(outputs["loss"]) * trainer.accumulate_grad_batches)
            self.times.append(time.monotonic())


def rehearse(recipe: Recipe) -> Rehearsal:
    """Two steps of a recipe on its data and its devices.

    Raises:
        UsageError: data or devices that are not there.
    """
    once = dataclasses.replace(recipe, trainer=dataclasses.replace(recipe.trainer, epochs=1, parts=1))
    batches, system, stopwatch = Batches(once), System(once), Stopwatch(recipe.task)
    inherit(recipe, system)
    trainer = make_trainer(
        once,
        [*averaging(recipe), stopwatch],
        logger=False,
        enable_checkpointing=False,
        limit_train_batches=STEPS * recipe.trainer.accumulate,
        limit_val_batches=1,
    )
    fit(trainer, system, batches, None)
    return Rehearsal(
        device=str(system.device),
        parameters=sum(p.numel() for p in system.model.parameters()),
        rows=stopwatch.rows,
        losses=tuple(stopwatch.losses),
        score=system.score,
        memory_bytes=memory_used(),
        epoch_seconds=(stopwatch.times[-1] - stopwatch.times[-2]) * recipe.part_steps * recipe.trainer.parts,
    )


def memory_used() -> int:
    """Bytes: of the GPU where there is one, else of this process; 0 where the system does not tell."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    return peak_memory() or 0
