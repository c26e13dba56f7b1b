"""What hours take where three minutes do, ours alone, with real networks -> results/length.json.

    python bench/length.py --peers DIR [--hours 3]

Full-size two-stem U-Nets (a checkpoint of Spleeter's, imported) and the default speech model, from a wav file to wav
files. Takes 3 minutes and 4 GB of scratch disk an hour.
"""

import tempfile
from pathlib import Path

from envs import parse_arguments
from measure import Job, use_cores, versions, write_result
from music import Bench
from synth import write_song, write_voices

FLAT = "peak memory within 10 % of the 3-minute file's"


def main() -> None:
    """Read the command line, measure, write."""
    arguments = parse_arguments(__doc__, "--hours", 3)
    hours = f"{arguments.hours} hour{'s' * (arguments.hours > 1)}"
    use_cores(2)
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(arguments.peers, Path(scratch))
        bench.make_checkpoint(2)
        jobs = []
        for seconds, length, aim in ((180, "3 minutes", ""), (arguments.hours * 3600, hours, FLAT)):
            song = write_song(bench.scratch / "long.wav", seconds)
            jobs.append(Job(f"2 stems, {length}", [bench.separate(song, "full-2", [])], [], aim))
            talk = write_voices(bench.scratch / "long.wav", seconds, 16000)
            jobs.append(Job(f"speech, {length}", [bench.separate(talk, "speech", [])], [], aim))
        ours = versions(bench.ours, ["unbraid", "onnxruntime", "numpy"])
    write_result("length", {"ours": ours, "peer": {}, "jobs": jobs})


if __name__ == "__main__":
    main()
