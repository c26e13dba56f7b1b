"""Make the environments that the bench measures: ours and each peer's, by pip, each alone.

    python bench/envs.py --peers DIR [--torch torch==2.13.0]

DIR/unbraid holds the base install of this checkout, DIR/speechbrain, DIR/spleeter and DIR/demucs the peers. One that
is there already is kept; ours is installed again. Spleeter needs Python 3.11 or older.
"""

import argparse
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]


def python_of(peers: Path, name: str) -> Path:
    """The interpreter of an environment."""
    return peers.resolve() / name / "bin" / "python"


def make(peers: Path, name: str, packages: list[str]) -> bool:
    """Make an environment with these packages; False when it was there."""
    python = python_of(peers, name)
    if python.exists():
        return False
    subprocess.run([sys.executable, "-m", "venv", python.parents[1]], check=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
    return True


def mend_torchaudio(python: Path) -> None:
    """Get SpeechBrain imported where torchaudio's compiled part does not fit torch: leave that part out.

    Newer torch, or a CPU build of it, has no torchaudio to match. SepFormer needs only its Python.
    """
    if subprocess.run([python, "-c", "import speechbrain"], capture_output=True).returncode:
        for library in python.parents[1].glob("lib/python*/site-packages/torchaudio/lib/*.so"):
            library.unlink()
        subprocess.run([python, "-c", "import speechbrain"], check=True)


class Sides:
    """Ours and a peer, each in its environment, and a scratch folder with models, audio and our cache."""

    peer: str  # the name of its environment

    def __init__(self, peers: Path, scratch: Path):
        self.scratch = scratch
        self.theirs, self.ours = python_of(peers, self.peer), python_of(peers, "unbraid")
        self.environment = {"UNBRAID_CACHE": str(scratch / "cache")}


def parse_arguments(doc: str | None, option: str, default: int | str, told: str | None = None) -> argparse.Namespace:
    """The command line of a bench script: the folder of environments, and one option of its own."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(option, type=type(default), default=default, help=told)
    parser.add_argument("--peers", type=Path, required=True, metavar="DIR", help="folder of the environments")
    return parser.parse_args()


def main() -> None:
    """Read the command line and make them all."""
    arguments = parse_arguments(__doc__, "--torch", "torch", "which torch SpeechBrain and Demucs get, as pip names it")
    peers = arguments.peers
    if make(peers, "speechbrain", [arguments.torch, "torchaudio", "speechbrain", "soundfile", "safetensors"]):
        mend_torchaudio(python_of(peers, "speechbrain"))
    make(peers, "spleeter", ["spleeter", "soundfile", "safetensors"])
    make(peers, "demucs", [arguments.torch, "demucs", "soundfile"])
    if not make(peers, "unbraid", [str(REPOSITORY)]):
        subprocess.run([python_of(peers, "unbraid"), "-m", "pip", "install", "--quiet", str(REPOSITORY)], check=True)


if __name__ == "__main__":
    main()
