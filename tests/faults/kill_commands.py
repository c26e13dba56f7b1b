"""The commands that write, each with what it starts from, so that it can be killed anywhere and given again."""

import dataclasses
import importlib
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from kill_points import End, child, command, copied, tree

for neighbour in ("cli", "."):
    sys.path.insert(0, str(Path(__file__).parents[1] / neighbour))

from cli_fakes import FakeSeparator  # noqa: E402

from engine_fakes import speech_spec, weights, write_model  # noqa: E402
from recognizer_fakes import ears  # noqa: E402
from unbraid import audio  # noqa: E402
from unbraid.hub import names as hub  # noqa: E402
from unbraid.tasks.transcription.transcriber import Transcriber  # noqa: E402

for name in (
    "cli.separation",
    "cli.transcription",
    "evaluation.evaluators",
    "hub.publishers",
    "tasks.pages",
    "tasks.pages.stems_page",
):
    importlib.import_module(f"unbraid.{name}")  # all is there before a child is made

RATE = 8000  # Hz
Work = Callable[[], object]


@dataclass(frozen=True)
class Command:
    """A command to kill, and the one that goes on."""

    words: tuple[str, ...]
    again: tuple[str, ...]
    before: tuple[tuple[str, ...], ...] = ()  # commands that were carried out earlier
    same_bytes: bool = True  # whether two runs write the same


FLAT = ("--template", "{track}_{stem}.{ext}")
TWO = ("separate", "a.wav", "b.wav", "-o", "out", "-q")
ONE = ("separate", "a.wav", "-o", "out", "-q")
EVALUATE = ("evaluate", "model", "data", "--metrics", "si-sdr", "-o", "scores", "-q", "--overwrite")
IMPORT = ("models", "import", "checkpoint", "--to", "mine", "--overwrite")
COMMANDS = {
    "separate": Command(TWO, (*TWO, "--resume")),
    "separate into one folder": Command((*TWO, *FLAT), (*TWO, *FLAT, "--resume")),
    "separate into a folder for each stem": Command(
        (*ONE, "--template", "{stem}/{track}.{ext}"), (*ONE, "--template", "{stem}/{track}.{ext}", "--resume")
    ),
    "separate with a page": Command(
        (*ONE, *FLAT, "--report"), (*ONE, *FLAT, "--report", "--resume"), same_bytes=False
    ),
    "separate again, otherwise": Command(
        (*TWO, "--subtype", "24", "--resume"), (*TWO, "--subtype", "24", "--resume"), before=(TWO,)
    ),
    "separate another stem": Command(
        (*ONE, "--stems", "voice2", "--resume"), (*ONE, "--stems", "voice2", "--resume"),
        before=((*ONE, "--stems", "voice1"),),
    ),
    "enhance": Command(
        ("enhance", "a.wav", "b.wav", "-m", "clean", "-o", "out", "-q"),
        ("enhance", "a.wav", "b.wav", "-m", "clean", "-o", "out", "-q", "--resume"),
    ),
    "transcribe": Command(
        ("transcribe", "a.wav", "b.wav", "-m", "digits", "-o", "texts/", "-q"),
        ("transcribe", "a.wav", "b.wav", "-m", "digits", "-o", "texts/", "-q", "--overwrite"),
    ),
    "evaluate": Command(EVALUATE, EVALUATE, before=(EVALUATE,), same_bytes=False),
    "import": Command(IMPORT, IMPORT, before=(IMPORT,)),
    "pull": Command(("models", "pull", "speechbrain/sepformer-wsj02mix", "-q"),
                    ("models", "pull", "speechbrain/sepformer-wsj02mix", "-q")),
}  # fmt: skip


def make_inputs(folder: Path) -> None:
    """Recordings, a model, a checkpoint, a corpus of two mixtures."""
    random = np.random.default_rng(0)
    wav = audio.choose_format("wav", subtype="16")
    folder.mkdir(parents=True)
    for name in "ab":
        audio.write(folder / f"{name}.wav", random.normal(0, 0.1, (1, 800)).astype(np.float32), RATE, wav)
    (folder / "checkpoint").mkdir()
    write_model(folder / "model", speech_spec())
    for number in range(2):
        voices = random.normal(0, 0.1, (2, 1600)).astype(np.float32)
        for place, samples in zip(("mix", "s1", "s2"), (voices.sum(0), *voices), strict=True):
            path = folder / "data/2speakers/wav8k/min/tt" / place / f"01a_0.5_02b_-0.5-{number}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            audio.write(path, samples[None], RATE, wav)


def fake_everything(patch: Any, cache: str) -> None:
    """Stand-ins for networks and publishers; the cache is below the folder that a command is given in."""
    spec = speech_spec()

    def read_checkpoint(folder: Path, name: str) -> SimpleNamespace:
        return SimpleNamespace(spec=dataclasses.replace(spec, name=name), tensors=weights(spec.geometry))

    def fetch(entry: Any, staging: Path, progress: object) -> SimpleNamespace:
        (staging / "files").mkdir(exist_ok=True)
        for name in ("one", "two"):
            (staging / "files" / f"{name}.part").write_bytes(b"bytes")
            (staging / "files" / f"{name}.part").replace(staging / "files" / name)
        return SimpleNamespace(folder=staging / "files", provenance="a test")

    def transcriber(model: str, **options: Any) -> Transcriber:
        return Transcriber.over(ears(name=model), beams=options["beams"], long=None, long_seconds=120.0)

    patch.setenv("UNBRAID_CACHE", cache)
    patch.setattr(sys.modules["unbraid.cli.separation"], "Separator", FakeSeparator)
    patch.setattr(sys.modules["unbraid.cli.transcription"], "Transcriber", transcriber)
    patch.setattr(hub, "_read_checkpoint", read_checkpoint)
    patch.setattr("unbraid.hub.publishers.fetch_published", fetch)
    patch.setattr(hub, "_as_published", lambda spec, entry, provenance: dataclasses.replace(spec, name=entry.name))


class Trial:
    """One command, killed here and there."""

    def __init__(self, what: Command, inputs: Path, folder: Path) -> None:
        self.what, self.folder = what, folder
        self.template = copied(inputs, folder.with_name("template"))
        for words in what.before:
            end = child(command(*words), self.template)
            assert end.code == 0, end.said
        self.old = self._tree(self.template)
        copied(self.template, folder)
        end = child(command(*what.words), folder)
        assert end.code == 0, end.said
        self.new, self.points = self._tree(folder), end.points

    def fresh(self) -> None:
        """All as it was before the command."""
        copied(self.template, self.folder)

    def kill(self, at: int) -> None:
        """Kill it at a point, look at what is there, give it again, and look again."""
        self.fresh()
        end = child(command(*self.what.words), self.folder, (at,))
        assert end.killed, (at, end)
        self.check_killed(f"killed at point {at}")

    def check_killed(self, when: str) -> None:
        """No file may be lost or torn, and the command given again must end as if nothing had been."""
        left = self._tree(self.folder)
        for name, content in self.old.items():
            whole = (content, self.new.get(name))
            assert left.get(name) in whole or _is_journal(self.folder / name), f"{when}, {name} is lost or torn"
        for name in left.keys() & self.new.keys() - self.old.keys():
            assert left[name] == self.new[name] or _is_journal(self.folder / name), f"{when}, {name} is torn"
        again = child(command(*self.what.again), self.folder)
        assert again.code == 0, (when, again.said)
        assert self._tree(self.folder) == self.new, when

    def interrupt(self, at: tuple[int, ...], number: int) -> End:
        """Interrupt it at points: nothing hidden may be left."""
        self.fresh()
        end = child(command(*self.what.words), self.folder, at, number)
        assert end.code == 130, (at, end)
        assert "Traceback" not in end.said, (at, end)
        hidden = [name for name in tree(self.folder) if ".unbraid-" in name]
        assert hidden == [], (at, hidden)
        return end

    def _tree(self, folder: Path) -> dict[str, str]:
        kept = "cache/downloads"  # files under way and their lock stay for the next attempt
        found = tree(folder, content=self.what.same_bytes)
        return {name: content for name, content in found.items() if not name.startswith(kept) or name.count("/") > 2}


def _is_journal(path: Path) -> bool:
    """Whether this is a record of files that are on their way."""
    return path.suffix == ".json" and path.is_file() and bool(json.loads(path.read_text()).get("moving"))


def spread(points: int, count: int) -> Iterator[int]:
    """So many of the points, evenly, the last one too."""
    return iter(sorted({round(at) for at in np.linspace(0, points - 1, min(points, count))}))
