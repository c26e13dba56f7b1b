"""Hours of mixed work, to see what a short test cannot: memory, open files or hidden folders that add up over time.

    python tests/soak/soak.py --minutes 480 [--seed 0] [--log soak.jsonl]

Draws one job after another: arrays through models that stay open, files in all formats through the one-call functions,
whole commands over folders, commands that are killed and taken up with --resume, pipes, and files with mutated
bytes. Every job checks its result. Every minute, memory, open files and threads of this process go to the log. The run
fails if a job fails, or if any of the three is larger in the last third of the run than before.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import soundfile

import unbraid

FORMATS = ("wav", "flac", "ogg", "mp3")
RATES = (8000, 16000, 22050, 44100, 48000)
UNBRAID = (sys.executable, "-m", "unbraid")
GROWTH_MB = 30.0  # the heap of the engine depends on the lengths it has seen; a leak of 5 kB a job is seen in a night
CHANNELS = (1, 1, 2)


@dataclass(frozen=True)
class Reading:
    """What this process holds at one time."""

    minutes: float
    jobs: int
    memory_mb: float
    files: int
    threads: int


def reading(start: float, jobs: int) -> Reading:
    """Memory, open files and threads, from /proc."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    files = len(os.listdir("/proc/self/fd"))
    memory = pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    return Reading((time.monotonic() - start) / 60, jobs, memory, files, len(os.listdir("/proc/self/task")))


class Soak:
    """The jobs; each is a method that draws its own input and raises AssertionError when the result is wrong."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.rng = folder, np.random.default_rng(seed)
        self.separators = {name: unbraid.Separator(name) for name in ("speech-2", "music-2", "denoise")}
        self.transcriber = unbraid.Transcriber(force=True)

    def close(self) -> None:
        """Let go of the models."""
        for model in (*self.separators.values(), self.transcriber):
            model.close()

    def recording(self) -> tuple[np.ndarray, int]:
        """Something between a click and half a minute: float32 (C, T), and its rate."""
        rate, channels = int(self.rng.choice(RATES)), int(self.rng.choice(CHANNELS))
        samples = int(rate * min(30.0, 0.01 + self.rng.exponential(4.0)))
        time_s = np.arange(samples) / rate
        tones = sum(np.sin(2 * np.pi * f * time_s) for f in self.rng.uniform(60, 3000, 5))
        audio = 10 ** self.rng.uniform(-3, -0.8) * (tones + self.rng.standard_normal((channels, samples)))
        if self.rng.random() < 0.1:
            audio *= 0
        return audio.astype(np.float32), rate

    def file(self, name: str = "in") -> Path:
        """A recording on disk in a format drawn by chance."""
        audio, rate = self.recording()
        path = self.folder / f"{name}.{self.rng.choice(FORMATS)}"
        soundfile.write(path, np.clip(audio, -1, 1).T, rate)
        return path

    def arrays(self) -> None:
        """An array through a model that stays open: exact length, finite, stems add up."""
        name = str(self.rng.choice(list(self.separators)))
        audio, rate = self.recording()
        stems = self.separators[name](audio, rate)
        total = np.sum(list(stems.values()), axis=0)
        assert total.shape == audio.shape, f"{name}: {total.shape} of {audio.shape}"
        assert np.isfinite(total).all(), name
        if name != "denoise":
            assert np.abs(total - audio).max() <= 1e-3 * max(1e-3, np.abs(audio).max()), f"{name}: stems do not add up"

    def words(self) -> None:
        """An array through a recogniser that stays open."""
        audio, rate = self.recording()
        assert isinstance(self.transcriber(audio, rate).text, str)

    def calls(self) -> None:
        """A file through the functions that open and close a model each time."""
        path = self.file()
        frames = soundfile.info(path).frames
        assert all(stem.shape[1] == frames for stem in unbraid.separate(path).values()), path.name
        assert unbraid.enhance(path).shape[1] == frames, path.name
        with unbraid.Transcriber(force=True) as transcriber:
            list(transcriber.stream(path))

    def texts(self) -> None:
        """Words as phonemes."""
        assert unbraid.phonemize("cats and dogs") == "K AE T S | AE N D | D AO G Z"

    def damaged(self) -> None:
        """A file with mutated bytes: it is read, or refused by a sentence."""
        path = self.file()
        data = bytearray(path.read_bytes())
        for at in self.rng.integers(0, len(data), 1 + len(data) // 2000):
            data[at] = self.rng.integers(256)
        path.write_bytes(data[: int(len(data) * self.rng.uniform(0.3, 1))])
        try:
            unbraid.separate(path)
        except unbraid.UnbraidError as error:
            assert str(error), "an error without a sentence"

    def command(self) -> None:
        """A folder of files through one command, with a page."""
        self._inputs()
        done = self._run("separate", "in", "-o", "out", "--report", "--format", str(self.rng.choice(FORMATS)))
        assert done.returncode == 0, done.stderr
        self._check_outputs("a command")

    def killed(self) -> None:
        """A command that is killed at any moment, and one that goes on where it stopped."""
        self._inputs()
        end = signal.SIGKILL if self.rng.random() < 0.7 else signal.SIGINT
        running = subprocess.Popen(
            [*UNBRAID, "separate", "in", "-o", "out", "-q"],
            cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        time.sleep(self.rng.uniform(0.2, 2.5))
        running.send_signal(end)
        running.wait()
        done = self._run("separate", "in", "-o", "out", "-q", "--resume")
        assert done.returncode == 0, f"--resume after signal {end}: {done.stderr}"
        self._check_outputs(f"--resume after signal {end}")

    def pipe(self) -> None:
        """A wav file in and out through pipes."""
        audio, rate = self.recording()
        path = self.folder / "pipe.wav"
        soundfile.write(path, audio.T, rate, "FLOAT")
        words = ("separate", "-", "-m", "music-2", "--stems", "vocals", "-o", "-")
        done = subprocess.run([*UNBRAID, *words], input=path.read_bytes(), capture_output=True, cwd=self.folder)
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        (self.folder / "out.wav").write_bytes(done.stdout)
        assert soundfile.info(self.folder / "out.wav").frames == audio.shape[1]

    def _inputs(self) -> None:
        (self.folder / "in").mkdir()
        for number in range(int(self.rng.integers(1, 4))):
            self.file(f"in/{number}")

    def _run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*UNBRAID, *words], cwd=self.folder, capture_output=True, text=True, errors="replace")

    def _check_outputs(self, what: str) -> None:
        for source in sorted((self.folder / "in").iterdir()):
            made = self.folder / "out" / source.stem
            stems = [path for path in made.glob("voice*") if path.suffix[1:] in FORMATS]
            assert len(stems) == 2, f"{what}: {source.name} gave {sorted(path.name for path in made.glob('*'))}"
            frames = {soundfile.info(path).frames for path in stems}
            assert frames == {soundfile.info(source).frames}, f"{what}: {source.name} gave lengths {frames}"
        left = [path.name for path in (self.folder.rglob(".unbraid-*")) if path.is_dir()]
        assert not left, f"{what} left {left}"


JOBS: dict[str, tuple[Callable[[Soak], None], float]] = {  # and how often each is drawn
    "arrays": (Soak.arrays, 0.45),
    "words": (Soak.words, 0.1),
    "calls": (Soak.calls, 0.1),
    "texts": (Soak.texts, 0.05),
    "damaged": (Soak.damaged, 0.1),
    "command": (Soak.command, 0.06),
    "killed": (Soak.killed, 0.08),
    "pipe": (Soak.pipe, 0.06),
}


def empty(folder: Path) -> None:
    """Delete everything in a folder."""
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()


def soak(minutes: float, seed: int, log: Path) -> bool:
    """Work for so many minutes; whether nothing failed and nothing grew."""
    start, counts, failures, readings = time.monotonic(), Counter[str](), list[str](), list[Reading]()
    names, rng = list(JOBS), np.random.default_rng(seed)
    with tempfile.TemporaryDirectory(prefix="soak-") as scratch, log.open("a") as lines:
        os.environ["UNBRAID_CACHE"] = f"{scratch}/cache"
        work = Path(scratch) / "work"
        work.mkdir()
        jobs = Soak(work, seed)
        while (now := time.monotonic() - start) < 60 * minutes:
            name = names[rng.choice(len(names), p=[share for _, share in JOBS.values()])]
            try:
                JOBS[name][0](jobs)
            except Exception as error:  # a failure is a finding; the run goes on
                failures.append(f"job {counts.total()} ({name}): {type(error).__name__}: {error}")
                print(failures[-1], file=sys.stderr, flush=True)
            counts[name] += 1
            empty(work)
            if not readings or now / 60 >= readings[-1].minutes + 1:
                readings.append(reading(start, counts.total()))
                print(json.dumps(asdict(readings[-1])), file=lines, flush=True)
        readings.append(reading(start, counts.total()))
        jobs.close()
    early = [r for r in readings if r.minutes <= 2 * minutes / 3] or readings[:1]
    most, last = max(r.memory_mb for r in early), readings[-1]
    late = max(r.memory_mb for r in readings if r.minutes > early[-1].minutes or r is last)
    grown = late > most + GROWTH_MB or last.files > early[-1].files or last.threads > early[-1].threads
    print(f"{last.minutes:.0f} minutes, {last.jobs:,} jobs ({', '.join(f'{n} {k}' for k, n in counts.most_common())})")
    print(f"failures: {len(failures)}")
    print(
        f"at most {most:.0f} MB in the first two thirds and {late:.0f} MB after them; "
        f"{early[-1].files} and {last.files} open files, {early[-1].threads} and {last.threads} threads"
    )
    return not failures and not grown


def main() -> None:
    """Read the command line and work."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=480)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--log", type=Path, default=Path("soak.jsonl"), help="one line a minute is added")
    arguments = parser.parse_args()
    sys.exit(not soak(arguments.minutes, arguments.seed, arguments.log))


if __name__ == "__main__":
    main()
