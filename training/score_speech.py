"""Score a model folder on the fixed mixtures, as a user runs it, in float32 and int8.

    python training/score_speech.py runs/speech-2/model --data speech8k --split test

Prints and returns SI-SDRi (means removed, best permutation, mean over sources and mixtures) in both precisions, and how
close int8 comes to float32 (SNR over all mixtures together); writes them as scores.json beside the folder.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from train_speech import RATE, load_mixtures

from unbraid.metrics import si_sdr_improvement
from unbraid.separator import Separator
from unbraid.spec import read_spec


def score(folder: Path, data: Path, split: str) -> dict[str, float]:
    """The scores of a folder, by name and variant."""
    sources = len(read_spec(folder).stems)
    name = f"{split}_mix{sources}"
    mixtures = [voices.numpy() for voices in load_mixtures(data, f"{name}.csv", sources)]  # each (S, T)
    gains: dict[str, list[float]] = {"float32": [], "int8": []}
    signal = noise = 0.0
    with Separator(folder) as exact, Separator(folder, precision="int8") as quick:
        for voices in mixtures:
            mixture = voices.sum(0)
            ours, int8 = (np.concatenate([*s(mixture[None], RATE).values()]) for s in (exact, quick))  # (S, T)
            gains["float32"].append(si_sdr_improvement(ours, voices, mixture))
            gains["int8"].append(si_sdr_improvement(int8, voices, mixture))
            signal += float(np.square(ours, dtype=np.float64).sum())
            noise += float(np.square(ours - int8, dtype=np.float64).sum())
    improvements = {f"SI-SDRi dB, {name}, {key}": round(float(np.mean(value)), 2) for key, value in gains.items()}
    return improvements | {f"SNR dB of int8 against float32, {name}": round(10 * np.log10(signal / noise), 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="dev")
    args = parser.parse_args()
    scores = score(args.folder, args.data, args.split)
    for name, value in scores.items():
        print(f"{value:8.2f}  {name}")
    (args.folder.parent / "scores.json").write_text(json.dumps(scores, indent=2) + "\n")


if __name__ == "__main__":
    main()
