"""The models inside the package, alone: what a minute of audio costs each of them -> results/models.json.

    python bench/models.py --peers DIR [--rounds 3]

Whole commands, from a wav file to wav files, start-up included. How good they are stands in their specs.
"""

import tempfile
from pathlib import Path

from envs import REPOSITORY, parse_arguments
from measure import Job, in_turn, use_cores, versions, write_result
from music import Bench
from synth import write_song, write_voices

MODELS = REPOSITORY / "src" / "unbraid" / "assets" / "models"


def main() -> None:
    """Read the command line, measure, write."""
    arguments = parse_arguments(__doc__, "--rounds", 3)
    use_cores(2)
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(arguments.peers, Path(scratch))
        song = write_song(bench.scratch / "song.wav", 60)
        talk = write_voices(bench.scratch / "talk.wav", 60, 16000)
        jobs = []
        for name in sorted(folder.name for folder in (*MODELS.glob("music-*"), *MODELS.glob("speech*"))):
            file = song if name.startswith("music") else talk
            (runs,) = in_turn([lambda file=file, name=name: bench.separate(file, name, [])], arguments.rounds)
            jobs.append(Job(name, runs, []))
        ours = versions(bench.ours, ["unbraid", "onnxruntime", "numpy"])
    write_result("models", {"ours": ours, "peer": {}, "jobs": jobs})


if __name__ == "__main__":
    main()
