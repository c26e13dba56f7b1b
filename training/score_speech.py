"""Score a model folder on fixed mixtures as a user runs it, and on what users have besides: noise, one voice, levels.

    python training/score_speech.py runs/speech-2/model --data speech8k --split test [--noise noise8k]

Prints, and writes as scores.json beside the folder for the model's card:

- SI-SDRi (means removed, best permutation, mean over sources and mixtures) in float32 and in int8, and how close int8
  comes to float32 (SNR over all mixtures together);
- the same with noise of the split under the mixture, SNR over the whole of both; improvement counts from the mixture;
- of every mixture's first voice alone: how far the other outputs stay below it;
- how far outputs at -40 dBFS and at 0 dBFS differ from each other, scaled back.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unbraid.corpora.fixed import listed
from unbraid.corpora.layouts import Wanted, find_mixtures, find_noises
from unbraid.corpora.levels import looped, with_noise
from unbraid.corpora.mixtures import read_clip, read_mixture
from unbraid.dsp.metrics import si_sdr_improvement
from unbraid.files.atomic import appearing
from unbraid.hub.spec import ModelSpec, read_spec
from unbraid.tasks.separation.separator import Separator

Array = NDArray[np.float32]
Run = Callable[[Array], Array]  # a mixture (T,) -> outputs (S, T)
LEVELS = 60  # mixtures that the costlier questions are asked of


def decibels(power: float, reference: float) -> float:
    return 10 * float(np.log10((power + 1e-12) / (reference + 1e-12)))


def energy(audio: Array) -> float:
    return float(np.square(audio, dtype=np.float64).sum())


def improvement(run: Run, mixtures: list[Array], noises: list[Array], snr_db: float) -> float:
    """Mean SI-SDRi over voices (S, T) with noise; each mixture's noise is the same at every SNR."""
    gains = []
    for i, voices in enumerate(mixtures):
        random = np.random.default_rng(i)
        noise = looped(noises[int(random.integers(len(noises)))], voices.shape[1], random)
        mixture = with_noise(voices.sum(0), noise, snr_db)
        gains.append(si_sdr_improvement(run(mixture), voices, mixture))
    return float(np.mean(gains))


def ghost(run: Run, mixtures: list[Array]) -> float:
    """Median of the power of all outputs but the loudest over its own, where one voice speaks."""
    ratios = []
    for voices in mixtures:
        powers = sorted(map(energy, run(voices[0])))
        ratios.append(decibels(sum(powers[:-1]), powers[-1]))
    return float(np.median(ratios))


def level_difference(run: Run, mixtures: list[Array]) -> float:
    """Outputs of the same mixtures with peaks at 0 dBFS and at -40 dBFS, one against the other."""
    noise = signal = 0.0
    for voices in mixtures:
        mixture = voices.sum(0) / np.abs(voices.sum(0)).max()
        loud = run(mixture)
        signal += energy(loud)
        noise += energy(loud - 100 * run(mixture / 100))
    return decibels(noise, signal)


def clean_scores(exact: Run, quick: Run, mixtures: list[Array], name: str) -> dict[str, float]:
    gains: dict[str, list[float]] = {"float32": [], "int8": []}
    signal = noise = 0.0
    for voices in mixtures:
        mixture = voices.sum(0)
        ours, int8 = exact(mixture), quick(mixture)
        gains["float32"].append(si_sdr_improvement(ours, voices, mixture))
        gains["int8"].append(si_sdr_improvement(int8, voices, mixture))
        signal += energy(ours)
        noise += energy(ours - int8)
    scores = {f"SI-SDRi dB, {name}, {key}": float(np.mean(value)) for key, value in gains.items()}
    return scores | {f"SNR dB of int8 against float32, {name}": decibels(signal, noise)}


def runner(separator: Separator, spec: ModelSpec) -> Run:
    return lambda mixture: np.concatenate([*separator(mixture[None], spec.sample_rate).values()])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="dev")
    parser.add_argument(
        "--list", type=Path, help="a CSV of mixtures of the data's recordings, such as dev_long_mix2.csv"
    )
    parser.add_argument("--noise", type=Path, help="a folder of noises, in any layout that corpora are found in")
    args = parser.parse_args()
    spec = read_spec(args.folder)
    wanted = Wanted(sources=len(spec.stems), sample_rate=spec.sample_rate)
    name = args.list.stem if args.list else f"{args.split}_mix{wanted.sources}"
    found = listed(args.list, wanted.sources, args.data) if args.list else find_mixtures(args.data, args.split, wanted)
    mixtures = [read_mixture(mixture, spec.sample_rate)[1] for mixture in found]
    with Separator(args.folder) as exact, Separator(args.folder, precision="int8") as quick:
        run = runner(exact, spec)
        scores = clean_scores(run, runner(quick, spec), mixtures, name)
        if args.noise:
            noises = [read_clip(clip, spec.sample_rate) for clip in find_noises(args.noise, args.split, wanted)]
            for snr_db in (15, 10, 5, 0):
                scores[f"SI-SDRi dB, {name}, noise at {snr_db} dB"] = improvement(run, mixtures, noises, snr_db)
        scores[f"dB of the other outputs where one voice speaks, {name}"] = ghost(run, mixtures[:LEVELS])
        scores[f"dB between outputs at 0 and -40 dBFS, {name}"] = level_difference(run, mixtures[:LEVELS])
    scores = {key: round(value, 2) for key, value in scores.items()}
    for key, value in scores.items():
        print(f"{value:8.2f}  {key}")
    with appearing(args.folder.parent / "scores.json") as fresh:
        fresh.write_text(json.dumps(scores, indent=2) + "\n")


if __name__ == "__main__":
    main()
