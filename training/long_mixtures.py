"""Draw fixed mixtures of two voices of 10 to 16 s, for whether a model keeps its voices apart that long.

    python training/long_mixtures.py --data speech8k

Writes `{dev,test}_long_mix2.csv` into the campaign's folder, in the layout of a corpus's own lists of mixtures (see
`corpora.fixed`; paths are relative to the data folder). The lists are committed, and the draw is always the same.
"""

import argparse
import csv
import zlib
from pathlib import Path

import numpy as np

from unbraid.corpora import Wanted, find_speakers
from unbraid.corpora.mixtures import Clip, read_head

FOLDER = Path(__file__).parent / "campaigns" / "speech"
MIXTURES, RATE = 100, 8000
SHORTEST, LONGEST, SPREAD_DB = 10.0, 16.0, 2.5
COLUMNS = ("id", "seconds", *(f"{part}_{j}" for j in (1, 2) for part in ("path", "start", "gain_db")))


def rows(recordings: list[list[tuple[str, float]]], split: str) -> list[tuple[object, ...]]:
    """Mixtures of recordings (name, seconds), a list of them for each speaker, each as long as its shorter voice."""
    random = np.random.default_rng(zlib.crc32(f"{split}_long_mix2".encode()))
    found = []
    for number in range(MIXTURES):
        who = random.choice(len(recordings), 2, replace=False)
        voices = [recordings[i][int(random.integers(len(recordings[i])))] for i in who]
        seconds = min(LONGEST, *(own for _, own in voices))
        row: list[object] = [f"long{number:03d}", f"{seconds:.2f}"]
        for name, own in voices:
            start, gain_db = random.uniform(0, own - seconds), random.uniform(-SPREAD_DB, SPREAD_DB)
            row += [name, f"{np.floor(100 * start) / 100:.2f}", f"{gain_db:.2f}"]
        found.append(tuple(row))
    return found


def long_recordings(data: Path, split: str) -> list[list[tuple[str, float]]]:
    """Recordings of a split that are long enough, in whole hundredths of a second, by speaker."""
    speakers = find_speakers(data, split, Wanted(sources=2, sample_rate=RATE))

    def seconds(clip: Clip) -> float:
        return float(np.floor(100 * read_head(clip, RATE).samples / RATE) / 100)

    everyone = [
        [(str(clip.path.relative_to(data)), seconds(clip)) for clip in speakers[who]] for who in sorted(speakers)
    ]
    long = [sorted(clip for clip in clips if clip[1] >= SHORTEST) for clips in everyone]
    return [clips for clips in long if clips]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    data = parser.parse_args().data
    for split in ("dev", "test"):
        with open(FOLDER / f"{split}_long_mix2.csv", "w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([COLUMNS, *rows(long_recordings(data, split), split)])


if __name__ == "__main__":
    main()
