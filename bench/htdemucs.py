"""HTDemucs: ours against Demucs, the same checkpoint, whole commands -> results/htdemucs.json.

    python bench/htdemucs.py --peers DIR [--rounds 3]

The checkpoint is full-size with random weights, written by Demucs itself in its published layout. Both sides run on one
core, since threads of torch that wait for each other on a busy machine count as CPU seconds: with two, the peer took
twice as many.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

from envs import REPOSITORY, Sides, parse_arguments
from measure import Job, Measure, in_turn, run, use_cores, versions, write_result
from synth import write_song

HERE = Path(__file__).parent
MAKER = REPOSITORY / "tests" / "goldens" / "make_htdemucs.py"
NAME = "full-htdemucs"


class Bench(Sides):
    """Songs through both, from file to files."""

    peer = "demucs"

    def make_checkpoint(self) -> dict[str, float]:
        """A full-size checkpoint, and its import; the megabytes of both on disk."""
        folder = self.scratch / "checkpoint"
        subprocess.run([self.theirs, MAKER, "--full", folder], check=True)
        run([self.ours, "-m", "unbraid", "models", "import", folder, "--to", NAME], self.environment)
        places = {"ours": self.scratch / "cache" / "models" / NAME, "peer": folder}
        return {side: sum(file.stat().st_size for file in place.iterdir()) / 1e6 for side, place in places.items()}

    def compare(self, seconds: int, rounds: int) -> Job:
        """A song of so many seconds, from file to files."""
        song = write_song(self.scratch / f"song{seconds}.wav", seconds)
        peer = [self.theirs, HERE / "htdemucs_command.py", self.scratch / "checkpoint", song, self.scratch / "theirs"]
        theirs, ours = in_turn([lambda: run(peer), lambda: self.separate(song)], rounds)
        return Job(f"4 stems, {seconds} s song", ours, theirs)

    def separate(self, file: Path) -> Measure:
        """`unbraid separate` into a folder that is emptied afterwards."""
        out = self.scratch / "ours"
        measure = run([self.ours, "-m", "unbraid", "separate", file, "-m", NAME, "-o", out], self.environment)
        shutil.rmtree(out)
        return measure


def main() -> None:
    """Read the command line, measure, write."""
    arguments = parse_arguments(__doc__, "--rounds", 3)
    use_cores(1)
    with tempfile.TemporaryDirectory() as scratch:
        bench, rounds = Bench(arguments.peers, Path(scratch)), arguments.rounds
        sizes = bench.make_checkpoint()
        jobs = [bench.compare(30, rounds)]
        peer = versions(bench.theirs, ["demucs", "torch"])
        ours = versions(bench.ours, ["unbraid", "onnxruntime", "numpy"])
    write_result("htdemucs", {"ours": ours, "peer": peer, "megabytes": sizes, "jobs": jobs})


if __name__ == "__main__":
    main()
