"""Train a small SepFormer on a folder of speakers with dynamic mixing: one process, one file, resumable.

    python training/train_speech.py --data speech8k --out runs/speech-2 --minutes 60

`speech8k` holds `manifest.csv` (path, speaker, split, …) and the audio. Every step draws new pairs of different
speakers, random offsets, gains of ±2.5 dB around a random level, and speed perturbation of 0.95–1.05. The loss is
negative SI-SDR under the best permutation, capped at 30 dB as in the SepFormer recipe. A checkpoint with the
optimiser and the random state is renamed into place at every evaluation on the dev mixtures.
"""

import argparse
import csv
import dataclasses
import os
import time
from pathlib import Path

import numpy as np
import soundfile
import torch
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
    """Clean voices (B, S, T) of different speakers; one utterance in twenty-five is a lone voice beside silence."""
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=60, help="length of the schedule, in minutes of training")
    parser.add_argument("--sources", type=int, default=2)
    parser.add_argument("--features", type=int, default=64)
    parser.add_argument("--kernel", type=int, default=32, help="samples; the stride is half of it")
    parser.add_argument("--chunk", type=int, default=100, help="frames in a chunk, even")
    parser.add_argument("--blocks", type=int, default=2)
    parser.add_argument("--layers", type=int, default=1)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rate", type=float, default=1e-3, help="peak learning rate")
    parser.add_argument("--fraction", type=float, default=1.0, help="share of the training speakers to use")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--bf16", action="store_true", help="mixed precision")
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    args.out.mkdir(parents=True, exist_ok=True)
    config = SepFormerGeometry(
        sources=args.sources, features=args.features, kernel_samples=args.kernel, stride_samples=args.kernel // 2,
        chunk_frames=args.chunk, blocks=args.blocks, layers=args.layers, heads=args.features // 16 if args.features < 128 else 8,
        hidden=4 * args.features,
    )  # fmt: skip
    torch.manual_seed(0)
    model = SepFormer(config).to(args.device)
    ema = torch.optim.swa_utils.AveragedModel(model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.995))
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.rate, weight_decay=0.01)
    state = {"step": 0, "seconds": 0.0, "best": -np.inf}
    random = np.random.default_rng(0)
    checkpoint = args.out / "last.pt"
    if checkpoint.exists():
        saved = torch.load(checkpoint, map_location=args.device, weights_only=True)
        model.load_state_dict(saved["model"])
        ema.load_state_dict(saved["ema"])
        optimizer.load_state_dict(saved["optimizer"])
        state = saved["state"]
        random = np.random.default_rng(state["step"])

    speakers = load_speakers(args.data, "train", args.fraction)
    dev = load_mixtures(args.data, f"dev_mix{args.sources}.csv", args.sources)
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters, {len(speakers)} speakers", flush=True)
    log = open(args.out / "log.csv", "a", newline="")
    limit, tick, losses, next_eval = args.minutes * 60, time.process_time(), [], state["seconds"] + 120
    while state["seconds"] < limit:
        done = state["seconds"] / limit
        warm = min(1.0, (state["step"] + 1) / 300)
        for group in optimizer.param_groups:
            group["lr"] = args.rate * warm * (0.5 + 0.5 * np.cos(np.pi * done)) + 1e-6
        voices = draw_batch(speakers, args.batch, args.sources, int(args.seconds * RATE), random).to(args.device)
        with torch.autocast(args.device, torch.bfloat16, enabled=args.bf16):
            estimates = model(voices.sum(1))
        loss = pit_si_sdr(estimates.float(), voices).clamp(min=-30).mean()
        optimizer.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        if torch.isfinite(norm):
            optimizer.step()
            ema.update_parameters(model)
        else:
            print(f"step {state['step']}: gradient is not finite, batch skipped", flush=True)
        losses.append(loss.item())
        state["step"] += 1
        now = time.process_time()
        state["seconds"] += now - tick
        tick = now
        if state["seconds"] >= next_eval or state["seconds"] >= limit:
            score = improvement(ema.module.eval(), dev)
            line = f"{state['seconds']:.0f},{state['step']},{np.mean(losses):.3f},{score:.3f}"
            print(line, flush=True)
            log.write(line + "\n")
            log.flush()
            losses, next_eval = [], state["seconds"] + 300
            tensors = {"model": model.state_dict(), "ema": ema.state_dict(), "optimizer": optimizer.state_dict()}
            tensors |= {"state": state, "config": dataclasses.asdict(config)}
            torch.save(tensors, args.out / "last.tmp")
            os.replace(args.out / "last.tmp", checkpoint)
            if score > state["best"]:
                state["best"] = score
                best = {"model": ema.module.state_dict(), "config": dataclasses.asdict(config), "state": state}
                torch.save(best, args.out / "best.tmp")
                os.replace(args.out / "best.tmp", args.out / "best.pt")
            tick = time.process_time()


if __name__ == "__main__":
    main()
