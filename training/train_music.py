"""Train small Spleeter U-Nets on packed stems with dynamic remixing: one process, one file, resumable.

    python training/train_music.py --data packed --out runs/music --minutes 60
    unbraid export runs/music/best.pt --name music-4 --stems vocals,drums,bass,other -o runs/music/music-4
    python training/score_music.py runs/music/music-4 --data packed --split test

`packed` is what `render_midi.py` wrote. Five independent nets learn in one run: vocals, drums, bass, other and
accompaniment (the sum of the last three). The first four are the model music-4, the first and the last music-2. The
front end is Spleeter's: 44.1 kHz, frames of 4096 samples every 1024, bare magnitudes of the bins below 11 kHz, and
the loss its L1 between estimated and true magnitude, here relative to the mixture's mean magnitude, so that a quiet
crop counts as much as a loud one.

Half of the crops are one song's stems as they were played, half are stems of different songs at about equal power.
Stems get gains of ±6 dB, a spectral tilt, a speed (so a pitch) of their own or of their song, swapped channels, and are
now and then left out; the mixture's peak lies between -30 and 0 dBFS. Spleeter's published nets were trained with
normalisation constants in place of batch statistics; here the statistics are learnt for the first part of the run and
then held, because two crops of different levels make poor statistics, and a held norm is what a user will run.
"""

import argparse
import csv
import dataclasses
import math
from datetime import datetime
from pathlib import Path

import numpy as np
import soxr
import torch
from runs import Clock
from torch import Tensor

from unbraid.geometry import UNetGeometry
from unbraid.models.unet import UNets
from unbraid.train.keeper import save_atomically

RATE, FRAME, HOP, BINS = 44100, 4096, 1024, 1024
STEMS = ("vocals", "drums", "bass", "other", "accompaniment")
PLAYED = STEMS[:4]
MODELS = {"music-4": (0, 1, 2, 3), "music-2": (0, 4)}  # which nets share a mixture out
KINDS = {  # how often a stem comes from where
    "vocals": {"recorded": 0.9, "speech": 0.1},
    "drums": {"recorded": 0.35, "groove": 0.2, "midi": 0.45},
    "bass": {"recorded": 0.3, "midi": 0.7},
    "other": {"recorded": 0.35, "midi": 0.65},
}
WINDOW = torch.hann_window(FRAME)
Library = dict[str, dict[str, list[Path]]]  # stem -> kind -> files


def scan(folder: Path) -> Library:
    """All packed files of a split."""
    library: Library = {stem: {kind: [] for kind in kinds} for stem, kinds in KINDS.items()}
    for path in sorted(folder.glob("*/*.npy")):
        library[path.stem][path.parent.name.split("-")[0]].append(path)
    return library


def crop(path: Path, place: float, speed: float, samples: int) -> np.ndarray:
    """Float32 (samples, 2) from `place` in 0…1 on, played `speed` times as fast, silent after the end."""
    audio = np.load(path, mmap_mode="r")
    start = int(place * max(0, len(audio) - samples))
    audio = audio[start : start + int(samples * speed) + 256]
    out = np.zeros((samples, 2), np.float32)
    if len(audio) > 256:
        audio = soxr.resample(audio.astype(np.float32) / 32768, speed, 1.0, quality="LQ")[:samples]
        out[: len(audio)] = audio
    return out


def draw_stem(library: Library, stem: str, samples: int, random: np.random.Generator) -> np.ndarray:
    """A crop (samples, 2) of the stem at unit RMS; a nearly silent one is drawn again a few times."""
    kinds = list(KINDS[stem])
    kind = kinds[random.choice(len(kinds), p=list(KINDS[stem].values()))]
    speed = random.uniform(0.8, 1.25) if stem == "vocals" else random.uniform(0.88, 1.14)
    for _ in range(6):
        path = library[stem][kind][random.integers(len(library[stem][kind]))]
        audio = crop(path, random.random(), speed, samples)
        rms = np.sqrt(np.mean(audio**2))
        if rms > 3e-3:
            break
    return np.asarray(audio / (rms + 1e-3))


def draw_song(library: Library, samples: int, random: np.random.Generator) -> np.ndarray:
    """One song's stems (S, samples, 2) from one place at one speed; silent where it has none, but for vocals."""
    songs = library["other"]["recorded" if random.random() < 0.5 else "midi"]
    folder = songs[random.integers(len(songs))].parent
    place, speed = random.random(), random.uniform(0.88, 1.14)
    paths = [folder / f"{stem}.npy" for stem in PLAYED]
    stems = [crop(p, place, speed, samples) if p.exists() else np.zeros((samples, 2), np.float32) for p in paths]
    if not paths[0].exists():
        stems[0] = draw_stem(library, "vocals", samples, random) * np.sqrt(np.mean(sum(stems) ** 2))
    return np.stack(stems)


def draw_mixture(library: Library, samples: int, random: np.random.Generator) -> np.ndarray:
    """Stems (S, C, samples) of one training mixture at its final level."""
    if random.random() < 0.5:
        stems = draw_song(library, samples, random)
    else:
        stems = np.stack([draw_stem(library, stem, samples, random) for stem in PLAYED])
    for i, stem in enumerate(stems):
        stem *= 10 ** (random.uniform(-6, 6) / 20) * (random.random() > 0.1)
        if random.random() < 0.5:
            stems[i] = stem[:, ::-1]
    peak = np.abs(stems.sum(0)).max()
    level_db = -30 * random.random() ** 2  # half of the mixtures above -7.5 dBFS
    stems *= 10 ** (level_db / 20) / (peak + 1e-3)
    return stems.transpose(0, 2, 1)


def draw_batch(library: Library, batch: int, frames: int, random: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Magnitudes of mixtures (B, C, N, F) and of their five stems (B, S, C, N, F)."""
    samples = (frames - 1) * HOP + FRAME
    stems = torch.from_numpy(np.stack([draw_mixture(library, samples, random) for _ in range(batch)]))
    spectra = torch.fft.rfft(stems.unfold(-1, FRAME, HOP) * WINDOW)[..., :BINS]  # (B, 4, C, N, F)
    octaves = torch.log2((torch.arange(BINS) + 1) * (RATE / FRAME / 1000))  # above 1 kHz
    tilt_db = torch.from_numpy(random.uniform(-1, 1, (batch, 4, 1, 1, 1))).float() * octaves
    spectra = spectra * 10 ** (tilt_db / 20)
    accompaniment = spectra[:, 1:].sum(1, keepdim=True)
    return spectra.sum(1).abs(), torch.cat((spectra, accompaniment), dim=1).abs()


def separate(model: UNets, mixture: Tensor, segment: int = 512) -> dict[str, Tensor]:
    """Stems (S, C, T) of a song (C, T) for each of MODELS, by Spleeter's ratio masks, their mean above the bins."""
    channels, length = mixture.shape
    frames = -(-(length + FRAME) // HOP)
    frames += -frames % segment
    padded = torch.nn.functional.pad(mixture, (FRAME, (frames - 1) * HOP + FRAME - FRAME - length))
    spectrum = torch.fft.rfft(padded.unfold(-1, FRAME, HOP) * WINDOW)  # (C, N, bins)
    pieces = spectrum[..., :BINS].abs().split(segment, dim=1)
    power = torch.cat([model(piece[None])[0] for piece in pieces], dim=2) ** 2  # (S, C, N, F)
    results = {}
    for name, members in MODELS.items():
        masks = (power[list(members)] + 1e-10 / len(members)) / (power[list(members)].sum(0) + 1e-10)
        above = masks.mean(-1, keepdim=True).expand(*masks.shape[:-1], FRAME // 2 + 1 - BINS)
        waves = torch.fft.irfft(torch.cat((masks, above), dim=-1) * spectrum) * WINDOW
        out = torch.zeros(len(members), channels, frames + 3, HOP)
        for k in range(4):  # overlap-add: frame n covers hops n to n + 3
            out[:, :, k : k + frames] += waves[..., k * HOP : (k + 1) * HOP]
        results[name] = out.flatten(2)[..., FRAME : FRAME + length] * (2 / 3)
    return results


def sdr(source: Tensor, estimate: Tensor) -> float:
    """10 log10 of signal over error power, over the whole song and all channels."""
    return float(10 * torch.log10((source.square().sum() + 1e-9) / ((source - estimate).square().sum() + 1e-9)))


@torch.no_grad()
def score_song(model: UNets, folder: Path, seconds: float) -> dict[str, tuple[float, float]]:
    """'music-4/vocals' -> (SDR, improvement on the mixture) for the stems a song has, over its middle `seconds`."""
    stems = {path.stem: np.load(path, mmap_mode="r") for path in sorted(folder.glob("*.npy"))}
    start = max(0, (len(stems["other"]) - int(seconds * RATE)) // 2)
    stop = start + int(seconds * RATE)
    waves = {k: torch.from_numpy(v[start:stop].T.astype(np.float32) / 32768) for k, v in stems.items()}
    waves["accompaniment"] = torch.stack([waves[stem] for stem in PLAYED[1:] if stem in waves]).sum(0)
    mixture = waves["vocals"] + waves["accompaniment"]
    scores = {}
    for name, estimates in separate(model, mixture).items():
        for member, estimate in zip(MODELS[name], estimates, strict=True):
            source = waves.get(STEMS[member])
            if source is not None and source.square().mean() > 1e-7:
                value = sdr(source, estimate)
                scores[f"{name}/{STEMS[member]}"] = (value, value - sdr(source, mixture))
    return scores


def report(model: UNets, folder: Path, seconds: float) -> float:
    """Print SDR and improvement per model and stem, recorded and rendered apart; returns the mean improvement."""
    scores = {song.name: score_song(model, song, seconds) for song in sorted(folder.iterdir())}
    for kind in ("recorded", "midi"):
        songs = [song for name, song in scores.items() if name.startswith(kind)]
        for stem in [f"{name}/{STEMS[member]}" for name, members in MODELS.items() for member in members]:
            pairs = [song[stem] for song in songs if stem in song]
            if pairs:
                value, gain = np.mean(pairs, axis=0)
                print(f"{kind:9} {stem:22} uSDR {value:6.2f} dB, improvement {gain:6.2f} dB, {len(pairs)} songs")
    return float(np.mean([gain for song in scores.values() for _, gain in song.values()]))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=60, help="length of the schedule, in minutes of CPU time")
    parser.add_argument("--until", metavar="HH:MM", help="time of day when the schedule must have ended, if sooner")
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--frames", type=int, default=128)
    parser.add_argument("--rate", type=float, default=1e-3, help="peak learning rate")
    parser.add_argument("--hold-norm", type=float, default=0.4, help="share of the run after which norms are held")
    parser.add_argument("--eval-minutes", type=float, default=6)
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


class Trainer:
    """The nets, their average, the optimiser and where the run stands; `done` runs from 0 to 1."""

    def __init__(self, args: argparse.Namespace):
        self.args = args
        self.config = UNetGeometry(len(STEMS), 2, (8, 16, 32, 64, 96, 128), "elu", "elu")
        torch.manual_seed(0)
        self.model = UNets(self.config).to(memory_format=torch.channels_last)
        average = torch.optim.swa_utils.get_ema_multi_avg_fn(0.998)
        self.ema = torch.optim.swa_utils.AveragedModel(self.model, multi_avg_fn=average)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=args.rate)
        self.state = {"step": 0, "seconds": 0.0, "done": 0.0, "best": -math.inf}
        if (args.out / "last.pt").exists():
            saved = torch.load(args.out / "last.pt", weights_only=True)
            self.model.load_state_dict(saved["model"])
            self.ema.load_state_dict(saved["ema"])
            self.optimizer.load_state_dict(saved["optimizer"])
            self.state = saved["state"]
        self.random = np.random.default_rng(self.state["step"])
        self.clock = Clock(self.state, args.minutes, args.until)

    def step(self, library: Library) -> list[float]:
        """One update; returns the loss of each net."""
        done, step = self.state["done"], self.state["step"]
        for group in self.optimizer.param_groups:
            group["lr"] = self.args.rate * min(1.0, (step + 1) / 200) * (0.5 + 0.5 * math.cos(math.pi * done)) + 1e-6
        self.model.train(done < self.args.hold_norm)
        mixture, stems = draw_batch(library, self.args.batch, self.args.frames, self.random)
        estimates = self.model(mixture.contiguous(memory_format=torch.channels_last))
        errors = (estimates - stems).abs().mean((2, 3, 4)) / (mixture.mean((1, 2, 3))[:, None] + 1e-3)  # (B, S)
        self.optimizer.zero_grad()
        errors.mean(0).sum().backward()
        norms = [torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0) for net in self.model.nets]
        if torch.isfinite(torch.stack(norms)).all():
            self.optimizer.step()
            self.ema.update_parameters(self.model)
        else:
            print(f"step {step}: gradient is not finite, batch skipped", flush=True)
        return [float(error) for error in errors.detach().mean(0)]

    def checkpoint(self, losses: list[list[float]]) -> None:
        """Score the average on dev, write a line of the log, last.pt, and best.pt where it is the best yet."""
        score = report(self.ema.module.eval(), self.args.data / "dev", seconds=40)
        line = [f"{self.state['seconds']:.0f}", self.state["step"], f"{self.state['done']:.3f}", f"{score:.3f}"]
        line += [f"{loss:.4f}" for loss in np.mean(losses, axis=0)]
        print(datetime.now().strftime("%H:%M"), *line, flush=True)
        with open(self.args.out / "log.csv", "a", newline="") as file:
            csv.writer(file).writerow(line)
        best = score > self.state["best"]
        self.state["best"] = max(score, self.state["best"])
        shared = {"state": self.state, "config": dataclasses.asdict(self.config), "stems": list(STEMS)}
        tensors = {"model": self.model.state_dict(), "ema": self.ema.state_dict()}
        save_atomically(tensors | {"optimizer": self.optimizer.state_dict()} | shared, self.args.out / "last.pt")
        if best:
            save_atomically({"model": self.ema.module.state_dict()} | shared, self.args.out / "best.pt")


def main() -> None:
    args = parse_arguments()
    torch.set_num_threads(args.threads)
    args.out.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(args)
    library, losses, next_eval = scan(args.data / "train"), [], trainer.state["seconds"] + 120
    while trainer.state["done"] < 1:
        losses.append(trainer.step(library))
        trainer.clock.tick()
        if trainer.state["seconds"] >= next_eval or trainer.state["done"] >= 1:
            trainer.checkpoint(losses)
            library, losses = scan(args.data / "train"), []
            next_eval = trainer.state["seconds"] + 60 * args.eval_minutes
            trainer.clock.start()


if __name__ == "__main__":
    main()
