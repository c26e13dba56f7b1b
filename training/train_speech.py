"""Train a small SepFormer on a folder of speakers with dynamic mixing: one process, one file, resumable.

    python training/train_speech.py --data speech8k --out runs/speech-2 --minutes 60
    unbraid export runs/speech-2/best.pt --name speech-2 -o runs/speech-2/model
    python training/score_speech.py runs/speech-2/model --data speech8k --split test

`speech8k` holds `manifest.csv` (path, speaker, split, …) and the audio. Every step draws new pairs of different
speakers, random offsets, gains of ±2.5 dB around a random level, and speed perturbation of 0.95–1.05. The loss is
negative SI-SDR under the best permutation, capped at 30 dB as in the SepFormer recipe. A checkpoint with the
optimiser is renamed into place at every evaluation on the dev mixtures; a resumed run draws from the step it is at.
"""

import argparse
import csv
import dataclasses
import math
from datetime import datetime
from pathlib import Path

import numpy as np
import soundfile
import torch
from runs import Clock, save
from torch import Tensor

from unbraid.geometry import SepFormerGeometry
from unbraid.losses import pit_si_sdr
from unbraid.models.sepformer import SepFormer

RATE = 8000


def load_speakers(folder: Path, split: str, fraction: float) -> list[list[np.ndarray]]:
    """Read every utterance of `split` as int16, one list per speaker; `fraction` of the speakers are kept."""
    speakers: dict[str, list[np.ndarray]] = {}
    with open(folder / "manifest.csv", newline="") as file:
        for row in csv.DictReader(file):
            if row["split"] == split:
                audio, rate = soundfile.read(folder / row["path"], dtype="int16")
                assert rate == RATE and audio.ndim == 1
                speakers.setdefault(row["speaker"], []).append(audio)
    kept = sorted(speakers)[:: max(1, round(1 / fraction))]
    return [speakers[name] for name in kept]


def draw_voice(utterances: list[np.ndarray], samples: int, random: np.random.Generator) -> np.ndarray:
    """A crop (T,) of one speaker at unit RMS, speed changed by up to 5 %, padded at a random place when short."""
    audio = utterances[random.integers(len(utterances))]
    speed = random.uniform(0.95, 1.05)
    needed = int(samples * speed) + 2
    start = random.integers(max(1, len(audio) - needed + 1))
    crop = audio[start : start + needed].astype(np.float32)
    places = np.arange(int((len(crop) - 1) / speed)) * speed
    crop = np.interp(places, np.arange(len(crop)), crop).astype(np.float32)[:samples]
    crop /= np.sqrt(np.mean(crop**2)) + 1e-3
    out = np.zeros(samples, np.float32)
    at = random.integers(samples - len(crop) + 1)
    out[at : at + len(crop)] = crop
    return out


def draw_batch(
    speakers: list[list[np.ndarray]], batch: int, sources: int, samples: int, random: np.random.Generator
) -> Tensor:
    """Clean voices (B, S, T) of different speakers."""
    voices = np.zeros((batch, sources, samples), np.float32)
    for row in voices:
        level = 0.05 * 10 ** (random.uniform(-12, 6) / 20)
        for source, who in enumerate(random.choice(len(speakers), sources, replace=False)):
            row[source] = draw_voice(speakers[who], samples, random) * level * 10 ** (random.uniform(-2.5, 2.5) / 20)
    return torch.from_numpy(voices)


def load_mixtures(folder: Path, name: str, sources: int) -> list[Tensor]:
    """The fixed mixtures of a CSV as clean sources (S, T): unit RMS, times the gain, times 0.05."""
    mixtures = []
    with open(folder / name, newline="") as file:
        for row in csv.DictReader(file):
            samples = round(float(row["seconds"]) * RATE)
            voices = []
            for j in range(1, sources + 1):
                start = round(float(row[f"start_{j}"]) * RATE)
                audio, _ = soundfile.read(folder / row[f"path_{j}"], dtype="float32", start=start, frames=samples)
                voices.append(audio / np.sqrt(np.mean(audio**2)) * 10 ** (float(row[f"gain_db_{j}"]) / 20) * 0.05)
            mixtures.append(torch.from_numpy(np.stack(voices)))
    return mixtures


@torch.no_grad()
def improvement(model: SepFormer, mixtures: list[Tensor]) -> float:
    """Mean SI-SDR improvement over the mixtures in dB."""
    gains = []
    for voices in mixtures:
        mixture = voices.sum(0, keepdim=True)  # (1, T)
        before = pit_si_sdr(mixture.expand_as(voices)[None], voices[None])
        gains.append((before - pit_si_sdr(model(mixture), voices[None])).item())
    return float(np.mean(gains))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=60, help="length of the schedule, in minutes of CPU time")
    parser.add_argument("--until", metavar="HH:MM", help="time of day when the schedule must have ended, if sooner")
    parser.add_argument("--sources", type=int, default=2)
    parser.add_argument("--features", type=int, default=96)
    parser.add_argument("--heads", type=int, default=6)
    parser.add_argument("--kernel", type=int, default=32, help="samples; the stride is half of it")
    parser.add_argument("--chunk", type=int, default=100, help="frames in a chunk, even")
    parser.add_argument("--layers", type=int, default=1)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rate", type=float, default=1e-3, help="peak learning rate")
    parser.add_argument("--fraction", type=float, default=1.0, help="share of the training speakers to use")
    parser.add_argument("--eval-minutes", type=float, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    return parser.parse_args()


class Trainer:
    """The network, its average, the optimiser and where the run stands; `done` runs from 0 to 1."""

    def __init__(self, args: argparse.Namespace):
        self.args = args
        self.config = SepFormerGeometry(
            args.sources, args.features, args.kernel, args.kernel // 2, args.chunk,
            layers=args.layers, heads=args.heads, hidden=4 * args.features,
        )  # fmt: skip
        torch.manual_seed(0)
        self.model = SepFormer(self.config).to(args.device)
        average = torch.optim.swa_utils.get_ema_multi_avg_fn(0.995)
        self.ema = torch.optim.swa_utils.AveragedModel(self.model, multi_avg_fn=average)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=args.rate, weight_decay=0.01)
        self.state = {"step": 0, "seconds": 0.0, "done": 0.0, "best": -math.inf}
        if (args.out / "last.pt").exists():
            saved = torch.load(args.out / "last.pt", map_location=args.device, weights_only=True)
            self.model.load_state_dict(saved["model"])
            self.ema.load_state_dict(saved["ema"])
            self.optimizer.load_state_dict(saved["optimizer"])
            self.state |= saved["state"]
        self.random = np.random.default_rng(self.state["step"])
        self.clock = Clock(self.state, args.minutes, args.until)

    def step(self, speakers: list[list[np.ndarray]]) -> float:
        """One update; returns the loss in dB."""
        step, args = self.state["step"], self.args
        for group in self.optimizer.param_groups:
            decay = 0.5 + 0.5 * math.cos(math.pi * min(1.0, self.state["done"]))
            group["lr"] = args.rate * min(1.0, (step + 1) / 300) * decay + 1e-6
        samples = int(args.seconds * RATE)
        voices = draw_batch(speakers, args.batch, args.sources, samples, self.random).to(args.device)
        loss = pit_si_sdr(self.model(voices.sum(1)), voices).clamp(min=-30).mean()
        self.optimizer.zero_grad()
        loss.backward()
        if torch.isfinite(torch.nn.utils.clip_grad_norm_(self.model.parameters(), 5.0)):
            self.optimizer.step()
            self.ema.update_parameters(self.model)
        else:
            print(f"step {step}: gradient is not finite, batch skipped", flush=True)
        return loss.item()

    def checkpoint(self, losses: list[float], dev: list[Tensor]) -> None:
        """Score the average on dev, write a line of the log, last.pt, and best.pt where it is the best yet."""
        score = improvement(self.ema.module.eval(), dev)
        line = [f"{self.state['seconds']:.0f}", self.state["step"], f"{np.mean(losses):.3f}", f"{score:.3f}"]
        print(datetime.now().strftime("%H:%M"), *line, flush=True)
        with open(self.args.out / "log.csv", "a", newline="") as file:
            csv.writer(file).writerow(line)
        best = score > self.state["best"]
        self.state["best"] = max(score, self.state["best"])
        shared = {"state": self.state, "config": dataclasses.asdict(self.config)}
        tensors = {"model": self.model.state_dict(), "ema": self.ema.state_dict()}
        save(tensors | {"optimizer": self.optimizer.state_dict()} | shared, self.args.out / "last.pt")
        if best:
            save({"model": self.ema.module.state_dict()} | shared, self.args.out / "best.pt")


def main() -> None:
    args = parse_arguments()
    torch.set_num_threads(args.threads)
    args.out.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(args)
    speakers = load_speakers(args.data, "train", args.fraction)
    dev = load_mixtures(args.data, f"dev_mix{args.sources}.csv", args.sources)
    parameters = sum(p.numel() for p in trainer.model.parameters())
    print(f"{parameters:,} parameters, {len(speakers)} speakers", flush=True)
    losses: list[float] = []
    next_eval = trainer.state["seconds"] + 120
    trainer.clock.start()
    while trainer.state["done"] < 1:
        losses.append(trainer.step(speakers))
        trainer.clock.tick()
        if trainer.state["seconds"] >= next_eval or trainer.state["done"] >= 1:
            trainer.checkpoint(losses, dev)
            losses, next_eval = [], trainer.state["seconds"] + 60 * args.eval_minutes
            trainer.clock.start()


if __name__ == "__main__":
    main()
