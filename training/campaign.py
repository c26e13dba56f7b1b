"""Train the default speech model a while longer, on any machine, from where the last machine left it.

    python training/campaign.py --data speech8k --noise noise8k --minutes 600            # train on, then record it
    python training/campaign.py --data speech8k --noise noise8k --minutes 0              # record what a killed run has

The committed folder `training/campaigns/speech/` is enough to go on anywhere: `checkpoint.pt` (averaged weights in
float16), `curve.csv` (a line for each stretch of training) and `stages.toml` (values of the recipe that change with the
step). The run itself lies under `runs/campaign/` and is resumed exactly where it stopped, after a kill as well. Where
there is none, or the committed checkpoint is ahead of it, a new run starts from the checkpoint with a new optimiser.

The training is that of `recipes/speech.toml` and of `unbraid train`. Further words change the recipe, such as
`trainer.accelerator=gpu trainer.batch=16`.
"""

import argparse
import contextlib
import csv
import dataclasses
import datetime
import fcntl
import io
import json
import math
import os
import sys
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from unbraid.corpora.fixed import listed
from unbraid.training import Recipe, Standing, read_recipe, train
from unbraid.training.checkpoints import LAST, described, save_atomically, write_atomically
from unbraid.training.data import FixedMixtures
from unbraid.training.tasks.speech import Speech

ROOT = Path(__file__).parents[1]
COMMITTED = ROOT / "training" / "campaigns" / "speech"
RUNS = ROOT / "runs" / "campaign"
RECIPE = ROOT / "recipes" / "speech.toml"
LOG = ROOT / "docs" / "training-log.md"
CHECKPOINT, CURVE, STAGES, CPU = "checkpoint.pt", "curve.csv", "stages.toml", "cpu_seconds.json"
LONG, LONG_SCORED = "dev_long_mix2.csv", 20  # mixtures of 10 to 16 s, and how many of them are scored
COLUMNS = ("date", "step", "cpu_hours", "stage", "train_loss", "dev_2_voices", "dev_3_voices", "below_1_db", "dev_long")
LOG_HEAD = (
    "| date | steps | CPU hours | stage | training loss "
    "| dev, 2 voices | dev, 3 voices | 2 voices below 1 dB | 10 to 16 s |"
)


@dataclass(frozen=True)
class Place:
    """Where everything is; tests put it elsewhere."""

    committed: Path = COMMITTED
    runs: Path = RUNS
    recipe: Path = RECIPE
    log: Path = LOG


@dataclass(frozen=True)
class Run:
    """A run of one machine: it began when the campaign had so many steps, which is its seed as well."""

    folder: Path
    base: int
    first: str  # the model it began with, the recipe's trainer.init

    @property
    def step(self) -> int:
        """Steps of the campaign at its last checkpoint."""
        if not (self.folder / LAST).is_file():
            return self.base
        return self.base + int(load(self.folder / LAST)["global_step"])


def load(path: Path) -> Any:
    return torch.load(path, map_location="cpu", weights_only=True, mmap=True)


def find_run(place: Place) -> Run:
    """The run that is furthest, or a new one where the committed checkpoint is ahead of all."""
    checkpoint = place.committed / CHECKPOINT
    committed = int(load(checkpoint)["step"]) if checkpoint.is_file() else 0
    runs = []
    for record in sorted(place.runs.glob("from-*/recipe.json")):
        values = json.loads(record.read_text(encoding="utf-8"))
        runs.append(Run(record.parent, values["trainer.seed"], values["trainer.init"]))
    best = max(runs, key=lambda run: run.step, default=None)
    if best is not None and best.step >= committed:
        return best
    return Run(place.runs / f"from-{committed:08d}", committed, str(checkpoint) if committed else "")


def stage_of(place: Place, step: int) -> tuple[str, list[str]]:
    """The name of the stage that a step belongs to, and the values of the recipe that it changes."""
    stages = tomllib.loads((place.committed / STAGES).read_text(encoding="utf-8"))["stage"]
    stage = next((stage for stage in stages if step < stage.get("until_step", step + 1)), stages[-1])
    return stage["name"], stage["changes"]


def recipe_of(place: Place, run: Run, minutes: float, words: list[str]) -> tuple[str, Recipe]:
    """The stage's name and its recipe."""
    name, changes = stage_of(place, run.step)
    own = [f"trainer.seed={run.base}", f"trainer.max_minutes={minutes}"]
    own += [f"trainer.init={run.first}"] if run.first else []
    return name, read_recipe(place.recipe, [*changes, *words, *own])


def train_on(place: Place, run: Run, minutes: float, words: list[str]) -> None:
    """Train for the minutes, in the stage that the campaign has reached, and keep count of CPU seconds."""
    name, recipe = recipe_of(place, run, minutes, words)
    started, before = time.process_time(), cpu_seconds(run)
    print(f"stage {name!r}, from step {run.step}", flush=True)

    def watch(now: Standing) -> None:
        if now.part_over:
            used = before + time.process_time() - started
            write_atomically(json.dumps(used).encode(), run.folder / CPU)
            dev = "not scored yet" if math.isnan(now.score) else f"{now.score:.2f} dB"
            print(f"step {run.base + now.step}: loss {now.loss:.2f}, dev {dev}", flush=True)

    train(recipe, run.folder, watch)


def cpu_seconds(run: Run) -> float:
    """CPU seconds of the campaign until now, dev scores included."""
    if (run.folder / CPU).is_file():
        return float(json.loads((run.folder / CPU).read_text()))
    return float(load(Path(run.first))["cpu_seconds"]) if run.first else 0.0


@contextlib.contextmanager
def alone(runs: Path) -> Iterator[None]:
    """Only one process trains: a second one is refused."""
    runs.mkdir(parents=True, exist_ok=True)
    with open(runs / "lock", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit(f"A campaign trains in {runs} already; stop it first, or record what it has with --minutes 0.")
        yield


def precision_word(words: list[str]) -> list[str]:
    """float32 instead of bfloat16 where this processor only emulates it, which takes ten times as long.

    Products tell: those that have AVX-512 BF16 or AMX are faster in bfloat16. A GPU always is.
    """
    on_gpu = torch.cuda.is_available() and "trainer.accelerator=cpu" not in words
    if on_gpu or any(word.startswith("trainer.precision=") for word in words):
        return []
    seconds = {}
    for dtype in (torch.float32, torch.bfloat16):
        matrix = torch.ones(512, 512, dtype=dtype)
        matrix @ matrix  # the first one is slower
        started = time.perf_counter()
        for _ in range(5):
            matrix @ matrix
        seconds[dtype] = time.perf_counter() - started
    return [] if seconds[torch.bfloat16] < seconds[torch.float32] else ["trainer.precision=32"]


def record(place: Place, run: Run, words: list[str]) -> None:
    """Write the averaged weights, a line of the curve with dev scores, and a row of the log."""
    checkpoint = place.committed / CHECKPOINT
    recorded = int(load(checkpoint)["step"]) if checkpoint.is_file() else 0
    if run.step <= recorded:
        print(f"Nothing to record: the checkpoint has step {recorded}, and the run no later one.")
        return
    name, recipe = recipe_of(place, run, 0, words)
    task, step, seconds = recipe.task, run.step, cpu_seconds(run)
    assert isinstance(task, Speech)
    weights = averaged(run)
    model = task.network().eval()
    model.load_state_dict(weights)
    scores = (*dev_scores(task, model), long_score(task, model, place.committed / LONG))
    saved = described(recipe, {key: value.half() for key, value in weights.items()})
    save_atomically(saved | {"step": step, "cpu_seconds": seconds}, checkpoint)
    today = datetime.date.today().isoformat()
    values = (today, step, f"{seconds / 3600:.2f}", name, f"{last_loss(run):.2f}", *scores)
    append_line(place.committed / CURVE, values)
    append_row(place.log, values)
    print(", ".join(f"{column} {value}" for column, value in zip(COLUMNS, values, strict=True)))


def averaged(run: Run) -> dict[str, torch.Tensor]:
    """The run's averaged weights, by the names of the network's own."""
    state = load(run.folder / LAST)["state_dict"]
    return {key.removeprefix("model."): value.float() for key, value in state.items()}


def dev_scores(task: Speech, model: nn.Module) -> tuple[str, str, str]:
    """Mean SI-SDRi of dev mixtures of two and of three voices, and the share of the former below 1 dB."""
    two, three = (
        gains(
            task, model, dataclasses.replace(task, data=dataclasses.replace(task.data, dev_voices=(voices,))).dev_data()
        )
        for voices in (2, 3)
    )
    return f"{np.mean(two):.2f}", f"{np.mean(three):.2f}", f"{np.mean(np.array(two) < 1):.2f}"


@torch.inference_mode()
def gains(task: Speech, model: nn.Module, mixtures: FixedMixtures) -> list[float]:
    """SI-SDRi of each mixture."""
    items = (mixtures[i] for i in range(len(mixtures)))
    return [float(task.scores(model, (mixture[None], sources[None]))["voices"]) for mixture, sources in items]


def long_score(task: Speech, model: nn.Module, path: Path) -> str:
    """Mean SI-SDRi of the first mixtures of 10 to 16 s, where there is a list of them."""
    if not path.is_file():
        return ""
    found = listed(path, 2, Path(task.data.folder))[:LONG_SCORED]
    mixtures = FixedMixtures(found, sample_rate=task.data.sample_rate, sources=task.model.sources)
    return f"{np.mean(gains(task, model, mixtures)):.2f}"


def last_loss(run: Run) -> float:
    with open(run.folder / "log.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    return float(rows[-1]["train_loss"]) if rows else math.nan  # stopped within the first part


def append_line(path: Path, values: tuple[object, ...]) -> None:
    """One more line of a CSV, and its head where it is new."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ",".join(COLUMNS) + "\n"
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(values)
    write_atomically((text + line.getvalue()).encode(), path)


def append_row(path: Path, values: tuple[object, ...]) -> None:
    """One more row of the campaign's table in docs/training-log.md."""
    lines = path.read_text(encoding="utf-8").splitlines()
    end = lines.index(LOG_HEAD) + 2
    while end < len(lines) and lines[end].startswith("|"):
        end += 1
    lines.insert(end, f"| {' | '.join(map(str, values))} |")
    write_atomically(("\n".join(lines) + "\n").encode(), path)


def main(arguments: list[str] | None = None, place: Place = Place()) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a folder of speakers (data.folder of the recipe)")
    parser.add_argument("--noise", type=Path, required=True, help="a folder of noises (data.noise of the recipe)")
    parser.add_argument("--minutes", type=float, default=60.0, help="by the clock; 0 only records what there is")
    parser.add_argument("--every", type=float, default=60.0, help="minutes between two looks at the stage")
    parser.add_argument("--runs", type=Path, default=place.runs, help="where runs lie on this machine")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--nice", type=int, default=10, help="how far to give way to other work")
    parser.add_argument("words", nargs="*", help="section.key=value, as for `unbraid train`")
    options = parser.parse_args(arguments)
    os.nice(options.nice)
    torch.set_num_threads(options.threads)
    words = [f"data.folder={options.data}", f"data.noise={options.noise}", *options.words]
    words += precision_word(words)
    place = dataclasses.replace(place, runs=options.runs)
    left, started = options.minutes, time.monotonic()
    with alone(place.runs) if options.minutes else contextlib.nullcontext():
        while left > 0:
            train_on(place, find_run(place), min(options.every, left), words)
            left = options.minutes - (time.monotonic() - started) / 60
    record(place, find_run(place), words)


if __name__ == "__main__":
    main()
