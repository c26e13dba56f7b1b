"""The files of a run in progress: checkpoints, written atomically, the best weights, and a log.

- `last.ckpt`: the complete state after each part, to resume exactly; Lightning's own format
- `best.pt`: {"model": weights, "config": sizes, and the task's record}, for `unbraid export`; the averaged weights if
  there is an average; the latest of equally good ones
- `log.csv`: one line for each part
"""

import contextlib
import csv
import dataclasses
import io
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch.callbacks import Checkpoint

from unbraid.errors import UnbraidError, refused
from unbraid.files.atomic import appearing
from unbraid.models.family import family_of
from unbraid.training.recipe import Recipe
from unbraid.training.system import System, told_apart
from unbraid.training.tasks.task import Task

LAST, BEST, LOG = "last.ckpt", "best.pt", "log.csv"


@dataclass(frozen=True)
class Standing:
    """The progress of a run."""

    step: int
    steps: int
    epoch: float  # completed epochs, with the fraction
    loss: float  # of the last batch
    score: float  # on dev, the latest; nan: none yet
    best: float
    skipped: int  # steps whose gradients were not finite
    part_over: bool = False


Watch = Callable[[Standing], None]


class AtomicCheckpoints(TorchCheckpointIO):
    """Checkpoints are written beside their place and renamed; Lightning's go through the temporary folder's disk."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write a checkpoint atomically; a full disk becomes a sentence."""
        with disk_told(Path(path).parent):
            save_atomically(checkpoint, Path(path))


def save_atomically(saved: dict[str, Any], path: Path) -> None:
    """Write with torch beside the place, through to the disk, then rename."""
    buffer = io.BytesIO()
    torch.save(saved, buffer)
    write_atomically(buffer.getbuffer(), path)


def write_atomically(content: bytes | memoryview, path: Path) -> None:
    """Write beside the place, through to the disk, then rename."""
    with appearing(path) as fresh:
        fresh.write_bytes(content)


@contextlib.contextmanager
def disk_told(out: Path) -> Iterator[None]:
    """Turn disk errors into a sentence.

    Raises:
        UnbraidError: what was there before is there still, and the run can be taken up.
    """
    try:
        yield
    except OSError as error:
        raise UnbraidError(refused(out, error, " with --out")) from error


class Watcher(pl.Callback):
    """Tells a function where the run stands, after each step and each part; on the first rank only."""

    def __init__(self, recipe: Recipe, watch: Watch):
        self.recipe, self.watch = recipe, watch
        self.loss = self.best = math.nan
        self.told = 0  # steps

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Start counting at the step of a resumed run."""
        self.told = trainer.global_step

    def on_train_batch_end(self, trainer: pl.Trainer, module: Any, outputs: Any, batch: Any, index: int) -> None:
        """Report after each step of the optimiser."""
        if trainer.is_global_zero and trainer.global_step != self.told:
            self.loss = float(outputs["loss"]) * trainer.accumulate_grad_batches  # Lightning has divided by it
            self.tell(trainer, module)

    def tell(self, trainer: pl.Trainer, module: System, *, part_over: bool = False) -> None:
        """Pass the current state to the caller's function."""
        self.told, recipe = trainer.global_step, self.recipe
        epoch = self.told / (recipe.part_steps * recipe.trainer.parts)
        self.watch(
            Standing(self.told, recipe.steps, epoch, self.loss, module.score, self.best, module.skipped, part_over)
        )


class Keeper(Checkpoint):
    """Writes the files above when a part is over, and stops the run when its minutes are."""

    def __init__(self, recipe: Recipe, out: Path, watcher: Watcher):
        self.recipe, self.out, self.watcher = recipe, out, watcher
        self.best = -math.inf
        self.minutes = 0.0  # of training, earlier runs included
        self._is_best = False
        self._started = self._counted = time.monotonic()

    def state_dict(self) -> dict[str, Any]:
        """The best score and the minutes so far, for last.ckpt."""
        return {"best": self.best, "minutes": self.minutes}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue with the best score and the minutes of an earlier run."""
        self.best, self.minutes = state["best"], state["minutes"]

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Start the clock, and log.csv at the current step."""
        self._started = self._counted = time.monotonic()
        self.watcher.best = self.best
        if trainer.is_global_zero:
            with disk_told(self.out):
                start_log(self.out / LOG, trainer.global_step, columns(self.recipe.task))

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Log a part, save last.ckpt and, if it scores best, best.pt; stop when time is up."""
        assert isinstance(module, System)
        now = time.monotonic()
        self.minutes, self._counted = self.minutes + (now - self._counted) / 60, now
        scored = (trainer.current_epoch + 1) % self.recipe.trainer.parts == 0
        self._is_best = scored and module.score >= self.best
        if self._is_best:
            self.best = self.watcher.best = module.score
        if trainer.is_global_zero:  # first: a line of a part that will be done again is taken out, a lost one is lost
            with disk_told(self.out):
                append_log(self.out / LOG, self._row(trainer, module, scored))
        trainer.save_checkpoint(self.out / LAST)
        if trainer.is_global_zero:
            self.watcher.tell(trainer, module, part_over=True)
        limit = self.recipe.trainer.max_minutes
        over = bool(limit) and (now - self._started) / 60 >= limit
        trainer.should_stop = trainer.strategy.broadcast(over)

    def on_save_checkpoint(self, trainer: pl.Trainer, module: pl.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Called after the averaging callback, which has put the averaged weights into `state_dict`."""
        if self._is_best and trainer.is_global_zero:
            prefix, recipe = "model.", self.recipe
            tensors = {k.removeprefix(prefix): v.cpu() for k, v in checkpoint["state_dict"].items()}
            geometry = recipe.task.geometry
            best = {"family": family_of(geometry), "model": tensors, "config": dataclasses.asdict(geometry)}
            record = {"recipe": recipe.name, "step": trainer.global_step, recipe.task.score: self.best}
            with disk_told(self.out):
                save_atomically(best | recipe.task.record() | record, self.out / BEST)

    def _row(self, trainer: pl.Trainer, module: System, scored: bool) -> tuple[str, ...]:
        seen = trainer.callback_metrics
        rate = trainer.optimizers[0].param_groups[0]["lr"]
        epoch = (trainer.current_epoch + 1) / self.recipe.trainer.parts
        values = {
            "step": str(trainer.global_step),
            "epoch": f"{epoch:.4g}",
            "train_loss": f"{float(seen.get('train/loss_epoch', math.nan)):.4f}",
            self.recipe.task.score: f"{module.score:.4f}" if scored else "",
            "rate": f"{rate:.4g}",
            "skipped": str(module.skipped),
            "minutes": f"{self.minutes:.2f}",
        }
        for part in told_apart(self.recipe.task):
            values[f"loss_{part}"] = f"{float(seen.get(f'train/{part}_epoch', math.nan)):.4f}"
            found = module.part_scores[part]  # no number where nothing of it was scored
            values[f"dev_{part}"] = f"{found:.4f}" if scored and math.isfinite(found) else ""
        return tuple(values[column] for column in columns(self.recipe.task))


def columns(task: Task) -> tuple[str, ...]:
    """The columns of the log: of parts too, where there is more than one."""
    parts = (f"{what}_{part}" for part in told_apart(task) for what in ("loss", "dev"))
    return ("step", "epoch", "train_loss", task.score, "rate", "skipped", "minutes", *parts)


def start_log(path: Path, step: int, columns: tuple[str, ...]) -> None:
    """Begin the log, or take out the lines of steps that will be done again."""
    lines: list[tuple[str, ...]] = [columns]
    if step and path.is_file():
        with open(path, newline="") as file:
            lines += [tuple(line) for line in list(csv.reader(file))[1:] if line and _step_of(line) <= step]
    text = io.StringIO()
    csv.writer(text).writerows(lines)
    write_atomically(text.getvalue().encode(), path)


def _step_of(line: list[str]) -> float:
    """The step that a line of the log is of; a damaged line is of none."""
    return int(line[0]) if line[0].isdecimal() and len(line[0]) < 20 else math.inf


def append_log(path: Path, line: tuple[str, ...]) -> None:
    """One more line, whole or not at all."""
    text = io.StringIO()
    csv.writer(text).writerow(line)
    write_atomically((path.read_bytes() if path.exists() else b"") + text.getvalue().encode(), path)
