"""Measuring: a whole command, or one call of a long-lived worker; ours and a peer's in turn, A B A B.

Pairs are measured back to back and compared by the median of their ratios, so that a busy or slowing machine
disturbs both sides alike. CPU seconds and peak memory are the kernel's own counts (`wait4`, `getrusage`); a
command's peak memory is never below this process's own, some 60 MB.
"""

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RESULTS = HERE / "results"
REST_SECONDS = 0.5  # between calls: threads of the last one may still spin


@dataclass(frozen=True)
class Measure:
    """The cost of one run."""

    wall_s: float
    cpu_s: float
    peak_mb: float


@dataclass(frozen=True)
class Job:
    """A job done by us and, in turn, by a peer; `theirs` is empty where there is nothing to compare with."""

    name: str
    ours: list[Measure]
    theirs: list[Measure]
    aim: str = ""  # what the project asks of it
    agreement_db: float | None = None  # of our output with theirs, as SNR


def use_cores(count: int) -> None:
    """Hold this process, and all that it starts, to `count` cores; every runtime here then starts as many threads."""
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < count:
        raise SystemExit(f"The bench needs {count} cores; this process may use {len(allowed)}.")
    os.sched_setaffinity(0, allowed[:count])
    os.environ["OMP_NUM_THREADS"] = str(count)


def run(command: Sequence[str | Path], environment: dict[str, str] | None = None) -> Measure:
    """Run a whole command and measure it, start-up included."""
    time.sleep(REST_SECONDS)
    words = [str(word) for word in command]
    done = subprocess.run(
        [sys.executable, "-S", HERE / "launch.py", *words],
        capture_output=True, text=True, errors="replace", env={**os.environ, **(environment or {})},
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{' '.join(words)} failed:\n{done.stderr[-2000:]}")
    return Measure(**json.loads(done.stdout))


class Worker:
    """A process that has loaded a model and separates files on request (see `worker.py` for its side)."""

    def __init__(self, command: Sequence[str | Path], environment: dict[str, str] | None = None):
        self._words = [str(word) for word in command]
        env = {**os.environ, **(environment or {})}
        self._process = subprocess.Popen(self._words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)
        self._read()  # ready

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()

    def __call__(self, audio: Path, save: Path | None = None) -> Measure:
        """Separate `audio` (.npy, (T,)); the answer may be saved as .npy (S, T)."""
        assert self._process.stdin
        time.sleep(REST_SECONDS)
        self._process.stdin.write(json.dumps({"audio": str(audio), "save": str(save) if save else None}) + "\n")
        self._process.stdin.flush()
        return Measure(**self._read())

    def _read(self) -> dict[str, float]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{' '.join(self._words)} ended; its own words are above.")
        return dict(json.loads(line))


def in_turn(runs: Sequence[Callable[[], Measure]], rounds: int) -> list[list[Measure]]:
    """Measure each run once a round, A B A B …; one list for each."""
    measured = [[run() for run in runs] for _ in range(rounds)]
    return [list(column) for column in zip(*measured, strict=True)]


def machine() -> dict[str, Any]:
    """Where and when this was measured."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    return {
        "date": time.strftime("%Y-%m-%d"),
        "cpu": name,
        "cores": len(os.sched_getaffinity(0)),
        "system": platform.platform(),
    }


def versions(python: Path, packages: Sequence[str]) -> dict[str, str]:
    """The installed versions of packages in another environment."""
    code = (
        "import sys, platform, importlib.metadata as m;"
        "print(platform.python_version(), *[m.version(p) for p in sys.argv[1:]])"
    )
    words = subprocess.run([python, "-c", code, *packages], capture_output=True, text=True, check=True).stdout.split()
    return dict(zip(["Python", *packages], words, strict=True))


def write_result(name: str, result: dict[str, Any]) -> None:
    """Write results/NAME.json, dataclasses as objects."""
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps({"machine": machine(), **result}, indent=1, default=asdict)
    (RESULTS / f"{name}.json").write_text(text + "\n")
    print(f"bench/results/{name}.json written", file=sys.stderr)
