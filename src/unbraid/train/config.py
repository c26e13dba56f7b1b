"""A recipe: all the values of a training run, as frozen dataclasses, one for each table of its TOML file."""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from unbraid.data.mixing import Mixing
from unbraid.errors import UsageError
from unbraid.geometry import ConvTasNetGeometry, SepFormerGeometry
from unbraid.train.reader import check_name, choose, fill, read_tables


@dataclass(frozen=True)
class Data:
    """What is trained and chosen on."""

    folder: str
    layout: str = "auto"
    train: str = "train"  # splits
    dev: str = "dev"
    sample_rate: int = 8000
    condition: str = "clean"
    mode: str = "min"
    dynamic: bool = True  # mixtures are drawn anew, never twice the same; else those of the folder
    speakers: float = 1.0  # share of the training speakers to use, spread evenly over the list
    epoch_mixtures: int = 20000
    dev_mixtures: int = 0  # the first so many; 0: all
    workers: int = 0  # processes that read and mix; 0: the training process itself
    noise: str = ""  # folder of noises for dynamic mixing; empty: the data folder's own

    def __post_init__(self) -> None:
        _check_least(self, 1, "sample_rate", "epoch_mixtures")
        _check_least(self, 0, "dev_mixtures", "workers")
        if not 0 < self.speakers <= 1:
            raise ValueError(f"speakers must be above 0 and at most 1, got {self.speakers}.")


@dataclass(frozen=True)
class Loss:
    """What is made small; always under the best order of the voices."""

    kind: Literal["si_sdr", "snr", "active_snr"] = "si_sdr"  # active_snr knows silent voices
    threshold_db: float = -30.0  # mixtures that are separated better than this are left alone
    stft_weight: float = 0.0  # of a multi-resolution STFT loss that is added


@dataclass(frozen=True)
class Optimizer:
    """AdamW, which without weight decay is Adam; or Muon for the matrices and AdamW for the rest."""

    rate: float
    kind: Literal["adamw", "muon"] = "adamw"
    weight_decay: float = 0.0
    clip: float = 5.0  # norm of all gradients; 0: no clipping

    def __post_init__(self) -> None:
        _check_least(self, 0, "rate", "weight_decay", "clip")


@dataclass(frozen=True)
class Plateau:
    """The rate is halved when the dev score has not risen for `patience` + 1 epochs, once `hold_epochs` are over."""

    factor: float = 0.5
    patience: int = 2
    hold_epochs: int = 85
    warmup_steps: int = 0


@dataclass(frozen=True)
class Cosine:
    """The rate goes down half a cosine, to `floor` times itself at the end."""

    warmup_steps: int = 0
    floor: float = 0.001


@dataclass(frozen=True)
class Constant:
    """The rate stays."""

    warmup_steps: int = 0


@dataclass(frozen=True)
class Running:
    """How long, how many at a time and on what; the table `trainer`."""

    epochs: int
    batch: int = 1  # mixtures on each device
    accumulate: int = 1  # batches in a step
    parts: int = 1  # of an epoch; a checkpoint is written after each
    max_minutes: float = 0.0  # stop after the part in which so many are over; 0: never
    precision: Literal["32", "bf16"] = "32"
    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    devices: int = 1  # of each node
    nodes: int = 1
    compile: bool = False
    ema: float = 0.0  # decay of the averaged weights, which are the ones scored and exported; 0: no average
    seed: int = 0
    init: str = ""  # a best.pt or a model folder whose weights are the first ones; its number of sources may differ

    def __post_init__(self) -> None:
        _check_least(self, 1, "epochs", "batch", "accumulate", "parts", "devices", "nodes")
        _check_least(self, 0, "max_minutes", "seed", "ema")
        if self.ema >= 1:
            raise ValueError(f"ema must be below 1, got {self.ema}.")


Schedule = Plateau | Cosine | Constant
ModelGeometry = SepFormerGeometry | ConvTasNetGeometry
FAMILIES: dict[str, type[ModelGeometry]] = {"sepformer": SepFormerGeometry, "conv_tasnet": ConvTasNetGeometry}
SCHEDULES: dict[str, type[Schedule]] = {"plateau": Plateau, "cosine": Cosine, "constant": Constant}


@dataclass(frozen=True)
class Recipe:
    """All of it."""

    name: str
    model: ModelGeometry
    data: Data
    optimizer: Optimizer
    schedule: Schedule
    trainer: Running
    mixing: Mixing = field(default_factory=Mixing)
    loss: Loss = field(default_factory=Loss)
    description: str = ""

    @property
    def part_steps(self) -> int:
        """Optimizer steps between two checkpoints; what an epoch has over goes unused."""
        return max(1, self.data.epoch_mixtures // self.trainer.parts // self.step_mixtures)

    @property
    def step_mixtures(self) -> int:
        """Mixtures that one step sees, on all devices."""
        t = self.trainer
        return t.batch * t.accumulate * t.devices * t.nodes

    @property
    def steps(self) -> int:
        """Optimizer steps of the whole run."""
        return self.part_steps * self.trainer.parts * self.trainer.epochs

    def values(self) -> dict[str, Any]:
        """Every value by its dotted name, for a record of the run."""
        tables = dataclasses.asdict(self)
        kinds: dict[str, Any] = {
            "model.family": next(name for name, kind in FAMILIES.items() if kind is type(self.model)),
            "schedule.kind": next(name for name, kind in SCHEDULES.items() if kind is type(self.schedule)),
        }
        for section, table in tables.items():
            if isinstance(table, dict):
                kinds |= {f"{section}.{k}": list(v) if isinstance(v, tuple) else v for k, v in table.items()}
        return {"name": self.name, "description": self.description} | dict(sorted(kinds.items()))


def read_recipe(path: Path, overrides: Iterable[str] = ()) -> Recipe:
    """Read a recipe, `section.key=value` words applied.

    Raises:
        UsageError: no such file, or a value that does not fit: what is wrong, where, and the nearest right name.
    """
    tables = read_tables(path, overrides)
    names = [part.name for part in dataclasses.fields(Recipe)]
    for key in tables:
        check_name(key, names, f"The recipe {path.name}")
    if missing := [
        name for name in ("name", "model", "data", "optimizer", "schedule", "trainer") if name not in tables
    ]:
        raise UsageError(f"The recipe {path.name} lacks {', '.join(missing)}.")
    for key in ("name", "description"):
        if not isinstance(tables.get(key, ""), str):
            raise UsageError(f"{key} must be a text, got {tables[key]!r}.")
    return Recipe(
        name=tables["name"],
        description=tables.get("description", ""),
        model=choose(FAMILIES, tables["model"], "family", "[model]"),
        data=fill(Data, tables["data"], "[data]"),
        mixing=fill(Mixing, tables.get("mixing", {}), "[mixing]"),
        loss=fill(Loss, tables.get("loss", {}), "[loss]"),
        optimizer=fill(Optimizer, tables["optimizer"], "[optimizer]"),
        schedule=choose(SCHEDULES, tables["schedule"], "kind", "[schedule]"),
        trainer=fill(Running, tables["trainer"], "[trainer]"),
    )


def _check_least(values: object, least: int, *names: str) -> None:
    for name in names:
        if not getattr(values, name) >= least:
            raise ValueError(f"{name} must be at least {least}, got {getattr(values, name)}.")
