"""Train the network that gives an enhanced voice its share of the band above 4 kHz.

    python training/high_band_noise.py --wide speech16k --speech speech8k --noise noise8k --songs music

Voices at 16 kHz (see `high_band.py`) are mixed with noise: accompaniments of songs, coloured noise, and noises recorded
at 8 kHz, continued above 4 kHz by their mirror image. `denoise` hears the mixtures at 8 kHz; the network hears
the spectra of its voice, of the noise that it removed, and of the mixture above 4 kHz, and learns the gain with which
the latter comes closest to the voice. The epoch with the best score on dev is written to
`src/unbraid/assets/high_band_noise.safetensors`.

`--score test` prints, for several levels of noise of a split, the SI-SDR over the whole band (and the wide-band PESQ,
where pesq is installed) of the voice up to 4 kHz, with the band above, and as `unbraid enhance` gives it, with the
bypass for clean speech.
"""

import argparse
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from high_band import CELL, RATE, SECONDS, fit, speakers_of, voice

from unbraid.audio import read, resample
from unbraid.corpora import manifest, song_folders
from unbraid.corpora.levels import Array, cropped, looped, scaled_to, with_noise
from unbraid.corpora.songs import read_stereo
from unbraid.dsp.metrics import si_sdr
from unbraid.dsp.mixture_consistency import cell_power
from unbraid.dsp.voice_bands import above_crossover, noise_features
from unbraid.tasks.separation.high_band import NOISE
from unbraid.tasks.separation.options import Options
from unbraid.tasks.separation.separator import Separator

COUNTS = {"train": 1000, "dev": 120, "test": 64}
SAMPLES = SECONDS * RATE
DEV_NOISES = 5  # one of so many noises of train is for dev


@dataclass
class Noises:
    """Recordings of a split, mono."""

    recorded: list[Array]  # at 8 kHz
    songs: list[Array]  # accompaniments, at 16 kHz

    def draw(self, random: np.random.Generator) -> Array:
        """Five seconds of noise at 16 kHz."""
        kind = random.choice(("recorded", "song", "coloured"), p=(0.5, 0.25, 0.25))
        if kind == "recorded":
            clip = looped(self.recorded[random.integers(len(self.recorded))], SAMPLES // 2, random)
            stuffed = np.zeros(SAMPLES, np.float32)
            stuffed[::2] = 2 * clip  # its spectrum, and the mirror image above 4 kHz
            high = above_crossover(stuffed, RATE)
            return stuffed - high + high * 10 ** (random.uniform(-20, 0) / 20)
        if kind == "song":
            song = self.songs[random.integers(len(self.songs))]
            return cropped(song, SAMPLES, random)
        spectrum = np.fft.rfft(random.standard_normal(SAMPLES))
        spectrum /= np.maximum(np.arange(len(spectrum)), 20) ** random.uniform(-0.3, 1.2)
        return np.fft.irfft(spectrum).astype(np.float32)


def noises_of(args: argparse.Namespace, split: str) -> Noises:
    """Noises of a split."""
    clips = [clip.path for clip in manifest.find_clips(args.noise, "test" if split == "test" else "train")]
    if split != "test":
        clips = [path for path in clips if (zlib.crc32(path.name.encode()) % DEV_NOISES == 0) == (split == "dev")]
    bands = [
        [clip for part, clips in song.parts.items() if part != "vocals" for clip in clips]
        for song in song_folders.find_songs(args.songs, split)
    ]
    songs = [resample(read_stereo(clips, 44100).mean(0)[None], 44100, RATE)[0] for clips in bands]
    return Noises([read(path)[0][0] for path in clips], songs)


def drawn(
    args: argparse.Namespace, split: str, snrs_db: tuple[float, ...], seed: int
) -> Iterator[tuple[Array, Array, Array]]:
    """Voices (T,) at 16 kHz, their mixtures with noise, and what `denoise` makes of those up to 4 kHz.

    SNRs are drawn between the first and the last one, or taken in turn, where there are more than two.
    """
    random, speakers, noises = np.random.default_rng(seed), speakers_of(args, split), noises_of(args, split)
    names = sorted(speakers)
    often = np.sqrt([len(speakers[name]) for name in names])
    with Separator("denoise", threads=1, options=Options(high_band="drop", bypass=False)) as separator:
        for number in range(COUNTS[split]):
            clean = voice(speakers[random.choice(names, p=often / often.sum())], random).astype(np.float32)
            noise = noises.draw(random)
            while not np.mean(noise**2) > 1e-8:
                noise = noises.draw(random)
            snr = snrs_db[number % len(snrs_db)] if len(snrs_db) > 2 else random.uniform(*snrs_db)
            mixture = with_noise(clean, scaled_to(noise, 0.05), snr)
            yield clean, mixture, separator(mixture[None], RATE)["speech"][0]


def tensors_of(examples: Iterator[tuple[Array, Array, Array]]) -> tuple[torch.Tensor, ...]:
    """Features (E, 1, N, D), and above 4 kHz in each cell <voice, mixture> (E, N), |mixture|² and |voice|² (E, N)."""
    found: tuple[list[Array], ...] = ([], [], [], [])
    for clean, mixture, heard in examples:
        high, wanted = above_crossover(mixture, RATE), above_crossover(clean, RATE)
        rest = mixture - heard
        high_rest = above_crossover(rest, RATE)
        scale = 1 / (cell_power(wanted, CELL).mean() + 1e-9)
        features = noise_features(heard[None], (rest - high_rest)[None], high_rest[None], RATE, CELL)
        products = (wanted * high).reshape(-1, CELL).sum(-1)
        for values, value in zip(
            found,
            (features, products * scale, cell_power(high, CELL) * scale, cell_power(wanted, CELL) * scale),
            strict=True,
        ):
            values.append(value)
    return tuple(torch.tensor(np.stack(values), dtype=torch.float32) for values in found)


def varied(features: torch.Tensor) -> torch.Tensor:
    """Features (E, 1, N, D) through other microphones: a random level of every band, and noise."""
    return features + 0.15 * torch.randn(len(features), 1, 1, features.shape[-1]) + 0.1 * torch.randn_like(features)


def error(scores: torch.Tensor, products: torch.Tensor, powers: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """The energy of the error relative to that of the voice above 4 kHz, compressed, of each example (E,)."""
    gains = scores[:, 0].sigmoid()
    missed = (gains**2 * powers - 2 * gains * products + wanted).sum(1) / wanted.sum(1)
    return missed.clamp(min=1e-4).sqrt()  # so that a few noisy ones do not decide alone


def train(args: argparse.Namespace) -> None:
    """Draw, train, and write the best epoch."""
    sets = [tensors_of(drawn(args, split, (-5.0, 40.0), seed)) for seed, split in enumerate(("train", "dev"))]
    fit(sets, varied, error, args.out)


def score(args: argparse.Namespace, split: str) -> None:
    """Print scores of the mixture, and of the voice up to 4 kHz, with the band above, and with the bypass as well."""
    snrs = (0.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 40.0)
    rows: dict[float, list[list[float]]] = {}
    whole = Options(bypass=False)
    with Separator("denoise", threads=1, options=whole) as processed, Separator("denoise", threads=1) as spared:
        for number, (clean, mixture, narrow) in enumerate(drawn(args, split, snrs, 6)):
            ways = (mixture, narrow, *(way(mixture[None], RATE)["speech"][0] for way in (processed, spared)))
            found = [float(si_sdr(way[None], clean[None])[0]) for way in ways[1:]] + [pesq(way, clean) for way in ways]
            rows.setdefault(snrs[number % len(snrs)], []).append(found)
    print(
        "| SNR, dB | SI-SDR, dB: up to 4 kHz | all | with the bypass | PESQ: recording | up to 4 kHz | all | bypass |"
    )
    print("|--:|--:|--:|--:|--:|--:|--:|--:|")
    for snr, found in sorted(rows.items()):
        sdr, quality = np.split(np.nanmean(found, axis=0), [3])
        print(
            f"| {snr:g} |",
            " | ".join([*(f"{value:.1f}" for value in sdr), *(f"{value:.2f}" for value in quality)]),
            "|",
        )


def pesq(audio: Array, clean: Array) -> float:
    """The wide-band PESQ (ITU-T P.862.2); NaN where it is not installed or hears no speech."""
    try:
        from pesq import PesqError, pesq
    except ImportError:
        return float("nan")
    try:
        return float(pesq(RATE, clean, audio, "wb"))
    except PesqError:
        return float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("wide", "speech", "noise", "songs"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=NOISE)
    parser.add_argument("--score", choices=("dev", "test"), help="score mixtures of this split, and train nothing")
    args = parser.parse_args()
    score(args, args.score) if args.score else train(args)


if __name__ == "__main__":
    main()
