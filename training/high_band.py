"""Train the network that shares the band above 4 kHz among separated voices.

    python training/high_band.py --wide speech16k --speech speech8k

`--wide` has recordings at 16 kHz (or more) and `transcripts.csv` with their path and speaker; `manifest.csv` of
`--speech` says which split a speaker belongs to. Mixtures of one to three people are drawn from train and from dev,
`speech` separates them at 8 kHz, and a network on the spectra of its outputs (`unbraid.dsp.voice_bands`) learns the
shares with which the band above 4 kHz of the mixture comes closest to that of each voice. The epoch with the best score
on dev is written to `src/unbraid/assets/high_band.safetensors`.

`--score test` prints, of the mixtures of a split, the SI-SDR improvement over the whole band: with the shares of the
network, by power, and with the shares that the voices themselves would give.
"""

import argparse
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

import numpy as np
import safetensors.numpy
import torch
from torch import nn

from unbraid.audio import read, resample
from unbraid.corpora import manifest
from unbraid.corpora.levels import Array, scaled_to
from unbraid.dsp.cell_network import CENTRE, DILATIONS, TAPS
from unbraid.dsp.metrics import si_sdr_improvement
from unbraid.dsp.mixture_consistency import cell_power, interpolated, share
from unbraid.dsp.voice_bands import above_crossover, voice_features
from unbraid.tasks.separation.high_band import VOICES, shared_by_voice
from unbraid.tasks.separation.options import Options
from unbraid.tasks.separation.separator import Separator

RATE, CELL, SECONDS = 16000, 160, 5
HIDDEN, EPOCHS, BATCH, DROPOUT = 32, 12, 8, 0.1
COUNTS = {"train": 1400, "dev": 160, "test": 100}
DEV_SPEAKERS = 5  # one of so many speakers of train is for dev, which has few recordings at this rate
LICENCE = "CC BY-SA 4.0, The unbraid authors; LICENSE-weights.md names the recordings"


@dataclass
class Example:
    """A mixture, as `speech` separates it."""

    stems: Array  # (S, T) at 16 kHz, without anything above 4 kHz
    voices: Array  # (S, T), in the order of the stems; silence where nobody is
    spoken: int  # voices


def speakers_of(args: argparse.Namespace, split: str) -> dict[str, list[Path]]:
    """The recordings of each speaker of a split; some of train are for dev."""
    splits = {row["speaker"].split("/")[-1]: row["split"] for row in manifest.read_rows(
        args.speech / "manifest.csv", ("speaker", "split"))}  # fmt: skip
    found: dict[str, list[Path]] = {}
    for row in manifest.read_rows(args.wide / "transcripts.csv", ("path", "speaker", "source")):
        name = f"{row['source']}/{row['speaker']}"
        of = splits.get(row["speaker"])
        if of == "train" and zlib.crc32(name.encode()) % DEV_SPEAKERS == 0:
            of = "dev"
        if of == split:
            found.setdefault(name, []).append(args.wide / row["path"])
    return found


def voice(paths: list[Path], random: np.random.Generator) -> Array:
    """Five seconds of a speaker through some microphone, with silence around a shorter recording."""
    audio, rate = read(paths[random.integers(len(paths))])
    clip = scaled_to(resample(audio, rate, RATE).mean(0), 0.05)
    samples = SECONDS * RATE
    room = len(clip) - samples
    start = int(random.integers(abs(room) + 1))
    clip = clip[start : start + samples] if room > 0 else np.pad(clip, (start, -room - start))
    tilt = random.uniform(-0.4, 0.4)
    return np.convolve(clip, (1, -tilt))[:samples] * 10 ** (random.uniform(-4, 4) / 20)


def drawn(args: argparse.Namespace, split: str, count: int, seed: int) -> Iterator[Example]:
    """Mixtures of one to three speakers, separated."""
    random, speakers = np.random.default_rng(seed), speakers_of(args, split)
    names = sorted(speakers)
    often = np.sqrt([len(speakers[name]) for name in names])
    with Separator("speech", threads=1, options=Options(tracks=False)) as separator:
        for _ in range(count):
            people = int(random.choice((1, 2, 3), p=(0.1, 0.6, 0.3)))
            chosen = random.choice(len(names), people, replace=False, p=often / often.sum())
            voices = np.stack([voice(speakers[names[person]], random) for person in chosen]).astype(np.float32)
            low = resample(voices, RATE, 8000)
            outputs = np.concatenate(list(separator(low.sum(0)[None], 8000).values()))  # (S, T)
            order = max(
                permutations(range(len(outputs)), people),
                key=lambda order: sum(alike(outputs[k], low[n]) for n, k in enumerate(order)),
            )
            placed = np.zeros((len(outputs), voices.shape[1]), np.float32)
            placed[list(order)] = voices
            yield Example(resample(outputs, 8000, RATE)[:, : voices.shape[1]], placed, people)


def alike(one: Array, other: Array) -> float:
    """The squared cosine of two signals."""
    return float((one @ other) ** 2 / ((one @ one) * (other @ other) + 1e-12))


def tensors_of(examples: Iterator[Example]) -> tuple[torch.Tensor, ...]:
    """Features (E, S, N, D), and of the high band of each cell <voice, mixture> (E, S, N) and |mixture|² (E, N)."""
    features, products, powers = list[Array](), list[Array](), list[Array]()
    for example in examples:
        high = above_crossover(example.voices, RATE)
        mixture = high.sum(0)
        cells = high.reshape(len(high), -1, CELL)
        power = cell_power(mixture, CELL)
        scale = 1 / (power.mean() + 1e-12)
        features.append(voice_features(example.stems[:, None], RATE, CELL)[:, 0])
        products.append((cells * mixture.reshape(-1, CELL)).sum(-1) * scale)
        powers.append(power * scale)
    return tuple(torch.tensor(np.stack(arrays), dtype=torch.float32) for arrays in (features, products, powers))


class Network(nn.Module):
    """Convolutions over cells, as `dsp.cell_network` computes them."""

    def __init__(self, features: int):
        super().__init__()
        widths = (features, *(HIDDEN for _ in DILATIONS))
        self.layers = nn.ModuleList(
            nn.Sequential(
                nn.Conv1d(size, HIDDEN, TAPS, dilation=d, padding=d * (TAPS // 2)),
                nn.PReLU(HIDDEN),
                nn.Dropout(DROPOUT),
            )
            for size, d in zip(widths, DILATIONS, strict=False)
        )
        self.output = nn.Linear(HIDDEN, 1, bias=False)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Features (E, S, N, D) of S voices, each by itself -> scores (E, S, N)."""
        hidden = (features + CENTRE).flatten(0, 1).transpose(1, 2)  # (E · S, D, N)
        for layer in self.layers:
            hidden = layer(hidden)
        scores: torch.Tensor = self.output(hidden.transpose(1, 2))[..., 0]
        return scores.reshape(features.shape[:3])

    def weights(self) -> dict[str, Array]:
        """As `dsp.cell_network` takes them: kernels (K, D, H)."""
        found = {"output.weight": self.output.weight[0]}
        for number, (convolution, prelu, _) in enumerate(self.layers):
            found[f"{number}.weight"] = convolution.weight.permute(2, 1, 0)
            found[f"{number}.bias"], found[f"{number}.slope"] = convolution.bias, prelu.weight
        return {name: value.detach().contiguous().numpy() for name, value in found.items()}


def varied(features: torch.Tensor) -> torch.Tensor:
    """Features (E, S, N, D) of other voices through other microphones: a random level of every band, and noise."""
    examples, stems, _, size = features.shape
    microphone = 0.1 * torch.randn(examples, 1, 1, size)
    voice = 0.3 * torch.randn(examples, stems, 1, size)
    return features + microphone + voice + 0.1 * torch.randn_like(features)


def error(scores: torch.Tensor, products: torch.Tensor, powers: torch.Tensor) -> torch.Tensor:
    """The energy of the errors of all voices relative to that of the mixture's high band, of each example (E,)."""
    shares = scores.softmax(1)
    whole = powers.sum(1)
    return ((shares**2 * powers[:, None] - 2 * shares * products).sum((1, 2)) + whole) / whole


def train(args: argparse.Namespace) -> None:
    """Draw, train, and write the best epoch."""
    sets = [tensors_of(drawn(args, split, COUNTS[split], seed)) for seed, split in enumerate(("train", "dev"))]
    fit(sets, varied, error, args.out)


def fit(
    sets: Sequence[tuple[torch.Tensor, ...]],
    changed: Callable[[torch.Tensor], torch.Tensor],
    loss: Callable[..., torch.Tensor],
    out: Path,
) -> None:
    """Train a network on features and targets of train and dev, and write the epoch with the least loss on dev."""
    torch.manual_seed(0)
    (features, *targets), (heard, *wanted) = sets
    network = Network(features.shape[-1])
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    best, weights = float("inf"), dict[str, Array]()
    for epoch in range(EPOCHS):
        network.train()
        for batch in torch.randperm(len(features)).split(BATCH):
            optimizer.zero_grad()
            scores = network(changed(features[batch]))
            loss(scores, *(target[batch] for target in targets)).mean().backward()
            optimizer.step()
        schedule.step()
        network.eval()
        with torch.no_grad():
            dev = loss(network(heard), *wanted).mean().item()
        print(f"epoch {epoch}: error on dev {10 * np.log10(dev):.2f} dB", flush=True)
        if dev < best:
            best, weights = dev, network.weights()
    safetensors.numpy.save_file(
        {name: value.astype(np.float16) for name, value in weights.items()}, out, {"licence": LICENCE}
    )
    print(f"{10 * np.log10(best):.2f} dB; written to {out}")


def score(args: argparse.Namespace, split: str) -> None:
    """Print the mean SI-SDR improvement at 16 kHz by three ways of sharing the high band."""
    rows: dict[int, list[list[float]]] = {}
    for example in drawn(args, split, COUNTS[split], 2):
        kept = [k for k, audio in enumerate(example.voices) if audio.any()]
        stems, voices, mixture = example.stems[kept][:, None], example.voices[kept], example.voices.sum(0)[None]
        rest = above_crossover(mixture - stems.sum(0), RATE)
        power = cell_power(above_crossover(voices, RATE), CELL)  # (S, N)
        own = interpolated((power / (power.sum(0) + 1e-12)).astype(np.float32), CELL)
        ways = (
            np.concatenate(list(shared_by_voice(iter([(mixture, stems)]), RATE)), axis=-1),
            share(mixture, stems, CELL),
            share(mixture - rest, stems, CELL) + own[:, None] * rest,
        )
        if example.spoken > 1:
            gains = [si_sdr_improvement(way[:, 0], voices, mixture[0]) for way in ways]
            rows.setdefault(example.spoken, []).append([float(np.mean(gain)) for gain in gains])
    print("| voices | mixtures | network | by power | true shares |\n|--:|--:|--:|--:|--:|")
    for people, gains in sorted(rows.items()):
        print(f"| {people} | {len(gains)} |", " | ".join(f"{gain:.2f} dB" for gain in np.mean(gains, axis=0)), "|")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wide", type=Path, required=True)
    parser.add_argument("--speech", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=VOICES)
    parser.add_argument("--score", choices=("dev", "test"), help="score mixtures of this split, and train nothing")
    args = parser.parse_args()
    score(args, args.score) if args.score else train(args)


if __name__ == "__main__":
    main()
