"""Whisper: ours against faster-whisper, the same weights and beams -> results/transcription.json.

    python bench/transcription.py --peers DIR --recordings CSV [--count 40] [--whisper DIR --ctranslate2 DIR]

CSV has the columns path, relative to it, and text. Without folders, both sides download Whisper base: ours as
transformers publishes it, the peer's converted for CTranslate2. Every recording is read by all sides in turn, in
English, with 5 beams.
"""

import argparse
import csv
import tempfile
from pathlib import Path

import numpy as np
from envs import make, python_of
from measure import Measure, Worker, run, use_cores, versions, write_result

from unbraid import audio
from unbraid.evaluation.text.scoring import edit_distance
from unbraid.evaluation.text.transcription import plain_words

HERE = Path(__file__).parent
RATE, BEAMS = 16000, 5
SIDES = {  # side: precision, or compute type
    "ours, float32": "float32",
    "faster-whisper, float32": "float32",
    "ours, int8": "int8",
    "faster-whisper, int8": "int8",
}
TITLES = {"mr": "mister", "mrs": "missus", "dr": "doctor"}  # LibriSpeech writes them out


def words_of(text: str) -> tuple[str, ...]:
    """The words of a text, as they are compared."""
    return tuple(TITLES.get(word, word) for word in plain_words(text))


def recordings(table: Path, count: int, scratch: Path) -> list[tuple[Path, tuple[str, ...], float]]:
    """So many of the recordings, evenly spread, as arrays; with their words and seconds."""
    with table.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    found = []
    for row in rows[:: max(1, len(rows) // count)][:count]:
        samples, rate = audio.read(table.parent / row["path"])
        if rate != RATE:
            raise SystemExit(f"{row['path']} has {rate} Hz; the bench takes recordings of {RATE} Hz.")
        np.save(place := scratch / f"{len(found)}.npy", samples.mean(0))
        found.append((place, words_of(row["text"]), samples.shape[1] / rate))
    return found


def measured(
    workers: dict[str, Worker], spoken: list[tuple[Path, tuple[str, ...], float]], scratch: Path
) -> list[dict]:
    """The rows of the table: word errors, and what all recordings together cost."""
    costs: dict[str, list[Measure]] = {side: [] for side in workers}
    errors = dict.fromkeys(workers, 0)
    for worker in workers.values():
        worker(spoken[0][0])  # warm
    for place, words, _ in spoken:
        for side, worker in workers.items():
            costs[side].append(worker(place, save := scratch / "text.npy"))
            errors[side] += edit_distance(words_of(str(np.load(save)[0])), words)
    return [
        {
            "side": side,
            "errors": errors[side],
            "wall_s": sum(cost.wall_s for cost in costs[side]),
            "cpu_s": sum(cost.cpu_s for cost in costs[side]),
            "peak_mb": max(cost.peak_mb for cost in costs[side]),
        }
        for side in workers
    ]


def main() -> None:
    """Read the command line, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=Path, required=True, metavar="DIR", help="folder of the environments")
    parser.add_argument("--recordings", type=Path, required=True, metavar="CSV", help="paths and texts")
    parser.add_argument("--count", type=int, default=40, help="of recordings")
    parser.add_argument("--whisper", type=Path, metavar="DIR", help="Whisper base as published for transformers")
    parser.add_argument("--ctranslate2", default="base", metavar="DIR", help="the same, converted for CTranslate2")
    parser.add_argument("--cores", type=int, default=2)
    arguments = parser.parse_args()
    make(arguments.peers, "faster-whisper", ["faster-whisper"])
    ours, theirs = (python_of(arguments.peers, name) for name in ("unbraid", "faster-whisper"))
    use_cores(arguments.cores)
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        environment, name = {"UNBRAID_CACHE": str(scratch / "cache")}, "openai/whisper-base"
        fetch = ["import", arguments.whisper, "--to", name := "whisper-base"] if arguments.whisper else ["pull", name]
        run([ours, "-m", "unbraid", "models", *fetch], environment)
        spoken = recordings(arguments.recordings, arguments.count, scratch)
        workers = {
            side: Worker([ours, HERE / "whisper_worker.py", name, precision, str(BEAMS)], environment)
            if side.startswith("ours")
            else Worker([theirs, HERE / "faster_whisper_worker.py", arguments.ctranslate2, precision, str(BEAMS)])
            for side, precision in SIDES.items()
        }
        rows = measured(workers, spoken, scratch)
        for worker in workers.values():
            worker.__exit__()
    counts = {"recordings": len(spoken), "words": sum(len(words) for _, words, _ in spoken)}
    write_result(
        "transcription",
        {
            "ours": versions(ours, ["unbraid", "onnxruntime", "numpy"]),
            "peer": versions(theirs, ["faster-whisper", "ctranslate2"]),
            "source": arguments.recordings.parent.name,
            **counts,
            "seconds": sum(seconds for *_, seconds in spoken),
            "rows": rows,
        },
    )


if __name__ == "__main__":
    main()
