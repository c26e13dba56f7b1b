"""What differs between kinds of models, and nothing else does: the seam between training and what is trained.

Everything else here (system, batches, keeper, rehearsal, run) knows a Task and no family. A task is a frozen dataclass
of those tables of a recipe that are its own, `model` and `data` first; its methods say what becomes of them. A new
kind of model is one such file and a line in config.FAMILIES.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol

from torch import Tensor, nn
from torch.utils.data import Dataset

Batch = Any  # what the task's datasets hold, one axis more in front


class Task(Protocol):
    """A network, what it learns from, and how it is judged."""

    item: ClassVar[str]  # what dev consists of, one of them
    dev_batch: ClassVar[int]  # so many of them are run together; 1 where each may be of another length
    fixed: ClassVar[tuple[str, ...]]  # values that may not change between two halves of a run, by how they begin

    @property
    def score(self) -> str:
        """The column of log.csv and the key of best.pt: the mean of dev's gains; higher is better."""
        ...

    @property
    def measure(self) -> str:
        """Its name in sentences."""
        ...

    @property
    def unit(self) -> str:
        """Its unit."""
        ...

    @property
    def model(self) -> Any:
        """The table [model] of the recipe, a dataclass."""
        ...

    @property
    def geometry(self) -> Any:
        """The sizes of the network, a dataclass; best.pt's "config".

        Raises:
            UsageError: they follow from the data, which are not there.
        """
        ...

    @property
    def parts(self) -> tuple[str, ...]:
        """What losses and gains are told apart by; where it is more than one, each is logged too."""
        ...

    @property
    def epoch_items(self) -> int:
        """How many items of the training data make an epoch."""
        ...

    @property
    def workers(self) -> int:
        """Processes that read and mix; 0: the training process itself."""
        ...

    @property
    def source(self) -> str:
        """What is trained on, in a word or two, for the model's card."""
        ...

    def network(self) -> nn.Module:
        """The network, its weights drawn from torch's generator."""
        ...

    def training_data(self, seed: int, together: int) -> Dataset[Any]:
        """What is trained on, an item for every position; data with a length come again, shuffled.

        So many are run together, which matters where items of like length should be.

        Raises:
            UsageError: it is not there.
        """
        ...

    def dev_data(self) -> Dataset[Any]:
        """What chooses: it has a length.

        Raises:
            UsageError: it is not there.
        """
        ...

    def collate(self, items: list[Any]) -> Batch:
        """Items side by side."""
        ...

    def losses(self, model: nn.Module, batch: Batch) -> Mapping[str, Tensor]:
        """What is made small, for each part; their sum is."""
        ...

    def scores(self, model: nn.Module, batch: Batch) -> Mapping[str, Tensor]:
        """What the score is the mean of: for each part a value (n,) for each of whatever is counted in these dev items,
        with whatever the network is run with; not of a part that they lack.
        """
        ...

    def clipped(self, model: nn.Module) -> Sequence[nn.Module]:
        """The networks whose gradients are clipped, each by its own norm."""
        ...

    def start(self, model: nn.Module, saved: Mapping[str, Any], path: str) -> None:
        """Take over the weights of another model; `saved` is what best.pt holds.

        Raises:
            ModelError: the other model is of another kind or of other sizes.
        """
        ...

    def record(self) -> dict[str, Any]:
        """What best.pt holds besides weights and sizes."""
        ...

    def describe(self, batch: Batch) -> dict[str, str]:
        """What a dry run says of a batch, and of what the network makes of it."""
        ...

    def check_export(self) -> None:
        """Refuse before training what could not be exported after it.

        Raises:
            UsageError: this kind of network has no model folder.
        """
        ...
