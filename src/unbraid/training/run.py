"""A training run: inspect, start or resume, and export."""

import json
import os
import warnings
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import tensorboard  # noqa: F401  Lightning looks for it late, and this says early that it is missing
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.fabric.utilities.rank_zero import rank_zero_only
from lightning.fabric.utilities.warnings import PossibleUserWarning
from lightning.pytorch.callbacks import WeightAveraging
from lightning.pytorch.loggers import TensorBoardLogger
from torch.optim.swa_utils import get_ema_multi_avg_fn

from unbraid.errors import Cancelled, ModelError, RuntimeUnavailable, UsageError
from unbraid.files.atomic import appearing
from unbraid.files.bounded import read_json
from unbraid.files.workdir import is_working_name, sweep, swept
from unbraid.hub.catalogue import catalogue
from unbraid.hub.spec import ModelSpec
from unbraid.training.checkpoints import (
    BEST,
    LAST,
    LOG,
    AtomicCheckpoints,
    Keeper,
    Watch,
    disk_told,
    write_atomically,
)
from unbraid.training.datamodule import Batches
from unbraid.training.export import export_checkpoint
from unbraid.training.recipe import Recipe
from unbraid.training.system import System
from unbraid.training.warm_start import read_first

RECORD = "recipe.json"
# Values that must stay the same when a run is resumed, besides the task's own.
FIXED = ("name", "model.", "optimizer.kind", "schedule.kind", "trainer.parts", "trainer.seed", "trainer.init")


@dataclass(frozen=True)
class Start:
    """The start of a run."""

    step: int  # 0: from the beginning
    changes: tuple[str, ...]  # values that are not those of the earlier half, as sentences


def look(recipe: Recipe, out: Path) -> Start:
    """Check whether a folder holds a run that this recipe can resume.

    Raises:
        UsageError: the folder is another recipe's, or a value changed that may not.
    """
    now = recipe.values()
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file, and a run needs a folder; choose another one with --out.")
    try:
        before = read_json(out / RECORD)
    except FileNotFoundError:
        if out.exists() and not all(is_working_name(path.name) for path in out.iterdir()):
            raise UsageError(f"{out} is not empty and holds no run; choose another folder with --out.") from None
        return Start(0, ())
    except (OSError, ValueError) as error:
        raise UsageError(f"{out / RECORD} cannot be read ({error}); choose another folder with --out.") from None
    if not isinstance(before, dict) or not isinstance(before.get("name"), str):
        raise UsageError(f"{out / RECORD} is not the record of a run; choose another folder with --out.")
    if before["name"] != recipe.name:
        raise UsageError(f"{out} holds a run of {before['name']}, not of {recipe.name}; choose another with --out.")
    if not (out / LAST).is_file():
        return Start(0, ())
    shared = now.keys() & before.keys()  # a run of an older release lacks some
    changed = [key for key in sorted(shared) if now[key] != before[key]]
    switched = {"trainer.ema"} if bool(now["trainer.ema"]) != bool(before["trainer.ema"]) else set()
    for key in changed:
        if key.startswith((*FIXED, *recipe.task.fixed)) or key in switched:
            raise UsageError(
                f"The run in {out} has {key} = {before.get(key)}, and {now.get(key)} cannot take it up; "
                f"set it back, or choose another folder with --out."
            )
    saved = torch.load(out / LAST, map_location="cpu", weights_only=True, mmap=True)
    step = int(saved["global_step"])
    if step > recipe.steps:
        raise UsageError(
            f"The run in {out} is at step {step}, and trainer.epochs = {recipe.trainer.epochs} ends at step "
            f"{recipe.steps}; set it higher, or choose another folder with --out."
        )
    changes = tuple(f"{key} = {now.get(key)} (was {before.get(key)})" for key in changed if key != "description")
    return Start(step, changes)


def train(recipe: Recipe, out: Path, watch: Watch) -> Start:
    """Train to the end of the recipe or of its minutes; an existing run is resumed exactly where it stopped.

    Raises:
        UsageError: see `look`; data or devices that are not there.
        Cancelled: interrupted from the keyboard.
    """
    keeper = Keeper(recipe, out, watch)  # whose clock starts before the data are looked through
    start, batches, system = look(recipe, out), Batches(recipe), System(recipe)
    logger = TensorBoardLogger(out, name="", version="tensorboard", purge_step=start.step or None)
    trainer = make_trainer(recipe, [*averaging(recipe), keeper], logger=logger)
    if not start.step:
        inherit(recipe, system)
    if is_chief():
        for name in (LAST, BEST, LOG, RECORD):
            (out / f".{name}.part").unlink(missing_ok=True)  # an earlier release's
        with disk_told(out):
            out.mkdir(parents=True, exist_ok=True)
            write_atomically(json.dumps(recipe.values(), indent=1).encode(), out / RECORD)
    with swept(out) if is_chief() else nullcontext():
        fit(trainer, system, batches, out / LAST if start.step else None)
    return start


def inherit(recipe: Recipe, system: System) -> None:
    """The first weights, where the recipe takes them from another model.

    Raises:
        ModelError: there is no such model, or it does not fit.
    """
    if first := recipe.trainer.init:
        recipe.task.start(system.model, read_first(first), first)


def make_trainer(recipe: Recipe, callbacks: list[pl.Callback], **options: Any) -> pl.Trainer:
    """Lightning's trainer for a recipe; one of its epochs is one of our parts.

    Raises:
        RuntimeUnavailable: there is no GPU that PyTorch can use.
        UsageError: Lightning refuses the devices.
    """
    values = recipe.trainer
    if values.accelerator == "gpu" and not torch.cuda.is_available():
        raise RuntimeUnavailable("There is no GPU here that PyTorch can use; set trainer.accelerator=cpu.")
    try:
        return pl.Trainer(
            accelerator=values.accelerator,
            devices=values.devices,
            num_nodes=values.nodes,
            strategy="ddp" if values.devices * values.nodes > 1 else "auto",
            precision="bf16-mixed" if values.precision == "bf16" else "32-true",
            max_epochs=values.epochs * values.parts,
            accumulate_grad_batches=values.accumulate,
            check_val_every_n_epoch=values.parts,
            callbacks=callbacks,
            plugins=[AtomicCheckpoints()],
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            **options,
        )
    except MisconfigurationException as error:
        raise UsageError(f"Lightning refuses these devices: {error}") from None


def fit(trainer: pl.Trainer, system: System, batches: Batches, checkpoint: Path | None) -> None:
    """Run the trainer without Lightning's hints about loaders; Ctrl-C raises `Cancelled`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PossibleUserWarning)
        warnings.filterwarnings("ignore", category=FutureWarning, module="lightning")  # of torch, about its own names
        try:
            trainer.fit(system, datamodule=batches, ckpt_path=checkpoint, weights_only=True)
        except SystemExit:
            raise Cancelled("Training was interrupted.") from None


def averaging(recipe: Recipe) -> list[pl.Callback]:
    """The callback that averages the weights, where the recipe asks for it."""
    if not recipe.trainer.ema:
        return []
    return [WeightAveraging(multi_avg_fn=get_ema_multi_avg_fn(recipe.trainer.ema))]  # type: ignore[no-untyped-call]


def is_chief() -> bool:
    """Whether this process has rank zero, and so is the only one that writes and reports."""
    return bool(getattr(rank_zero_only, "rank", 0) == 0)


def export_run(recipe: Recipe, out: Path, folder: Path, *, overwrite: bool = False) -> ModelSpec:
    """Make a model folder of a run's best weights, which takes the place of an earlier one where that is allowed.

    Raises:
        ModelError: there are none yet, or the family cannot be exported.
    """
    check_export(recipe, folder, overwrite=overwrite)
    if not (out / BEST).is_file():
        raise ModelError(f"{out} has no {BEST}: no epoch is over yet, or its dev score was not a number.")
    best = torch.load(out / BEST, map_location="cpu", weights_only=True)
    task, score = recipe.task, recipe.task.score
    found = best.get(score.name)  # none where the time limit came before it
    with appearing(folder, replace=overwrite) as fresh:
        return export_checkpoint(
            out / BEST,
            fresh,
            name=model_name(recipe.name, out.resolve().name, folder.resolve().name),
            provenance=f"trained by the recipe {recipe.name} on {task.source}, step {best['step']} of {recipe.steps}.",
            scores={f"dev {score.measure} ({score.unit})": round(score.value(found), 2)} if found is not None else {},
        )


def model_name(*names: str) -> str:
    """The first of these names that is not that of a model in the package or a published one; else "my-" before it."""
    known = {*catalogue().names(), *catalogue().replaced}
    return next((name for name in names if name not in known), f"my-{names[0]}")


def check_export(recipe: Recipe, folder: Path, *, overwrite: bool = False) -> None:
    """Check before training that the result can be exported.

    Raises:
        UsageError: the family has no model folder, or something is in the place that is not to be replaced.
    """
    recipe.task.check_export()
    sweep(folder.parent)
    if folder.exists() and not overwrite:
        raise UsageError(f"{folder} exists; choose another place for --export, or use --overwrite.")
    if folder.exists() and not (folder / "spec.json").is_file():
        raise UsageError(f"{folder} exists and is no model folder; choose another place for --export.")
    above = next(path for path in folder.absolute().parents if path.exists())
    if not (above.is_dir() and os.access(above, os.W_OK)):
        raise UsageError(f"Nothing can be written to {above}; choose another place for --export.")
