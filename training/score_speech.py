"""Score a model folder on fixed mixtures as a user runs it, and on what users have besides: noise, one voice, levels.

    python training/score_speech.py runs/speech-2/model --data speech8k --split test [--noise noise8k]

Prints, and writes as scores.json beside the folder for the model's card:

- SI-SDRi (means removed, best assignment of outputs to voices, mean over voices and mixtures) in float32 and, of a
  SepFormer, in int8, and how close int8 comes to float32 (SNR over all mixtures together);
- the same with noise of the split under the mixture, SNR over the whole of both; improvement counts from the mixture;
- of every mixture's first voice alone: how far the other outputs stay below it, and how often by 30 dB or more;
- how far outputs at -40 dBFS and at 0 dBFS differ from each other, scaled back.

A model that counts voices is scored on mixtures of two voices, of three and so on, all its outputs kept; and how often
it counts right is told for each number, one voice alone included.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unbraid.corpora.fixed import listed
from unbraid.corpora.layouts import Wanted, find_mixtures, find_noises
from unbraid.corpora.levels import looped, with_noise
from unbraid.corpora.mixtures import Mixture, read_clip, read_mixture
from unbraid.dsp.metrics import si_sdr_improvement
from unbraid.files.atomic import appearing
from unbraid.hub.spec import ModelSpec, read_spec
from unbraid.tasks.separation.options import Options
from unbraid.tasks.separation.separator import Separator

Array = NDArray[np.float32]
Run = Callable[[Array], Array]  # a mixture (T,) -> outputs (S, T)
LEVELS = 60  # mixtures that the costlier questions are asked of
FAINT_DB = -30.0  # other outputs that are this far below a voice cannot be heard beside it


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


def ghosts(run: Run, mixtures: list[Array]) -> list[float]:
    """The power of all outputs but the loudest over its own in dB, where the first voice of a mixture speaks alone."""
    ratios = []
    for voices in mixtures:
        powers = sorted(map(energy, run(voices[0])))
        ratios.append(decibels(sum(powers[:-1]), powers[-1]))
    return ratios


def level_difference(run: Run, mixtures: list[Array]) -> float:
    """Outputs of the same mixtures with peaks at 0 dBFS and at -40 dBFS, one against the other."""
    noise = signal = 0.0
    for voices in mixtures:
        mixture = voices.sum(0) / np.abs(voices.sum(0)).max()
        loud = run(mixture)
        signal += energy(loud)
        noise += energy(loud - 100 * run(mixture / 100))
    return decibels(noise, signal)


def clean_scores(exact: Run, quick: Run | None, mixtures: list[Array], name: str) -> dict[str, float]:
    gains: dict[str, list[float]] = {"float32": [], **({"int8": []} if quick else {})}
    signal = noise = 0.0
    for voices in mixtures:
        mixture = voices.sum(0)
        ours = exact(mixture)
        gains["float32"].append(si_sdr_improvement(ours, voices, mixture))
        if quick:
            int8 = quick(mixture)
            gains["int8"].append(si_sdr_improvement(int8, voices, mixture))
            signal += energy(ours)
            noise += energy(ours - int8)
    scores = {f"SI-SDRi dB, {name}, {key}": float(np.mean(value)) for key, value in gains.items()}
    scores[f"share below 1 dB, {name}"] = float(np.mean(np.array(gains["float32"]) < 1))
    return scores | ({f"SNR dB of int8 against float32, {name}": decibels(signal, noise)} if quick else {})


class Runner:
    """Runs a separator on mixtures (T,), and keeps how many voices it has found in each."""

    def __init__(self, separator: Separator) -> None:
        self._separator, self.found = separator, list[int | None]()

    def __call__(self, mixture: Array) -> Array:
        """The outputs (S, T) of a mixture (T,)."""
        run = self._separator.run_array(mixture[None], self._separator.spec.sample_rate)
        pieces = [np.concatenate([*stems.values()]) for stems in run]
        self.found.append(run.diagnostics.voices_found)
        return np.concatenate(pieces, axis=-1)

    def counted_right(self, number: int) -> float:
        """The share of mixtures since the last call in which so many voices were found."""
        found, self.found = self.found, []
        return float(np.mean([count == number for count in found]))


def score(folder: Path, spec: ModelSpec, sets: dict[str, list[Array]], noises: list[Array]) -> dict[str, float]:
    """All scores, on sets of mixtures (S, T) by their names."""
    scores: dict[str, float] = {}
    options = Options(tracks=False)  # the network's outputs, whoever speaks on them
    with Separator(folder, options=options) as separator:
        exact = Runner(separator)
        quick = Runner(Separator(folder, precision="int8")) if spec.family == "sepformer" else None
        for name, mixtures in sets.items():
            exact.found = []
            scores |= clean_scores(exact, quick, mixtures, name)
            if spec.silent_outputs:
                scores[f"share counted right, {name}"] = exact.counted_right(len(mixtures[0]))
            for snr_db in (15, 10, 5, 0) if noises else ():
                scores[f"SI-SDRi dB, {name}, noise at {snr_db} dB"] = improvement(exact, mixtures, noises, snr_db)
        name, mixtures = next(iter(sets.items()))
        exact.found = []
        alone = ghosts(exact, mixtures if spec.silent_outputs else mixtures[:LEVELS])
        scores[f"dB of the other outputs where one voice speaks, {name}"] = float(np.median(alone))
        scores[f"share of them at {FAINT_DB:g} dB or below, {name}"] = float(np.mean(np.array(alone) <= FAINT_DB))
        if spec.silent_outputs:
            scores[f"share counted right where one voice speaks, {name}"] = exact.counted_right(1)
        scores[f"dB between outputs at 0 and -40 dBFS, {name}"] = level_difference(exact, mixtures[:LEVELS])
    return {key: round(value, 2) for key, value in scores.items()}


def read(found: Sequence[Mixture], sample_rate: int) -> list[Array]:
    """The voices (S, T) of mixtures."""
    return [read_mixture(mixture, sample_rate)[1] for mixture in found]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="dev")
    parser.add_argument(
        "--list", type=Path, help="a CSV of mixtures of the data's recordings, such as dev_long_mix2.csv"
    )
    parser.add_argument(
        "--voices", type=int, help="of the mixtures; by default as many as there are outputs, and fewer"
    )
    parser.add_argument("--noise", type=Path, help="a folder of noises, in any layout that corpora are found in")
    parser.add_argument("--limit", type=int, help="only the first mixtures")
    args = parser.parse_args()
    spec = read_spec(args.folder)
    rate, outputs = spec.sample_rate, len(spec.stems)
    numbers = range(2, outputs + 1) if spec.silent_outputs and not args.list else (2 if args.list else outputs,)
    sets = {}
    for voices in (args.voices,) if args.voices else numbers:
        wanted = Wanted(sources=voices, sample_rate=rate)
        name = args.list.stem if args.list else f"{args.split}_mix{voices}"
        found = listed(args.list, voices, args.data) if args.list else find_mixtures(args.data, args.split, wanted)
        sets[name] = read(found[: args.limit], rate)
    wanted = Wanted(sources=outputs, sample_rate=rate)
    noises = [read_clip(clip, rate) for clip in find_noises(args.noise, args.split, wanted)] if args.noise else []
    scores = score(args.folder, spec, sets, noises)
    for key, value in scores.items():
        print(f"{value:8.2f}  {key}")
    with appearing(args.folder.parent / "scores.json") as fresh:
        fresh.write_text(json.dumps(scores, indent=2) + "\n")


if __name__ == "__main__":
    main()
