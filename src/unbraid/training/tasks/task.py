"""The interface between training and the kinds of models: everything that differs between them is in a Task.

The rest of training (system, datamodule, checkpoints, dry run, run) knows a Task and no family. A task is a frozen
dataclass of its own tables of a recipe, `model` and `data` first. A new kind of model is one such file and a line in
recipe.FAMILIES.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

from torch import Tensor, nn
from torch.utils.data import Dataset, default_collate

from unbraid.training.warm_start import voices_taken

Batch = Any  # a task's own tuple of tensors
Items = Dataset[Any] | Sequence[Any]  # by position


@dataclass(frozen=True)
class Score:
    """The score that a task is judged by; higher is better.

    An accuracy in % is 100 minus an error rate, and so below zero where a text has more insertions than the answer has
    symbols. People are shown the error rate.
    """

    name: str  # a column of log.csv and a key of best.pt
    measure: str  # its name in messages
    unit: Literal["dB", "%"]
    is_accuracy: bool = False  # `measure` names the error rate

    def value(self, score: float) -> float:
        """The value of the measure."""
        return 100 - score if self.is_accuracy else score

    def shown(self, score: float) -> str:
        """The value and its unit, for people."""
        return f"{self.value(score):.2f} {self.unit}"


class Task(Protocol):
    """A network, its data, its loss and its score. Tasks inherit from it what most of them have in common."""

    item: ClassVar[str]  # the name of a dev item, in messages
    dev_batch: ClassVar[int]  # dev items in a batch; 1 where their lengths differ
    epoch: ClassVar[str]  # the key of [data] that states the training items in an epoch
    fixed: ClassVar[tuple[str, ...]]  # prefixes of values that may not change when a run is resumed
    per_source: ClassVar[Mapping[str, int]] = {}  # see `warm_start.voices_taken`

    model: Any  # the table [model] of the recipe, a dataclass
    data: Any  # the table [data]

    @property
    def score(self) -> Score:
        """The dev score."""

    @property
    def geometry(self) -> Any:
        """The sizes of the network, a dataclass; stored in best.pt.

        Raises:
            UsageError: the sizes follow from the data, and these are missing.
        """
        return self.model

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts of the loss and the score, such as stems; if there are several, each is logged."""

    @property
    def epoch_items(self) -> int:
        """Training items in an epoch."""
        items: int = getattr(self.data, self.epoch)
        return items

    @property
    def workers(self) -> int:
        """Processes that prepare batches; 0: the training process itself."""
        workers: int = self.data.workers
        return workers

    @property
    def source(self) -> str:
        """The training data in a few words, for the model card: the name of the data folder, and its split."""
        return f"{Path(self.data.folder).name} ({self.data.train})"

    def network(self) -> nn.Module:
        """A new network, initialised from torch's random generator."""

    def training_data(self, seed: int, together: int) -> Items:
        """The training items by position; if there is a last one, they are shuffled and repeated.

        `together` items form a batch, for datasets that group items of similar length.

        Raises:
            UsageError: the data are missing.
        """

    def dev_data(self) -> Items:
        """The dev items, a dataset with a length.

        Raises:
            UsageError: the data are missing.
        """

    def collate(self, items: list[Any]) -> Batch:
        """A batch of items, by default of one size."""
        return default_collate(items)

    def losses(self, model: nn.Module, batch: Batch) -> Mapping[str, Tensor]:
        """The loss of each part; training minimises their sum."""

    def scores(self, model: nn.Module, batch: Batch) -> Mapping[str, Tensor]:
        """The scores (n,) of the dev items in a batch for each part, without parts that the items lack.

        The dev score is the mean over all of them. The network runs as it does in use, greedily where it decodes.
        """

    def clipped(self, model: nn.Module) -> Sequence[nn.Module]:
        """The networks for gradient clipping, each by its own norm; by default the whole."""
        return (model,)

    def start(self, model: nn.Module, saved: Mapping[str, Any], path: str) -> None:
        """Start from the weights of another model; `saved` is the content of its best.pt.

        Raises:
            ModelError: the other model has another architecture or other sizes.
        """
        model.load_state_dict(voices_taken(model.state_dict(), saved["model"], self.per_source, path))

    def exported(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The weights for best.pt; a task leaves out those that only its loss needs."""
        return dict(tensors)

    def record(self) -> dict[str, Any]:
        """The entries of best.pt besides weights and sizes: sample rate, stems, vocabularies, …"""

    def describe(self, batch: Batch) -> dict[str, str]:
        """A batch and the network's view of it in words, for a dry run."""

    def check_export(self) -> None:
        """Check before training that the result can be exported.

        Raises:
            UsageError: this kind of network has no model folder.
        """
