"""What each install weighs and how long its import takes -> results/install.json.

    python bench/install.py --peers DIR [--rounds 7]

Size is what pip put into the environment: what an empty one holds (pip, and setuptools before Python 3.12) is not
counted.
"""

import subprocess
import tempfile
from pathlib import Path
from statistics import median

from envs import parse_arguments, python_of
from measure import use_cores, versions, write_result

IMPORTS = {
    "unbraid": ("import unbraid", ["unbraid", "onnxruntime", "numpy"]),
    "speechbrain": ("from speechbrain.inference.separation import SepformerSeparation", ["speechbrain", "torch"]),
    "spleeter": ("from spleeter.separator import Separator", ["spleeter", "tensorflow"]),
}


def size_mb(python: Path) -> float:
    """Megabytes (10^6) on disk of an environment's site-packages, without those of an empty environment."""
    with tempfile.TemporaryDirectory() as empty:
        subprocess.run([python, "-m", "venv", empty], check=True)
        held = {path.name for path in _packages(Path(empty)).iterdir()}
    counted = (path for path in _packages(python.parents[1]).iterdir() if path.name not in held)
    files = (file for top in counted for file in (top.rglob("*") if top.is_dir() else [top]))
    return sum(file.lstat().st_blocks * 512 for file in files) / 1e6


def _packages(environment: Path) -> Path:
    (packages,) = environment.glob("lib/python*/site-packages")
    return packages


def import_seconds(python: Path, statement: str, rounds: int) -> float:
    """Median time of an import in a fresh interpreter, the interpreter's own start not counted."""
    code = f"import time; t = time.perf_counter(); {statement}; print(time.perf_counter() - t)"
    runs = [subprocess.run([python, "-c", code], capture_output=True, text=True, check=True) for _ in range(rounds)]
    return median(float(run.stdout.split()[-1]) for run in runs)


def main() -> None:
    """Read the command line, measure, write."""
    arguments = parse_arguments(__doc__, "--rounds", 7)
    use_cores(2)
    installs = {}
    for name, (statement, packages) in IMPORTS.items():
        python = python_of(arguments.peers, name)
        installs[name] = {
            "versions": versions(python, packages),
            "statement": statement,
            "import_s": import_seconds(python, statement, arguments.rounds),
            "size_mb": size_mb(python),
        }
    write_result("install", {"installs": installs})


if __name__ == "__main__":
    main()
