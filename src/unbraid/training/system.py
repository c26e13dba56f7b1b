"""The LightningModule: a model with its loss, optimiser and schedule. The model itself knows nothing of Lightning."""

import math
from collections.abc import Sized
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau

from unbraid.errors import ModelError
from unbraid.training.optimizer import MuonAndAdamW, parted
from unbraid.training.recipe import Cosine, Plateau, Recipe, Schedule
from unbraid.training.tasks.task import Batch, Task

MOST_SKIPPED = 100  # steps in a row


class System(pl.LightningModule):
    """Steps of training and of scoring.

    A step whose gradients are not finite changes no weight, and nothing that a batch norm has learnt; it is counted in
    `skipped`. All ranks see the same summed gradients, so they skip together.
    """

    def __init__(self, recipe: Recipe):
        super().__init__()
        torch.manual_seed(recipe.trainer.seed)
        self.recipe, self.task = recipe, recipe.task
        self.model = self.task.network()
        if recipe.optimizer.kind == "muon":
            parted(self.model)  # refuses a network that has nothing for it, before anything is written
        if recipe.trainer.compile:
            self.model.compile()
        self.skipped = self.skipped_in_a_row = 0
        self.score, self.scored = math.nan, 0  # on dev, the latest; how many items it is the mean of
        self.part_scores = dict.fromkeys(self.task.parts, math.nan)
        self._gains: dict[str, list[Tensor]] = {}
        self.dev_seen = 0  # batches of dev items
        self._norms = [module for module in self.model.modules() if isinstance(module, _BatchNorm)]
        self._learnt: list[Tensor] = []  # by the norms before the step
        self._plateau: ReduceLROnPlateau | None = None
        self._plateau_state: dict[str, Any] = {}
        self._random: Tensor | None = None  # the state of torch's generator where an earlier run stopped

    def configure_optimizers(self) -> Any:
        """The recipe's optimiser and learning-rate schedule."""
        values, schedule = self.recipe.optimizer, self.recipe.schedule
        optimizer: torch.optim.Optimizer
        if values.kind == "muon":
            optimizer = MuonAndAdamW(self.model, lr=values.rate, weight_decay=values.weight_decay)
        else:
            optimizer = AdamW(self.model.parameters(), lr=values.rate, weight_decay=values.weight_decay)
        if isinstance(schedule, Plateau):
            self._plateau = ReduceLROnPlateau(optimizer, "max", schedule.factor, schedule.patience, threshold=0.0)
            self._plateau.load_state_dict(self._plateau_state)
            return optimizer
        steps = LambdaLR(optimizer, lambda step: rate_factor(schedule, step, self.recipe.steps))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": steps, "interval": "step"}}

    def on_train_start(self) -> None:
        """Apply the recipe's rate: a resumed run has loaded the one it was saved with. So with chance within a part."""
        if self._random is not None:
            torch.set_rng_state(self._random)
        rate, schedule = self.recipe.optimizer.rate, self.recipe.schedule
        for config in self.trainer.lr_scheduler_configs:
            groups = config.scheduler.optimizer.param_groups
            config.scheduler.base_lrs = [rate] * len(groups)
            for group in groups:
                group["initial_lr"] = rate
                group["lr"] = rate * rate_factor(schedule, self.global_step, self.recipe.steps)

    def on_train_epoch_start(self) -> None:
        """Seed torch by the epoch, so that dropout is the same after a resume."""
        torch.manual_seed(self.recipe.trainer.seed + self.current_epoch)  # chance, too, follows from the position

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Hold batch norms from `hold_norm` on, and keep their statistics to undo a skipped step."""
        held = self.global_step >= self.recipe.trainer.hold_norm * self.recipe.steps
        for norm in self._norms:
            norm.train(not held)
        if batch_idx % self.recipe.trainer.accumulate == 0:
            self._learnt = [buffer.clone() for norm in self._norms for buffer in norm.buffers()]

    def training_step(self, batch: Batch, index: int) -> Tensor:
        """The loss of a batch, logged in sum and by part."""
        losses = self.task.losses(self.model, batch)
        loss = torch.stack(list(losses.values())).sum()
        if torch.isfinite(loss):
            size = self.recipe.trainer.batch  # Lightning cannot tell it from every batch
            self.log("train/loss", loss, on_step=True, on_epoch=True, batch_size=size)
            for part in told_apart(self.task):
                self.log(f"train/{part}", losses[part], on_step=True, on_epoch=True, batch_size=size)
        return loss

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Clip gradients, or skip the step if they are not finite."""
        clip = self.recipe.optimizer.clip or math.inf
        norms = [nn.utils.clip_grad_norm_(net.parameters(), clip) for net in self.task.clipped(self.model)]
        norm = torch.linalg.vector_norm(torch.stack(norms))
        if torch.isfinite(norm):
            self.skipped_in_a_row = 0
        else:
            for parameter in self.model.parameters():
                parameter.grad = None  # the optimiser passes over what has no gradient
            for buffer, before in zip((b for n in self._norms for b in n.buffers()), self._learnt, strict=True):
                buffer.copy_(before)
            self.skipped += 1
            self.skipped_in_a_row += 1
        self.log("train/skipped", float(self.skipped))
        self.log("train/gradient_norm", norm)
        if self.skipped_in_a_row == MOST_SKIPPED:
            raise ModelError(
                f"The gradients of {MOST_SKIPPED} steps in a row were not finite; lower optimizer.rate and start anew "
                f"from the last checkpoint or from scratch."
            )

    @property
    def dev_batches(self) -> int:
        """Batches of dev items on this rank."""
        loader = self.trainer.val_dataloaders
        assert isinstance(loader, Sized)
        return len(loader)

    def validation_step(self, batch: Batch, index: int) -> None:
        """Collect the scores of a batch of dev items, until the run is stopped."""
        if self.trainer.should_stop:
            return
        self.dev_seen += 1
        for part, gains in self.task.scores(self.model, batch).items():
            self._gains.setdefault(part, []).append(gains)

    def on_validation_epoch_end(self) -> None:
        """The mean score over all ranks, in all and for each part; none of dev items that were not all scored."""
        none = torch.zeros(0, device=self.device)
        each = [torch.cat(self._gains.get(part, [none])) for part in self.task.parts]
        counted = [torch.stack((gains.sum(), gains.new_tensor(len(gains)))) for gains in each]
        missing = self.dev_batches - self.dev_seen if self.trainer.should_stop else 0  # batches of this rank
        mine = torch.stack([*counted, none.new_tensor([missing, 0])])  # (parts + 1, 2)
        gathered = self.all_gather(mine).view(-1, *mine.shape).sum(0)  # type: ignore[union-attr]
        sums, cut_off = gathered[:-1], bool(gathered[-1, 0] > 0)
        self._gains, self.dev_seen = {}, 0
        total, count = sums.sum(0)
        self.scored = 0 if cut_off else int(count)
        if cut_off:
            return
        self.score = float(total / count)
        self.part_scores = dict(zip(self.task.parts, (sums[:, 0] / sums[:, 1]).tolist(), strict=True))
        place = self.task.score.name.replace("_", "/", 1)
        if self.scored:
            self.log(place, self.score, rank_zero_only=True)
        for part in told_apart(self.task):
            if math.isfinite(self.part_scores[part]):
                self.log(f"{place}_{part}", self.part_scores[part], rank_zero_only=True)
        if self._plateau is not None and self.scored:
            self._halve(self._plateau)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Save the skipped steps, the score and the state of a plateau schedule."""
        plateau = self._plateau.state_dict() if self._plateau is not None else {}
        checkpoint["system"] = {"skipped": self.skipped, "score": self.score, "plateau": plateau}
        checkpoint["system"]["random"] = torch.get_rng_state()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore the skipped steps, the score and the state of a plateau schedule."""
        state = checkpoint["system"]
        self.skipped, self.score, self._plateau_state = state["skipped"], state["score"], state["plateau"]
        self._random = state.get("random")

    def _halve(self, plateau: ReduceLROnPlateau) -> None:
        schedule = self.recipe.schedule
        assert isinstance(schedule, Plateau)
        epoch = (self.current_epoch + 1) // self.recipe.trainer.parts
        if epoch <= schedule.hold_epochs:
            plateau.best = self.score
        else:
            plateau.step(self.score)


def told_apart(task: Task) -> tuple[str, ...]:
    """The parts that have lines of their own in logs."""
    return task.parts if len(task.parts) > 1 else ()


def rate_factor(schedule: Schedule, step: int, steps: int) -> float:
    """The factor of the learning rate at a step of `steps`, without the halvings of a plateau schedule."""
    if isinstance(schedule, Plateau):
        return 1.0
    warm = min(1.0, (step + 1) / max(1, schedule.warmup_steps))
    if not isinstance(schedule, Cosine):
        return warm
    falling = 0.5 + 0.5 * math.cos(math.pi * min(1.0, step / steps))
    return warm * (schedule.floor + (1 - schedule.floor) * falling)
