"""A dry run: everything is built, two steps and one dev mixture are run, and nothing is written."""

import dataclasses
import time
from dataclasses import dataclass
from typing import Any

import lightning.pytorch as pl
import torch

from unbraid.evaluation.run import peak_memory_bytes
from unbraid.geometry import SepFormerGeometry
from unbraid.models.sepformer import chunk
from unbraid.train.batches import Batches
from unbraid.train.config import ModelGeometry, Recipe
from unbraid.train.run import averaging, fit, make_trainer
from unbraid.train.system import System

STEPS = 2


@dataclass(frozen=True)
class Rehearsal:
    """What a run would be like."""

    device: str
    parameters: int
    batch: tuple[int, ...]  # of mixtures (B, T)
    frames: int  # of the encoder, for a crop
    chunks: tuple[int, int] | None  # number of them, frames in each; a SepFormer's
    losses: tuple[float, ...]
    score: float  # of the first dev mixture
    memory_bytes: int  # at most, by now
    epoch_seconds: float  # training alone, going by the second step


class Stopwatch(pl.Callback):
    """Times steps, keeps their losses and the shape of a batch."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.losses: list[float] = []
        self.batch: tuple[int, ...] = ()

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.times.append(time.monotonic())

    def on_train_batch_end(self, trainer: pl.Trainer, module: Any, outputs: Any, batch: Any, index: int) -> None:
        self.batch = tuple(batch[0].shape)
        if (index + 1) % trainer.accumulate_grad_batches == 0:
            self.losses.append(float(outputs["loss"]) * trainer.accumulate_grad_batches)
            self.times.append(time.monotonic())


def rehearse(recipe: Recipe) -> Rehearsal:
    """Two steps of a recipe on its data and its devices.

    Raises:
        UsageError: data or devices that are not there.
    """
    once = dataclasses.replace(recipe, trainer=dataclasses.replace(recipe.trainer, epochs=1, parts=1))
    batches, system, stopwatch = Batches(once), System(once), Stopwatch()
    trainer = make_trainer(
        once,
        [*averaging(recipe), stopwatch],
        logger=False,
        enable_checkpointing=False,
        limit_train_batches=STEPS * recipe.trainer.accumulate,
        limit_val_batches=1,
    )
    fit(trainer, system, batches, None)
    frames, chunks = shapes(recipe.model, stopwatch.batch[1])
    return Rehearsal(
        device=str(system.device),
        parameters=sum(p.numel() for p in system.model.parameters()),
        batch=stopwatch.batch,
        frames=frames,
        chunks=chunks,
        losses=tuple(stopwatch.losses),
        score=system.score,
        memory_bytes=peak_memory(),
        epoch_seconds=(stopwatch.times[-1] - stopwatch.times[-2]) * recipe.part_steps * recipe.trainer.parts,
    )


def shapes(geometry: ModelGeometry, samples: int) -> tuple[int, tuple[int, int] | None]:
    """Frames that the encoder makes of so many samples, and the chunks they are cut into."""
    stride = geometry.stride_samples if isinstance(geometry, SepFormerGeometry) else geometry.kernel_samples // 2
    frames = (samples - geometry.kernel_samples) // stride + 1
    if not isinstance(geometry, SepFormerGeometry):
        return frames, None
    return frames, (chunk(torch.empty(1, frames, 1), geometry.chunk_frames).shape[1], geometry.chunk_frames)


def peak_memory() -> int:
    """Bytes: of the GPU where there is one, else of this process; 0 where the system does not tell."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    return peak_memory_bytes() or 0
