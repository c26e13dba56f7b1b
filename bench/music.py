"""Spleeter's networks: ours against Spleeter, the same checkpoints, whole commands -> results/music.json.

    python bench/music.py --peers DIR [--rounds 3]

The checkpoints are full-size with random weights, written by Spleeter itself in its published layout.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from envs import REPOSITORY, Sides, parse_arguments
from measure import Job, Measure, in_turn, run, use_cores, versions, write_result
from synth import write_song

HERE = Path(__file__).parent
MAKER = REPOSITORY / "tests" / "goldens" / "make_spleeter.py"


class Bench(Sides):
    """Songs through both, from file to files."""

    peer = "spleeter"

    def make_checkpoint(self, stems: int) -> None:
        """A full-size checkpoint of so many stems, and its import."""
        folder = self.scratch / f"{stems}stems"
        quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        subprocess.run([self.theirs, MAKER, "--full", str(stems), folder], check=True, env=quiet)
        run([self.ours, "-m", "unbraid", "models", "import", folder, "--to", f"full-{stems}"], self.environment)

    def compare(self, stems: int, seconds: int, rounds: int, wiener: bool = False, aim: str = "") -> Job:
        """A song of so many seconds, from file to files."""
        song = write_song(self.scratch / f"song{seconds}.wav", seconds)
        folder, out = self.scratch / f"{stems}stems", self.scratch / "theirs"
        peer = [self.theirs, HERE / "spleeter_command.py", folder, song, out]
        theirs, ours = in_turn(
            [
                lambda: run([*peer, "--mwf"] if wiener else peer),
                lambda: self.separate(song, f"full-{stems}", ["--wiener"] if wiener else []),
            ],
            rounds,
        )
        return Job(f"{stems} stems, {seconds} s song{', Wiener filter' * wiener}", ours, theirs, aim)

    def separate(self, file: Path, model: str, flags: list[str]) -> Measure:
        """`unbraid separate` into a folder that is emptied afterwards."""
        out = self.scratch / "ours"
        measure = run([self.ours, "-m", "unbraid", "separate", file, "-m", model, "-o", out, *flags], self.environment)
        shutil.rmtree(out)
        return measure


def main() -> None:
    """Read the command line, measure, write."""
    arguments = parse_arguments(__doc__, "--rounds", 3)
    use_cores(2)
    with tempfile.TemporaryDirectory() as scratch:
        bench, rounds = Bench(arguments.peers, Path(scratch)), arguments.rounds
        bench.make_checkpoint(2)
        bench.make_checkpoint(5)
        jobs = [
            bench.compare(2, 30, rounds, aim="ours ≤ 1/5 in CPU seconds; ≤ 400 MB"),
            bench.compare(2, 180, rounds, aim="ours ≤ 1/3 in CPU seconds; ≤ 400 MB"),
            bench.compare(2, 30, rounds, wiener=True),
            bench.compare(5, 30, rounds),
            bench.compare(5, 180, rounds),
        ]
        peer = versions(bench.theirs, ["spleeter", "tensorflow"])
        ours = versions(bench.ours, ["unbraid", "onnxruntime", "numpy"])
    write_result("music", {"ours": ours, "peer": peer, "jobs": jobs})


if __name__ == "__main__":
    main()
