"""A batch of short files, whose workers and driver are killed at random: nothing is lost, and nothing is done twice.

    python tests/crash/batch_kills.py [--files 500] [--kills 50] [--seed 0]      (or make crash)

The batch is started again with --resume as often as its driver is killed. In the end every file has one row that says
"done", its outputs are those that the row names, byte for byte, and no hidden folder is left.
"""

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from hashlib import sha256
from pathlib import Path

import numpy as np
import soundfile

RATE, SECONDS = 8000, (0.3, 0.9)


def make_recordings(folder: Path, count: int) -> None:
    """Short files of noise, in a few folders."""
    noise = np.random.default_rng(0)
    for number in range(count):
        place = folder / f"{number % 7}" / f"{number}.wav"
        place.parent.mkdir(parents=True, exist_ok=True)
        samples = round(RATE * noise.uniform(*SECONDS))
        soundfile.write(place, 0.1 * noise.standard_normal(samples), RATE)


class Batch:
    """A batch that is started as often as it takes."""

    def __init__(self, raw: Path, out: Path, processes: int, model: str = "music-4") -> None:
        self.raw, self.out, self._processes, self._model = raw, out, processes, model
        self.driver: subprocess.Popen[bytes] | None = None

    @property
    def journal(self) -> Path:
        return self.out / "manifest.jsonl"

    def start(self, *options: str) -> "subprocess.Popen[bytes]":
        """Start it, or go on with it."""
        command = [sys.executable, "-m", "unbraid", "batch", str(self.raw), "-o", str(self.out), "-m", self._model]
        how = options or (("--resume",) if self.journal.exists() else ())
        self.driver = subprocess.Popen(
            [*command, "-p", str(self._processes), *how], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        return self.driver

    def workers(self) -> list[int]:
        """The processes of its workers, at present."""
        assert self.driver is not None
        with_resources = children(self.driver.pid)
        return [pid for pid in with_resources if b"spawn_main" in command_of(pid)]

    def lines(self) -> list[dict[str, object]]:
        """The whole lines of the journal about files."""
        text = self.journal.read_bytes() if self.journal.exists() else b""
        return [json.loads(line) for line in text.split(b"\n")[1:-1]]


def children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def harass(batch: Batch, kills: int, luck: random.Random, pause: tuple[float, float]) -> Counter[str]:
    """Let a batch run to its end, and meanwhile kill its workers and driver so many times; how many of each."""
    killed: Counter[str] = Counter()
    driver = batch.start()
    while killed.total() < kills:
        try:
            driver.wait(luck.uniform(*pause))
        except subprocess.TimeoutExpired:
            workers = batch.workers()
            if luck.random() < 0.5:
                driver.kill()
                driver.communicate()
                killed["driver"] += 1
                driver = batch.start()
            elif workers:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(luck.choice(workers), signal.SIGKILL)
                    killed["worker"] += 1
        else:  # it has ended before
            break
    _, told = driver.communicate()
    if driver.returncode == 1:  # a file whose worker was killed three times is set aside, as one that crashes it
        _, told = batch.start("--retry", "failed").communicate()
    assert batch.driver is not None and batch.driver.returncode == 0, told.decode()
    return killed


def check(batch: Batch, count: int) -> None:
    """Nothing is lost, doubled, half-written or left over."""
    lines = batch.lines()
    done = Counter(line["address"] for line in lines if line["status"] == "done")
    assert len(done) == count and set(done.values()) == {1}, (len(done), done.most_common(3))
    for line in lines:
        if line["status"] == "done":
            folder = batch.out / str(line["name"])
            named = {file["name"]: file["sha256"] for file in line["outputs"]}  # type: ignore[attr-defined]
            assert {path.name for path in folder.iterdir()} == {*named, ".unbraid.json"}, folder
            for name, digest in named.items():
                assert sha256((folder / name).read_bytes()).hexdigest() == digest, folder / name
    assert not list(batch.out.rglob(".unbraid-*")), "hidden files are left"
    try:
        from pyarrow import parquet
    except ModuleNotFoundError:
        return
    table = parquet.read_table(batch.out / "manifest.parquet")
    assert table.column("status").to_pylist() == ["done"] * count
    assert set(table.column("address").to_pylist()) == done.keys()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=500)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make_recordings(root / "raw", options.files)
        batch = Batch(root / "raw", root / "out", 2)
        started = time.monotonic()
        killed = harass(batch, options.kills, random.Random(options.seed), (2.0, 7.0))
        check(batch, options.files)
        attempts = Counter(line["status"] for line in batch.lines())
        print(f"{options.files} files, killed {dict(killed)} in {time.monotonic() - started:.0f} s: {dict(attempts)}")


if __name__ == "__main__":
    main()
