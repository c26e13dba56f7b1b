"""SepFormer: ours against SpeechBrain, the same weights at the published geometry -> results/speech.json.

    python bench/speech.py --peers DIR [--rounds 5]

The weights are random, written by SpeechBrain itself in its published layout and imported with `unbraid models
import`; time does not depend on them. (What int8 costs in fidelity does: see the cards of trained models.)
"""

import subprocess
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
from envs import REPOSITORY, Sides, parse_arguments
from measure import Job, Measure, Worker, in_turn, run, use_cores, versions, write_result
from synth import voices, write_voices

HERE = Path(__file__).parent
MAKER = REPOSITORY / "tests" / "goldens" / "make_speechbrain.py"
AIMS = {"float32": "peer / ours ≥ 1.6 in wall time", "int8": "peer / ours ≥ 2.2 in wall time"}


class Bench(Sides):
    """Speech through both, warm and from file to files."""

    peer = "speechbrain"

    def published(self, speakers: int, sample_rate: int) -> tuple[Path, str]:
        """Write a published-geometry folder and import it; returns the folder and our name for it."""
        folder, name = self.scratch / f"published-{speakers}", f"published-{speakers}"
        subprocess.run([self.theirs, MAKER, "--published", str(speakers), str(sample_rate), folder], check=True)
        run([self.ours, "-m", "unbraid", "models", "import", folder, "--to", name], self.environment)
        return folder, name

    def warm(self, speakers: int, seconds: float, sample_rate: int, rounds: int) -> list[Job]:
        """Both loaded once, then called in turn on the same audio."""
        folder, name = self.published(speakers, sample_rate)
        audio = self.scratch / "audio.npy"
        np.save(audio, voices(seconds, sample_rate))
        ours: list[str | Path] = [self.ours, HERE / "unbraid_worker.py", name, str(sample_rate)]
        with (
            Worker([self.theirs, HERE / "speechbrain_worker.py", folder]) as peer,
            Worker([*ours, "float32"], self.environment) as float32,
            Worker([*ours, "int8"], self.environment) as int8,
        ):
            workers = {"peer": peer, "float32": float32, "int8": int8}
            answers = {}
            for key, worker in workers.items():  # the first call warms up, and tells whether they agree
                worker(audio, save := self.scratch / f"{key}.npy")
                answers[key] = np.load(save)
            theirs, *measured = in_turn([partial(worker, audio) for worker in workers.values()], rounds)
        title = f"{speakers} voice{'s' * (speakers > 1)}, {seconds:g} s at {sample_rate // 1000} kHz, warm"
        return [
            Job(f"{title}, {precision}", runs, theirs, AIMS[precision], snr_db(answers["peer"], answers[precision]))
            for precision, runs in zip(AIMS, measured, strict=True)
        ]

    def whole_command(self, rounds: int) -> Job:
        """From a file to files, start-up included, the same weights."""
        file, out = write_voices(self.scratch / "ten.wav", 10, 8000), self.scratch / "out"
        folder = self.scratch / "published-2"
        theirs, ours = in_turn(
            [
                lambda: run([self.theirs, HERE / "speechbrain_worker.py", folder, file, out / "theirs"]),
                lambda: self.separate(file, "published-2"),
            ],
            rounds,
        )
        return Job("2 voices, a 10 s file at 8 kHz, whole command, float32", ours, theirs)

    def default_model(self, rounds: int) -> Job:
        """What someone who has just installed us waits for."""
        file = write_voices(self.scratch / "five.wav", 5, 16000)
        (ours,) = in_turn([lambda: self.separate(file, "speech")], rounds)
        return Job("a 5 s file with the default model (speech), whole command", ours, [], "≤ 1.5 s wall")

    def separate(self, file: Path, model: str) -> Measure:
        """`unbraid separate`, over what an earlier round left."""
        out = self.scratch / "out" / "ours"
        command: list[str | Path] = [
            self.ours,
            "-m",
            "unbraid",
            "separate",
            file,
            "-m",
            model,
            "-o",
            out,
            "--overwrite",
        ]
        return run(command, self.environment)


def snr_db(reference: np.ndarray, estimate: np.ndarray) -> float:
    """SNR of one answer against another of the same shape (S, T)."""
    assert reference.shape == estimate.shape, (reference.shape, estimate.shape)
    error = np.sum(np.square(reference - estimate, dtype=np.float64))
    return float(10 * np.log10(np.sum(np.square(reference, dtype=np.float64)) / max(error, 1e-30)))


def main() -> None:
    """Read the command line, measure, write."""
    arguments = parse_arguments(__doc__, "--rounds", 5)
    use_cores(2)
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(arguments.peers, Path(scratch))
        jobs = [*bench.warm(2, 8, 8000, arguments.rounds), *bench.warm(3, 8, 8000, arguments.rounds)]
        jobs += bench.warm(1, 4, 16000, arguments.rounds)
        jobs += [bench.whole_command(arguments.rounds), bench.default_model(arguments.rounds)]
        peer = versions(bench.theirs, ["speechbrain", "torch"])
        ours = versions(bench.ours, ["unbraid", "onnxruntime", "numpy"])
    write_result("speech", {"ours": ours, "peer": peer, "jobs": jobs})


if __name__ == "__main__":
    main()
