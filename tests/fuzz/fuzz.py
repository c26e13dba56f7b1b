"""Read mutated files until the time is over, in a process that may die: no crash, no hang, no error of another kind.

python tests/fuzz/fuzz.py --minutes 30                     # all targets in turn, a new seed each time
python tests/fuzz/fuzz.py --minutes 5 --target torch --seed 7
python tests/fuzz/fuzz.py --list

A case is a function of target, seed and number, so a finding can be made again. Its file is kept in
tests/fuzz/findings, where `pytest tests/fuzz` reads it from then on; mend the reader, and write a test that says what
must happen instead.
"""

import argparse
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
FINDINGS = HERE / "findings"
BATCH = 2000  # cases for one process
HANG_SECONDS = 60.0  # of processor time without an answer
sys.path[:0] = [str(HERE)]


@dataclass
class Finding:
    """A file that was not read as it should be."""

    target: str
    seed: int
    number: int
    what: str


class Worker:
    """A process that reads cases, watched."""

    def __init__(self, *arguments: object):
        environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONMALLOC": "malloc"}
        self._process = subprocess.Popen(
            [sys.executable, "-B", str(HERE / "fuzz_worker.py"), *map(str, arguments)],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, env=environment,
        )  # fmt: skip

    def _seconds(self) -> float:
        """Processor time that it has used, where the system tells, so that other work on the machine is no finding."""
        try:
            fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return time.monotonic()
        idle = time.monotonic() / 20  # one that sleeps for ever is found, too
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") + idle

    def lines(self) -> Iterator[tuple[str, int, str]]:
        """What it says: "case", number, ""; "finding", number, what; and "died", -1, how, if it does not end well."""
        assert self._process.stdout
        pending, heard = b"", self._seconds()
        while True:
            while not select.select([self._process.stdout], [], [], 1.0)[0]:
                if self._seconds() - heard > HANG_SECONDS:
                    self.stop()
                    yield "died", -1, f"no answer in {HANG_SECONDS:.0f} s"
                    return
            heard = self._seconds()
            piece = os.read(self._process.stdout.fileno(), 1 << 16)
            if not piece:
                break
            *whole, pending = (pending + piece).split(b"\n")
            for line in whole:
                kind, _, rest = line.decode("utf-8", "replace").partition(" ")
                number, _, what = rest.partition(" ")
                if kind == "done":
                    self.stop()
                    return
                yield kind, int(number), what
        code = self._process.wait()
        self.stop()
        yield "died", -1, f"exit {code}"

    def stop(self) -> None:
        """End the process."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()


def run(target: str, seed: int, seconds: float) -> tuple[int, list[Finding]]:
    """How many cases were read in so many seconds, and what was found."""
    left, number, found = seconds, 0, []
    while left > 0:
        worker = Worker(target, seed, number, BATCH)
        start, last = None, number - 1
        for kind, case, what in worker.lines():
            start = start or time.monotonic()  # what it takes to start does not count
            if kind == "case":
                last = case
                if time.monotonic() > start + left:
                    worker.stop()
                    break
            else:
                found.append(Finding(target, seed, case if kind == "finding" else last, what))
        if start is None or (last < number and found):
            break  # it cannot even begin
        left -= time.monotonic() - start
        number = last + 1
    return number, found


def keep(finding: Finding) -> Path:
    """Write the file of a finding, with what it did as its name's neighbour."""
    import tempfile

    from fuzz_targets import TARGETS
    from fuzz_worker import case

    FINDINGS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        data = case(finding.target, finding.seed, finding.number, TARGETS[finding.target].seeds(Path(folder)))
    path = FINDINGS / f"{finding.target}-{finding.seed}-{finding.number}.bin"
    path.write_bytes(data)
    return path


def main() -> int:
    """As the module says."""
    sys.path[:0] = [str(HERE.parent), str(HERE.parent / "hub" / "importers"), str(HERE.parent / "hub")]
    from fuzz_targets import TARGETS

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=1.0, help="for each target (default: 1)")
    parser.add_argument("--target", choices=TARGETS, help="one target (default: all)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the mutations (default: the time)")
    parser.add_argument("--list", action="store_true", help="name the targets")
    options = parser.parse_args()
    if options.list:
        print("\n".join(f"{name:12} {target.reads}" for name, target in TARGETS.items()))
        return 0
    every: list[Finding] = []
    for name in [options.target] if options.target else TARGETS:
        count, found = run(name, options.seed, 60 * options.minutes)
        print(f"{name}: {count} files with seed {options.seed}, {len(found)} findings", flush=True)
        for finding in found:
            print(f"  {keep(finding)}: {finding.what}", flush=True)
        every += found
    return 1 if every else 0


if __name__ == "__main__":
    raise SystemExit(main())
