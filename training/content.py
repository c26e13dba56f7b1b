"""Train the classifier of speech, music and noise that chooses the model of `unbraid separate`.

    python training/content.py --speech speech8k --noise noise8k --songs songs --songs music --work /tmp/content

`--songs` are folders of songs with train, dev and test (`unbraid data render` makes some, with --voices for singers).
Passages of four seconds are drawn from train and from dev, changed as recordings are (band limits, rooms, codecs,
levels), and a perceptron with one hidden layer is trained on their features (`unbraid.dsp.speech_music`); the epoch
with the best score on dev is written to `src/unbraid/assets/content.safetensors`. `--score test` scores
whole recordings of the test split instead, as `unbraid separate` hears them, and prints a table.
"""

import argparse
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors.numpy
import torch
from torch import nn

from unbraid.audio import choose_format, read, resample, write
from unbraid.corpora import manifest, song_folders
from unbraid.corpora.fixed import listed
from unbraid.corpora.levels import Array, cropped, looped, scaled_to, with_noise
from unbraid.corpora.mixtures import read_mixture
from unbraid.corpora.songs import read_stereo, song_seconds
from unbraid.dsp.speech_music import SAMPLE_RATE, passage_features
from unbraid.tasks.separation.content import KINDS, WEIGHTS, content_of

HIDDEN, EPOCHS, BATCH = 24, 80, 128
PASSAGE = 4 * SAMPLE_RATE
COUNTS = {"train": (1800, 1800, 500), "dev": (300, 300, 100)}  # speech, music, noise
LICENCE = "CC BY-SA 4.0, The unbraid authors; LICENSE-weights.md names the recordings"
CLIPS = 6  # of a speaker
DEV_NOISES = 5  # one of so many noises of train is for dev

Songs = dict[str, dict[str, Array]]  # song: part: (T,)


@dataclass
class Material:
    """Recordings of a split at 8 kHz, mono."""

    voices: dict[str, list[Array]]
    noises: list[Array]
    songs: Songs

    def voice(self, random: np.random.Generator) -> Array:
        """A passage of one speaker, from several recordings if one is short."""
        clips = self.voices[random.choice(sorted(self.voices))]
        parts: list[Array] = []
        while sum(map(len, parts)) < 2 * PASSAGE:
            parts.append(scaled_to(clips[random.integers(len(clips))], 0.05))
            parts.append(np.zeros(random.integers(SAMPLE_RATE // 2), np.float32))
        return cropped(np.concatenate(parts), PASSAGE, random)

    def song(self, random: np.random.Generator, *parts: str) -> Array:
        """A passage of a song, or of some of its parts; it is not silent."""
        while True:
            song = self.songs[random.choice(sorted(self.songs))]
            chosen = [song[part] for part in parts or song if part in song]
            if chosen:
                passage = cropped(np.sum(chosen, 0), PASSAGE, random)
                if np.mean(passage**2) > 1e-6:
                    return passage


def speech(material: Material, random: np.random.Generator) -> Array:
    """One to three people, by themselves or with noise or quiet music behind them."""
    people = random.choice((1, 2, 3), p=(0.55, 0.35, 0.1))
    voices = sum(material.voice(random) * 10 ** (random.uniform(-5, 5) / 20) for _ in range(people))
    behind = random.random()
    if behind < 0.3:
        return with_noise(voices, looped(noise(material, random), PASSAGE, random), random.uniform(0, 25))
    if behind < 0.5:
        return with_noise(voices, material.song(random), random.uniform(8, 25))
    return voices


def music(material: Material, random: np.random.Generator) -> Array:
    """A song, its accompaniment, or one or two of its parts."""
    which = random.random()
    if which < 0.55:
        return material.song(random)
    if which < 0.7:
        return material.song(random, "drums", "bass", "piano", "other")
    if which < 0.78:
        return material.song(random, "vocals")
    if which < 0.88:
        return material.song(random, "vocals", random.choice(("piano", "other")))
    return material.song(random, random.choice(("drums", "bass", "piano", "other")))


def noise(material: Material, random: np.random.Generator) -> Array:
    """A recorded noise, or coloured noise."""
    if random.random() < 0.75:
        return looped(material.noises[random.integers(len(material.noises))], PASSAGE, random)
    spectrum = np.fft.rfft(random.standard_normal(PASSAGE))
    spectrum /= np.maximum(np.arange(len(spectrum)), 1) ** random.uniform(-0.3, 1.2)
    return scaled_to(np.fft.irfft(spectrum).astype(np.float32), 0.05)


def in_place(audio: Array, random: np.random.Generator) -> Array:
    """A passage as it may be recorded: at another length, in a room, through a telephone, with hiss, clipped, soft."""
    audio = scaled_to(audio, 0.1)
    if random.random() < 0.4:
        audio = cropped(audio, int(random.uniform(1.2, 4) * SAMPLE_RATE), random)
    if random.random() < 0.25:
        seconds = random.uniform(0.2, 1.0)
        time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
        tail = random.standard_normal(len(time)) * 10 ** (-3 * time / seconds) * random.uniform(0.02, 0.12)
        tail[0] = 1
        size = len(audio) + len(tail)
        audio = np.fft.irfft(np.fft.rfft(audio, size) * np.fft.rfft(tail, size), size)[: len(audio)]
    if random.random() < 0.4:
        spectrum, hertz = np.fft.rfft(audio), np.fft.rfftfreq(len(audio), 1 / SAMPLE_RATE)
        low, high = random.choice((0, 80, 200, 300)), random.choice((2000, 3000, 3400, 4000))
        tilt = (np.maximum(hertz, 50) / 1000) ** random.uniform(-0.5, 0.5)
        audio = np.fft.irfft(spectrum * tilt * (hertz >= low) * (hertz <= high), len(audio))
    if random.random() < 0.15:
        audio = np.clip(audio, -0.2, 0.2)
    if random.random() < 0.25:
        hiss = random.standard_normal(len(audio)).astype(np.float32)
        audio = with_noise(np.asarray(audio, np.float32), hiss, random.uniform(15, 40))
    return scaled_to(np.asarray(audio, np.float32), 10 ** (random.uniform(-50, -12) / 20))


def coded(passages: list[Array], work: Path, random: np.random.Generator) -> list[Array]:
    """Passages after a lossy codec at a low bit rate."""
    name, rate, bitrate = [("opus", 16000, 16), ("opus", 8000, 32), ("mp3", 16000, 48), ("mp3", 22050, 64)][
        random.integers(4)
    ]
    whole, path = np.concatenate(passages)[None], work / f"coded.{name}"
    write(path, np.clip(resample(whole, SAMPLE_RATE, rate), -1, 1), rate, choose_format(name, bitrate=bitrate))
    back = resample(*read(path), SAMPLE_RATE)[0]
    path.unlink()
    return np.split(back[: whole.shape[1]], np.cumsum([len(passage) for passage in passages])[:-1])


DRAW: dict[str, Callable[[Material, np.random.Generator], Array]] = {"speech": speech, "music": music, "noise": noise}


def drawn(material: Material, counts: tuple[int, ...], work: Path, seed: int) -> tuple[Array, Array]:
    """Features (P, D) and classes (P,) of passages."""
    random, features, classes = np.random.default_rng(seed), list[Array](), list[int]()
    for number, (kind, count) in enumerate(zip(KINDS, counts, strict=True)):
        for _ in range(0, count, 20):
            passages = [in_place(DRAW[kind](material, random), random) for _ in range(20)]
            passages = coded(passages, work, random) if random.random() < 0.4 else passages
            features += [passage_features(passage) for passage in passages]
            classes += [number] * 20
    return np.stack(features), np.array(classes)


def find_material(args: argparse.Namespace, split: str) -> Material:
    """The recordings of train or dev."""
    voices = {
        speaker: [read(clip.path)[0][0] for clip in clips[:CLIPS]]
        for speaker, clips in manifest.find_speakers(args.speech, split).items()
    }
    noises = [clip.path for clip in manifest.find_clips(args.noise, "train")]
    kept = [path for path in noises if (zlib.crc32(path.name.encode()) % DEV_NOISES == 0) == (split == "dev")]
    songs = {
        f"{folder}/{song.name}": {
            part: resample(read_stereo(clips, 44100).mean(0, keepdims=True), 44100, SAMPLE_RATE)[0]
            for part, clips in song.parts.items()
        }
        for folder in args.songs
        for song in song_folders.find_songs(folder, split)
    }
    for parts in songs.values():
        length = max(map(len, parts.values()))
        parts.update({part: np.pad(audio, (0, length - len(audio))) for part, audio in parts.items()})
    return Material(voices, [read(path)[0][0] for path in kept], songs)


def train(args: argparse.Namespace) -> None:
    """Draw, train, and write the best epoch."""
    sets = {
        split: drawn(find_material(args, split), COUNTS[split], args.work, seed)
        for seed, split in enumerate(("train", "dev"))
    }
    torch.manual_seed(0)
    features, classes = (torch.tensor(array) for array in sets["train"])
    dev, wanted = (torch.tensor(array) for array in sets["dev"])
    mean, scale = features.mean(0), features.std(0) + 1e-6
    features, dev = (features - mean) / scale, (dev - mean) / scale
    network = nn.Sequential(nn.Linear(features.shape[1], HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, len(KINDS)))
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    loss_of = nn.CrossEntropyLoss(label_smoothing=0.05)
    best = float("inf"), 0.0, dict[str, torch.Tensor]()
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(features)).split(BATCH):
            optimizer.zero_grad()
            noisy = features[batch] + 0.15 * torch.randn(len(batch), features.shape[1])
            loss_of(network(noisy), classes[batch]).backward()
            optimizer.step()
        schedule.step()
        with torch.no_grad():
            scores = network(dev)
            loss, right = nn.functional.cross_entropy(scores, wanted).item(), scores.argmax(1) == wanted
        if loss < best[0]:
            best = loss, right.float().mean().item(), {k: v.clone() for k, v in network.state_dict().items()}
    loss, right, state = best
    weights = {
        "mean": mean, "scale": scale,
        "hidden.weight": state["0.weight"], "hidden.bias": state["0.bias"],
        "output.weight": state["2.weight"], "output.bias": state["2.bias"],
    }  # fmt: skip
    safetensors.numpy.save_file(
        {name: value.numpy() for name, value in weights.items()}, args.out, {"licence": LICENCE}
    )
    print(f"dev passages: loss {loss:.3f}, {right:.1%} right; written to {args.out}")


def recordings(args: argparse.Namespace, split: str) -> Iterator[tuple[str, str, Array, int]]:
    """Whole recordings of a split: what is heard, the class, samples (C, T), and their rate."""
    random = np.random.default_rng(7)
    songs = [song for folder in args.songs for song in song_folders.find_songs(folder, split)]
    stereo = [
        read_stereo([clip for part in song.parts.values() for clip in part], 44100, start, 20)
        for song in songs
        for start in range(0, max(1, int(song_seconds(song)) - 15), 30)
    ]
    behind = [resample(audio.mean(0, keepdims=True), 44100, SAMPLE_RATE)[0] for audio in stereo]
    noises = [read(clip.path)[0][0] for clip in manifest.find_clips(args.noise, split if split == "test" else "train")]
    clips = [read(clip.path)[0] for clip in manifest.find_clips(args.speech, split)[:: args.every]]
    for clip in clips:
        yield "one speaker", "speech", clip, SAMPLE_RATE
        if clip.shape[1] > 2 * SAMPLE_RATE:
            other = looped(noises[random.integers(len(noises))], clip.shape[1], random)
            yield "speech, noise 5 dB below", "speech", with_noise(clip[0], other, 5)[None], SAMPLE_RATE
            other = looped(behind[random.integers(len(behind))], clip.shape[1], random)
            yield "speech, music 12 dB below", "speech", with_noise(clip[0], other, 12)[None], SAMPLE_RATE
    for voices in (2, 3):
        for mixture in listed(args.speech / f"{split}_mix{voices}.csv", voices)[:: args.every]:
            yield f"{voices} speakers at once", "speech", read_mixture(mixture, SAMPLE_RATE)[0][None], SAMPLE_RATE
    for audio in stereo:
        yield "songs", "music", audio, 44100
    for song in songs:
        for part, parts in song.parts.items():
            audio = read_stereo(parts, 44100, 0, 20)
            if np.mean(audio**2) > 1e-6:
                yield f"{part} alone", "music", audio, 44100
    for audio in noises:
        yield "noise", "noise", audio[None], SAMPLE_RATE


def score(args: argparse.Namespace, split: str) -> None:
    """Print what each kind of recording is taken for."""
    table: dict[tuple[str, str], Counter[str]] = {}
    for name, kind, audio, rate in recordings(args, split):
        if args.coded:
            path = args.work / "coded.mp3"
            write(path, np.clip(resample(audio, rate, 16000), -1, 1), 16000, choose_format("mp3", bitrate=48))
            audio, rate = read(path)
        table.setdefault((name, kind), Counter())[content_of(audio, rate).kind or "unsure"] += 1
    print("| recording | number | speech | music | noise | unsure |\n|---|--:|--:|--:|--:|--:|")
    for (name, _), counts in table.items():
        print(f"| {name} | {counts.total()} |", " | ".join(str(counts[key]) for key in (*KINDS, "unsure")), "|")
    for kind in ("speech", "music"):
        rows = [counts for (_, wanted), counts in table.items() if wanted == kind]
        right = sum(counts[kind] if kind == "music" else counts.total() - counts["music"] for counts in rows)
        print(f"{kind}: the right model for {right / sum(counts.total() for counts in rows):.1%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--speech", type=Path, required=True)
    parser.add_argument("--noise", type=Path, required=True)
    parser.add_argument("--songs", type=Path, action="append", required=True)
    parser.add_argument("--work", type=Path, default=Path("runs/content"), help="a folder for temporary files")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    parser.add_argument("--score", choices=("dev", "test"), help="score recordings of this split, and train nothing")
    parser.add_argument("--every", type=int, default=1, help="with --score: every so many-th recording of speech")
    parser.add_argument("--coded", action="store_true", help="with --score: after 48 kbit/s of mp3 at 16 kHz")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    score(args, args.score) if args.score else train(args)


if __name__ == "__main__":
    main()
