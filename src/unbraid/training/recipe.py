"""A recipe: all the values of a training run, as frozen dataclasses, one for each table of its TOML file.

`optimizer`, `schedule` and `trainer` are the same for all; the other tables are those of the task that [model] family
chooses, and fill its fields.
"""

import dataclasses
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_type_hints

from unbraid.errors import UsageError
from unbraid.files.strict import unknown_name
from unbraid.models.band_split.config import BandSplitConfig
from unbraid.models.causal_lstm.config import CausalLSTMConfig
from unbraid.models.conv_tasnet.config import ConvTasNetConfig
from unbraid.models.ecapa.config import EcapaConfig
from unbraid.models.resepformer.config import ResepformerConfig
from unbraid.models.sepformer.config import SepFormerConfig
from unbraid.models.tiger.config import TigerConfig
from unbraid.models.unet.config import UNetConfig
from unbraid.training.recipe_reader import choose, fill, read_tables
from unbraid.training.tables import NonNegative, PartialShare, Positive, Share, Table, Whole
from unbraid.training.tasks.audio_to_audio import AudioModel, AudioToAudio
from unbraid.training.tasks.audio_to_text import AudioToText
from unbraid.training.tasks.listener import AudioTextModel
from unbraid.training.tasks.live import Live
from unbraid.training.tasks.music import Music
from unbraid.training.tasks.speaker_embedding import SpeakerEmbedding
from unbraid.training.tasks.speech import Speech
from unbraid.training.tasks.task import Task
from unbraid.training.tasks.text import Text, TextModel
from unbraid.training.tasks.text_to_spectrogram import SpeakModel, TextToSpectrogram


@dataclass(frozen=True)
class Optimizer(Table):
    """AdamW, which without weight decay is Adam; or Muon for the matrices and AdamW for the rest."""

    rate: NonNegative
    kind: Literal["adamw", "muon"] = "adamw"
    weight_decay: NonNegative = 0.0
    clip: NonNegative = 5.0  # norm of all gradients; 0: no clipping


@dataclass(frozen=True)
class Plateau(Table):
    """The rate is halved when the dev score has not risen for `patience` + 1 epochs, once `hold_epochs` are over."""

    factor: NonNegative = 0.5
    patience: Whole = 2
    hold_epochs: Whole = 85
    warmup_steps: Whole = 0


@dataclass(frozen=True)
class Cosine(Table):
    """The rate falls along half a cosine to `floor` times its value."""

    warmup_steps: Whole = 0
    floor: NonNegative = 0.001


@dataclass(frozen=True)
class Constant(Table):
    """The rate is constant."""

    warmup_steps: Whole = 0


@dataclass(frozen=True)
class TrainerOptions(Table):
    """Length, batch size, devices and the like; the table `trainer`."""

    epochs: Positive
    batch: Positive = 1  # items on each device
    accumulate: Positive = 1  # batches in a step
    parts: Positive = 1  # of an epoch; a checkpoint is written after each
    max_minutes: NonNegative = 0.0  # stop after the step in which they are over, or within dev; 0: never
    precision: Literal["32", "bf16"] = "32"
    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    devices: Positive = 1  # of each node
    nodes: Positive = 1
    compile: bool = False
    ema: PartialShare = 0.0  # decay of the averaged weights, which are scored and exported; 0: no average
    seed: Whole = 0
    hold_norm: Share = 1.0  # share of the run after which batch norms keep their statistics; 0: at all times, 1: never
    init: str = ""  # a best.pt or a model with the initial weights; its sources or stems may differ


@dataclass(frozen=True)
class Trainable:
    """The dataclasses that the recipes of a family of networks fill."""

    sizes: type  # [model]
    task: type  # its fields are the other tables


Schedule = Plateau | Cosine | Constant
FAMILIES = {
    "sepformer": Trainable(SepFormerConfig, Speech),
    "resepformer": Trainable(ResepformerConfig, Speech),
    "conv_tasnet": Trainable(ConvTasNetConfig, Speech),
    "band_split": Trainable(BandSplitConfig, Speech),
    "tiger": Trainable(TigerConfig, Speech),
    "causal_lstm": Trainable(CausalLSTMConfig, Live),
    "unet": Trainable(UNetConfig, Music),
    "text_to_text": Trainable(TextModel, Text),
    "audio_to_text": Trainable(AudioTextModel, AudioToText),
    "audio_to_audio": Trainable(AudioModel, AudioToAudio),
    "text_to_spectrogram": Trainable(SpeakModel, TextToSpectrogram),
    "ecapa": Trainable(EcapaConfig, SpeakerEmbedding),
}
SCHEDULES: dict[str, type[Schedule]] = {"plateau": Plateau, "cosine": Cosine, "constant": Constant}
TABLES = ("name", "model", "data", "optimizer", "schedule", "trainer")  # that every recipe has


@dataclass(frozen=True)
class Recipe:
    """The values of a training run."""

    name: str
    task: Task
    optimizer: Optimizer
    schedule: Schedule
    trainer: TrainerOptions
    description: str = ""

    @property
    def part_steps(self) -> int:
        """Optimiser steps between two checkpoints; the remainder of an epoch is unused."""
        return max(1, self.task.epoch_items // self.trainer.parts // self.step_items)

    @property
    def step_items(self) -> int:
        """Items that one step sees, on all devices."""
        t = self.trainer
        return t.batch * t.accumulate * t.devices * t.nodes

    @property
    def steps(self) -> int:
        """Optimizer steps of the whole run."""
        return self.part_steps * self.trainer.parts * self.trainer.epochs

    def values(self) -> dict[str, Any]:
        """Every value by its dotted name, for a record of the run."""
        tables = dataclasses.asdict(self)
        tables |= tables.pop("task")
        kinds: dict[str, Any] = {
            "model.family": next(
                (name for name, kind in FAMILIES.items() if kind.sizes is type(self.task.model)),
                type(self.task.model).__name__,  # of a task that Python code has put together
            ),
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
    where = f"The recipe {path.name}"
    sections = {name: None for family in FAMILIES.values() for name in _sections(family)}
    known = (*TABLES, *sections, "description")
    if unknown := [key for key in tables if key not in known]:
        raise UsageError(f"{where} {unknown_name(unknown[0], known)}")
    if missing := [name for name in TABLES if name not in tables]:
        raise UsageError(f"{where} lacks {', '.join(missing)}.")
    for key in ("name", "description"):
        if not isinstance(tables.get(key, ""), str):
            raise UsageError(f"{key} must be a text, got {tables[key]!r}.")
    if not re.fullmatch(r"\w[\w.+-]*", tables["name"]):  # folders and models are called like this
        raise UsageError(f"name must be letters, digits, '.', '-' and '_', got {tables['name']!r}.")
    return Recipe(
        name=tables["name"],
        description=tables.get("description", ""),
        task=_read_task(tables, where),
        optimizer=fill(Optimizer, tables["optimizer"], "[optimizer]"),
        schedule=choose(SCHEDULES, tables["schedule"], "kind", "[schedule]"),
        trainer=fill(TrainerOptions, tables["trainer"], "[trainer]"),
    )


def _read_task(tables: dict[str, Any], where: str) -> Task:
    """The task of a recipe's family, of the tables that are its own."""
    sizes: dict[str, type[Any]] = {name: family.sizes for name, family in FAMILIES.items()}
    model = choose(sizes, tables["model"], "family", "[model]")
    name = tables["model"]["family"]
    for section in tables:
        _check_family(name, section, tables[section])
    family = FAMILIES[name]
    values: dict[str, Any] = {
        section: fill(kind, tables[section], f"[{section}]")
        for section, kind in _sections(family).items()
        if section in tables
    }
    try:
        task: Task = family.task(model=model, **values)
    except ValueError as error:
        raise UsageError(f"{where}: {error}") from None
    return task


def _sections(family: Trainable) -> dict[str, type]:
    """The tables of a task and the dataclasses they fill, [model] left out."""
    hints = get_type_hints(family.task)
    return {f.name: hints[f.name] for f in dataclasses.fields(family.task) if f.name != "model"}


def _check_family(name: str, section: str, table: object) -> None:
    """Refuse a table, or a key in one, that only recipes of other families have."""
    known = {other: _sections(family) for other, family in FAMILIES.items()}
    owners = [other for other, sections in known.items() if section in sections]
    if owners and name not in owners:
        raise UsageError(f"[{section}] is for the family {' or '.join(owners)}, not for {name}; take it out.")
    for key in table if isinstance(table, dict) and owners else ():
        keys = {other: [f.name for f in dataclasses.fields(known[other][section])] for other in owners}
        if key not in keys[name] and (theirs := [other for other in owners if key in keys[other]]):
            raise UsageError(
                f"[{section}] {key} is for the family {' or '.join(theirs)}, not for {name}, "
                f"which knows {', '.join(keys[name])}."
            )
