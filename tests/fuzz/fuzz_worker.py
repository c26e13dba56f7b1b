"""Reads mutated files of one target, one after the other, and says which it is about to read; `fuzz.py` watches it.

python fuzz_worker.py TARGET SEED FIRST COUNT      # cases FIRST … of a run with that seed
python fuzz_worker.py TARGET FILE                  # one file, as it was found

Lines: `case N`, then `finding N WHAT` if an error is not one of ours, or if it took too much time or memory; at the
end, `done`.
"""

import contextlib
import os
import random
import resource
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "hub" / "importers"), str(TESTS / "hub"), str(TESTS / "fuzz")]
MOST_SECONDS = 2.0  # of processor time
MOST_BYTES = 300 << 20  # above the idle process
SLACK_BYTES = 5 << 30  # of address space: bombs fail, and do not take the machine with them


def case(target: str, seed: int, number: int, seeds: list[bytes]) -> bytes:
    """The content of one case, which depends on nothing else."""
    from fuzz_mutation import mutate

    source = random.Random(f"{target} {seed} {number}")
    return mutate(source, source.choice(seeds), seeds)


def main(target: str, *rest: str) -> None:
    """As the module says."""
    from fuzz_targets import TARGETS

    from unbraid.errors import UnbraidError

    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(1, 2)
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory(prefix="unbraid-fuzz-") as folder:
        place = Path(folder)
        seeds, read = TARGETS[target].seeds(place), TARGETS[target].read
        for data in seeds:  # whatever is loaded on first use is loaded now
            with contextlib.suppress(UnbraidError):
                read(place, data)
        resource.setrlimit(resource.RLIMIT_AS, (_address_space() + SLACK_BYTES,) * 2)
        if len(rest) == 1:
            cases = {0: lambda: Path(rest[0]).read_bytes()}
        else:
            seed, first, count = map(int, rest)
            cases = {n: lambda n=n: case(target, seed, n, seeds) for n in range(first, first + count)}
        for number, content in cases.items():
            print("case", number, file=out)
            if told := _read(read, place, content()):
                print("finding", number, told, file=out)
    print("done", file=out)


def _read(read, place: Path, data: bytes) -> str | None:
    """What is wrong with how a file was read."""
    from unbraid.errors import UnbraidError

    before, start = _peak(), time.process_time()
    try:
        read(place, data)
    except UnbraidError as error:
        if len(str(error).replace(str(place), "")) > 1000:
            return f"a message of {len(str(error))} characters"
    except BaseException as error:
        frames = traceback.extract_tb(error.__traceback__)
        where = next((f for f in reversed(frames) if "unbraid" in f.filename), frames[-1])
        return f"{type(error).__name__} at {Path(where.filename).name}:{where.lineno}: {str(error)[:200]!r}"
    if (seconds := time.process_time() - start) > MOST_SECONDS:
        return f"{seconds:.1f} s"
    if (more := _peak() - before) > MOST_BYTES:
        return f"{more >> 20} MB"
    return None


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _address_space() -> int:
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:
        return 64 << 30


if __name__ == "__main__":
    main(*sys.argv[1:])
