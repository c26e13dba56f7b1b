"""What Lightning trains: a model, its loss, its optimiser and its schedule. The model knows nothing of it."""

import math
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor, nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau

from unbraid import losses
from unbraid.errors import ModelError
from unbraid.geometry import SepFormerGeometry
from unbraid.models.conv_tasnet import ConvTasNet
from unbraid.models.sepformer import SepFormer
from unbraid.train.config import Cosine, Loss, ModelGeometry, Plateau, Recipe, Schedule
from unbraid.train.optimizer import MuonAndAdamW

MOST_SKIPPED = 100  # steps in a row
PER_SOURCE = ("masknet.split.", "outlet.1.")  # of a SepFormer, of a Conv-TasNet: one block of rows for each source

Batch = tuple[Tensor, Tensor]  # mixture (B, T), sources (B, S, T)


class System(pl.LightningModule):
    """Steps of training and of scoring.

    A step whose gradients are not finite changes no weight; it is counted in `skipped`. All ranks see the same summed
    gradients, so they skip together.
    """

    def __init__(self, recipe: Recipe):
        super().__init__()
        torch.manual_seed(recipe.trainer.seed)
        self.recipe = recipe
        self.model = build_model(recipe.model)
        if recipe.trainer.compile:
            self.model.compile()
        self.skipped = self.skipped_in_a_row = 0
        self.score = math.nan  # dev SI-SDR improvement in dB, the latest
        self._gains: list[Tensor] = []
        self._plateau: ReduceLROnPlateau | None = None
        self._plateau_state: dict[str, Any] = {}

    def configure_optimizers(self) -> Any:
        values, schedule = self.recipe.optimizer, self.recipe.schedule
        kind = MuonAndAdamW if values.kind == "muon" else AdamW
        optimizer = kind(self.model.parameters(), lr=values.rate, weight_decay=values.weight_decay)
        if isinstance(schedule, Plateau):
            self._plateau = ReduceLROnPlateau(optimizer, "max", schedule.factor, schedule.patience, threshold=0.0)
            self._plateau.load_state_dict(self._plateau_state)
            return optimizer
        steps = LambdaLR(optimizer, lambda step: rate_factor(schedule, step, self.recipe.steps))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": steps, "interval": "step"}}

    def on_train_epoch_start(self) -> None:
        torch.manual_seed(self.recipe.trainer.seed + self.current_epoch)  # chance, too, follows from the position

    def training_step(self, batch: Batch, index: int) -> Tensor:
        mixture, sources = batch
        loss = loss_of(self.recipe.loss, self.model(mixture), sources, mixture)
        if torch.isfinite(loss):
            self.log("train/loss", loss, on_step=True, on_epoch=True)
        return loss

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        parameters = list(self.model.parameters())
        norm = nn.utils.clip_grad_norm_(parameters, self.recipe.optimizer.clip or math.inf)
        if torch.isfinite(norm):
            self.skipped_in_a_row = 0
        else:
            for parameter in parameters:
                parameter.grad = None  # the optimiser passes over what has no gradient
            self.skipped += 1
            self.skipped_in_a_row += 1
        self.log("train/skipped", float(self.skipped))
        self.log("train/gradient_norm", norm)
        if self.skipped_in_a_row == MOST_SKIPPED:
            raise ModelError(
                f"The gradients of {MOST_SKIPPED} steps in a row were not finite; lower optimizer.rate and start anew "
                f"from the last checkpoint or from scratch."
            )

    def validation_step(self, batch: Batch, index: int) -> None:
        mixture, sources = batch
        estimates = self.model.forward(mixture)  # not the compiled one: each mixture has another length
        self._gains.append(improvement(estimates, sources, mixture))

    def on_validation_epoch_end(self) -> None:
        gains = torch.cat(self._gains) if self._gains else torch.zeros(0, device=self.device)
        mine = torch.stack((gains.sum(), gains.new_tensor(len(gains))))
        total, count = self.all_gather(mine).view(-1, 2).sum(0)  # type: ignore[union-attr]
        self._gains, self.score = [], float(total / count)
        self.log("dev/si_sdri", self.score, rank_zero_only=True)
        if self._plateau is not None:
            self._halve(self._plateau)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        plateau = self._plateau.state_dict() if self._plateau is not None else {}
        checkpoint["system"] = {"skipped": self.skipped, "score": self.score, "plateau": plateau}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        state = checkpoint["system"]
        self.skipped, self.score, self._plateau_state = state["skipped"], state["score"], state["plateau"]

    def _halve(self, plateau: ReduceLROnPlateau) -> None:
        schedule = self.recipe.schedule
        assert isinstance(schedule, Plateau)
        epoch = (self.current_epoch + 1) // self.recipe.trainer.parts
        if epoch <= schedule.hold_epochs:
            plateau.best = self.score
        else:
            plateau.step(self.score)


def build_model(geometry: ModelGeometry) -> SepFormer | ConvTasNet:
    """The network of a geometry."""
    return SepFormer(geometry) if isinstance(geometry, SepFormerGeometry) else ConvTasNet(geometry)


def loss_of(values: Loss, estimates: Tensor, sources: Tensor, mixture: Tensor) -> Tensor:
    """The recipe's loss: (B, S, T) twice and the mixture (B, T) -> ()."""
    with torch.autocast(estimates.device.type, enabled=False):
        estimates = estimates.float()
        if values.kind == "active_snr":
            each = losses.pit_active_snr(estimates, sources, mixture, most_db=-values.threshold_db)
        else:
            each = (losses.pit_si_sdr if values.kind == "si_sdr" else losses.pit_snr)(estimates, sources)
        loss = losses.above_threshold(each, values.threshold_db)
        if values.stft_weight:
            order = losses.best_order(losses.pairwise(losses.si_sdr, estimates, sources))
            spectral = losses.multi_resolution_stft(estimates, losses.in_order_of(sources, order))
            loss = loss + values.stft_weight * spectral.mean()
        return loss


def improvement(estimates: Tensor, sources: Tensor, mixture: Tensor) -> Tensor:
    """SI-SDR improvement in dB, mean over the sources in their best order: (B, S, T) twice, (B, T) -> (B,)."""
    before = losses.si_sdr(mixture[:, None].expand_as(sources), sources).mean(-1)
    return -losses.pit_si_sdr(estimates, sources) - before


def rate_factor(schedule: Schedule, step: int, steps: int) -> float:
    """What the learning rate is multiplied by at a step of `steps`; a plateau's halvings are not in it."""
    if isinstance(schedule, Plateau):
        return 1.0
    warm = min(1.0, (step + 1) / max(1, schedule.warmup_steps))
    if not isinstance(schedule, Cosine):
        return warm
    falling = 0.5 + 0.5 * math.cos(math.pi * min(1.0, step / steps))
    return warm * (schedule.floor + (1 - schedule.floor) * falling)


def start_from(model: nn.Module, tensors: dict[str, Tensor], path: str) -> None:
    """Take over the weights of another model; what belongs to sources that it lacks stays as it is.

    A layer with one block of rows for each source gets the blocks that are there.

    Raises:
        ModelError: the other model is of other sizes.
    """
    own = model.state_dict()
    if own.keys() != tensors.keys():
        name = sorted(own.keys() ^ tensors.keys())[0]
        raise ModelError(f"trainer.init: {path} is of another kind of model ({name} is in one of them only).")
    for name, tensor in tensors.items():
        mine = own[name]
        if mine.shape[1:] != tensor.shape[1:] or (len(mine) != len(tensor) and not name.startswith(PER_SOURCE)):
            sizes = f"{tuple(tensor.shape)}, not {tuple(mine.shape)}"
            raise ModelError(f"trainer.init: {path} is of other sizes ({name} is {sizes}).")
        rows = min(len(mine), len(tensor))
        mine[:rows] = tensor[:rows]
    model.load_state_dict(own)
