"""Throughput of `unbraid batch` in hours of audio an hour: one process with two threads, two with one thread each.

    python bench/batch.py [--files 16] [--seconds 30] [--repeats 3] [--models music-4 speech]

The ways take turns, so that other work on the machine meets all of them; the median of each is printed. The time is
that of the whole command, with the start of its processes and the loading of models. Hours a core-hour are those by the
processor time of all processes, which other work on the machine changes less.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from synth import write_song, write_voices

WAYS = {"1 process, 1 thread": (1, 1), "1 process, 2 threads": (1, 2), "2 processes, 1 thread": (2, 1)}


def main(files: int, seconds: float, repeats: int, models: list[str]) -> None:
    """Make recordings, run all ways in turn, and print a table."""
    print(f"{files} recordings of {seconds:g} s, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        print(f"{'model':10}{'way':24}{'hours an hour':>14}{'slowest, fastest':>18}{'a core-hour':>13}{'a worker':>12}")
        for model in models:
            raw = folder / model
            raw.mkdir()
            for number in range(files):
                if model.startswith("music"):
                    write_song(raw / f"{number}.wav", seconds)
                else:
                    write_voices(raw / f"{number}.wav", seconds, 16000)
            measured: dict[str, list[tuple[float, float, float]]] = {way: [] for way in WAYS}
            for repeat in range(repeats):
                for way, (processes, threads) in WAYS.items():
                    out = folder / f"{model}-{processes}-{threads}-{repeat}"
                    measured[way].append(measure(raw, out, model, processes, threads))
            for way, runs in measured.items():
                speeds, cores, memory = zip(*runs, strict=True)
                spread, median = f"{min(speeds):.1f}, {max(speeds):.1f}", statistics.median
                told = f"{median(speeds):14.1f}{spread:>18}{median(cores):13.1f}{max(memory):9.0f} MB"
                print(f"{model:10}{way:24}{told}", flush=True)
    print(f"load {os.getloadavg()[0]:.1f} at the end")


def measure(raw: Path, out: Path, model: str, processes: int, threads: int) -> tuple[float, float, float]:
    """Hours of audio an hour and a core-hour, and the peak memory of a worker in MB."""
    command = [sys.executable, "-m", "unbraid", "batch", str(raw), "-o", str(out), "-m", model, "--json", "-q"]
    started, used = time.monotonic(), processor_seconds()
    run = subprocess.run([*command, "-p", str(processes), "--threads", str(threads)], capture_output=True, check=True)
    elapsed = time.monotonic() - started
    lines = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()[1:]]
    audio = json.loads(run.stdout)["audio_seconds"]
    memory = max(line["peak_memory_bytes"] for line in lines) / 1e6
    return audio / elapsed, audio / (processor_seconds() - used), memory


def processor_seconds() -> float:
    """The processor time of all processes that this one has waited for, and of theirs."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=30.0, help="of each recording")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--models", nargs="+", default=["music-4", "speech"])
    main(**vars(parser.parse_args()))
