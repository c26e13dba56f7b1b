"""Score a model folder on packed songs, as a user runs it.

    python training/score_music.py runs/music/music-4 --data packed --split test

Prints uSDR and its improvement on the mixture, in dB, per stem over whole songs: recorded and rendered ones apart, mean
over the songs that have the stem. Adds them to scores.json beside the folder.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from unbraid.metrics import sdr
from unbraid.separator import Separator

RATE = 44100
KINDS = {"recorded": "a real song", "midi": "rendered songs"}
PLAYED = ("vocals", "drums", "bass", "other")
SILENT = 1e-7  # mean power below which a stem does not count as there


def score_song(separator: Separator, folder: Path) -> dict[str, tuple[float, float]]:
    """SDR and improvement of every stem that a packed song has."""
    waves = {p.stem: np.load(p).T.astype(np.float32) / 32768 for p in folder.glob("*.npy")}  # (C, T)
    waves["accompaniment"] = np.sum([waves[stem] for stem in PLAYED[1:] if stem in waves], axis=0)
    mixture = waves["vocals"] + waves["accompaniment"]
    scores = {}
    for stem, estimate in separator(mixture, RATE).items():
        if stem in waves and np.mean(waves[stem] ** 2) > SILENT:
            after = float(sdr(estimate, waves[stem]))
            scores[stem] = after, after - float(sdr(mixture, waves[stem]))
    return scores


def score(folder: Path, songs: list[Path], split: str) -> dict[str, float]:
    """The scores of a folder, by name and variant."""
    scores = {}
    with Separator(folder) as separator:
        per_song = {song.name: score_song(separator, song) for song in songs}
        for kind, words in KINDS.items():
            for stem in separator.stems():
                found = [s[stem] for name, s in per_song.items() if name.startswith(kind) and stem in s]
                if found:
                    after, gain = np.mean(found, axis=0)
                    where = f"{stem}, {split}, {words}"
                    scores[f"uSDR dB, {where}"] = round(float(after), 2)
                    scores[f"uSDR improvement dB, {where}"] = round(float(gain), 2)
    return scores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="dev")
    args = parser.parse_args()
    scores = score(args.folder, sorted((args.data / args.split).iterdir()), args.split)
    for name, value in scores.items():
        print(f"{value:8.2f}  {name}")
    path = args.folder.parent / "scores.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(known | {args.folder.name: scores}, indent=2) + "\n")


if __name__ == "__main__":
    main()
