"""The files of a run in progress: checkpoints, written atomically, the best weights, and a log.

- `last.ckpt`: the complete state after each part and where the time limit stopped, to resume exactly; Lightning's
  own format
- `best.pt`: {"model": weights, "config": sizes, and the task's record}, for `unbraid export`; the averaged weights if
  there is an average; the latest of equally good ones, and the latest of all as long as none has a score
- `log.csv`: one line for each part
"""

import contextlib
import csv
import dataclasses
import io
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
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
    best: float  # -inf: none yet
    skipped: int  # steps whose gradients were not finite
    part_over: bool = False  # or the run is stopped
    dev_batches: tuple[int, int] | None = None  # while dev is scored: the number done, and of all
    is_unscored: bool = False  # dev was gone through, and nothing in it has a score


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


def described(recipe: Recipe, tensors: dict[str, torch.Tensor]) -> dict[str, Any]:
    """Weights as best.pt holds them, with all that `unbraid export` needs to know of them."""
    task = recipe.task
    sizes = {"family": family_of(task.geometry), "config": dataclasses.asdict(task.geometry)}
    return sizes | {"model": task.exported(tensors), "recipe": recipe.name} | task.record()


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


class Keeper(Checkpoint):
    """Tells a function where the run stands, on the first rank; writes the files above when a part is over.

    When the run's minutes are over it is stopped: after the current step, or within the scoring of dev, whose part then
    has no score. So the files above are always there, after one step or more.
    """

    def __init__(self, recipe: Recipe, out: Path, watch: Watch):
        self.recipe, self.out, self.watch = recipe, out, watch
        self.loss, self.told = math.nan, 0  # of the last step; steps that were told
        self.best = -math.inf
        self.minutes = 0.0  # of training, earlier runs included
        self._is_best = False
        self._log: list[Sequence[str]] = []  # its lines
        self._started = self._counted = time.monotonic()

    def state_dict(self) -> dict[str, Any]:
        """The best score and the minutes so far, for last.ckpt."""
        return {"best": self.best, "minutes": self.minutes}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue with the best score and the minutes of an earlier run."""
        self.best, self.minutes = state["best"], state["minutes"]

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Count the minutes from now on, and start log.csv at the current step."""
        self._counted = time.monotonic()
        self.told = trainer.global_step
        if trainer.is_global_zero:
            with disk_told(self.out):
                self._log = [columns(self.recipe.task), *read_log(self.out / LOG, trainer.global_step)]
                write_log(self.out / LOG, self._log)

    def on_train_batch_end(self, trainer: pl.Trainer, module: Any, outputs: Any, batch: Any, index: int) -> None:
        """Report after each step of the optimiser, and stop within a part when time is up."""
        if trainer.global_step == self.told:
            return
        self.told = trainer.global_step
        self.loss = float(outputs["loss"]) * trainer.accumulate_grad_batches  # Lightning has divided by it
        self.tell(trainer, module)
        if self.told % self.recipe.part_steps and self._stops(trainer):
            self._count_minutes()
            self._is_best = self.best == -math.inf
            trainer.save_checkpoint(self.out / LAST)
            trainer.should_stop = True
            self.tell(trainer, module, part_over=True)

    def on_validation_batch_end(self, trainer: pl.Trainer, module: Any, *_: Any) -> None:
        """Report the items of dev that are done, and leave out the rest when time is up."""
        if not trainer.should_stop:
            self.tell(trainer, module, dev_batches=(module.dev_seen, module.dev_batches))
            trainer.should_stop = self._is_late()  # of this rank alone; they agree when the part is over

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Log a part, save last.ckpt and, if it scores best, best.pt; stop when time is up."""
        assert isinstance(module, System)
        if trainer.global_step % self.recipe.part_steps:
            return  # stopped within the part, which has saved all
        self._count_minutes()
        gone_through = (trainer.current_epoch + 1) % self.recipe.trainer.parts == 0
        stops = self._stops(trainer)
        scored = gone_through and module.scored > 0
        self._is_best = scored and module.score >= self.best
        if self._is_best:
            self.best = module.score
        elif self.best == -math.inf and not scored:
            self._is_best = gone_through or stops
        if trainer.is_global_zero:  # first: a line of a part that will be done again is taken out, a lost one is lost
            self._log.append(self._row(trainer, module, scored))
            with disk_told(self.out):
                write_log(self.out / LOG, self._log)
        trainer.save_checkpoint(self.out / LAST)
        if trainer.is_global_zero:
            unscored = gone_through and not scored and not trainer.should_stop
            self.tell(trainer, module, part_over=True, is_unscored=unscored)
        trainer.should_stop = stops

    def on_save_checkpoint(self, trainer: pl.Trainer, module: pl.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Called after the averaging callback, which has put the averaged weights into `state_dict`."""
        if self._is_best and trainer.is_global_zero:
            tensors = {k.removeprefix("model."): v.cpu() for k, v in checkpoint["state_dict"].items()}
            record: dict[str, Any] = {"step": trainer.global_step}
            if math.isfinite(self.best):
                record[self.recipe.task.score.name] = self.best
            with disk_told(self.out):
                save_atomically(described(self.recipe, tensors) | record, self.out / BEST)

    def tell(self, trainer: pl.Trainer, module: System, **more: Any) -> None:
        """Pass the current state to the caller's function, on the first rank; `more` are fields of `Standing`."""
        if not trainer.is_global_zero:
            return
        step, recipe = trainer.global_step, self.recipe
        epoch = step / (recipe.part_steps * recipe.trainer.parts)
        now = Standing(step, recipe.steps, epoch, self.loss, module.score, self.best, module.skipped)
        self.watch(dataclasses.replace(now, **more))

    def _is_late(self) -> bool:
        """Whether this rank's minutes are over."""
        limit = self.recipe.trainer.max_minutes
        return bool(limit) and (time.monotonic() - self._started) / 60 >= limit

    def _stops(self, trainer: pl.Trainer) -> bool:
        """Whether the first rank's minutes are over: the same on all ranks."""
        return bool(self.recipe.trainer.max_minutes) and bool(trainer.strategy.broadcast(self._is_late()))

    def _count_minutes(self) -> None:
        now = time.monotonic()
        self.minutes, self._counted = self.minutes + (now - self._counted) / 60, now

    def _row(self, trainer: pl.Trainer, module: System, scored: bool) -> list[str]:
        """The line of a part, in the order of `columns`."""
        seen = trainer.callback_metrics
        rate = trainer.optimizers[0].param_groups[0]["lr"]
        epoch = (trainer.current_epoch + 1) / self.recipe.trainer.parts
        row = [str(trainer.global_step), f"{epoch:.4g}", f"{float(seen.get('train/loss_epoch', math.nan)):.4f}"]
        row += [f"{module.score:.4f}" if scored else "", f"{rate:.4g}", str(module.skipped), f"{self.minutes:.2f}"]
        for part in told_apart(self.recipe.task):
            found = module.part_scores[part]  # no number where nothing of it was scored
            row.append(f"{float(seen.get(f'train/{part}_epoch', math.nan)):.4f}")
            row.append(f"{found:.4f}" if scored and math.isfinite(found) else "")
        return row


def columns(task: Task) -> tuple[str, ...]:
    """The columns of the log: of parts too, where there is more than one."""
    parts = (f"{what}_{part}" for part in told_apart(task) for what in ("loss", "dev"))
    return ("step", "epoch", "train_loss", task.score.name, "rate", "skipped", "minutes", *parts)


def read_log(path: Path, step: int) -> list[list[str]]:
    """The lines of a log up to a step, without its head; those after it will be done again."""
    if not path.is_file():
        return []
    with open(path, newline="") as file:
        return [line for line in list(csv.reader(file))[1:] if line and _step_of(line) <= step]


def write_log(path: Path, lines: Iterable[Iterable[str]]) -> None:
    """The whole log, atomically."""
    text = io.StringIO()
    csv.writer(text).writerows(lines)
    write_atomically(text.getvalue().encode(), path)


def _step_of(line: list[str]) -> float:
    """The step that a line of the log is of; a damaged line is of none."""
    return int(line[0]) if line[0].isdecimal() and len(line[0]) < 20 else math.inf
