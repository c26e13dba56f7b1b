"""One command, killed or interrupted here and there: nothing may be lost, and given again it must end as ever."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from kill_inputs import TEMPORARY
from kill_points import End, child, copied, tree

Work = Callable[[], object]


@dataclass(frozen=True)
class Command:
    """A command to kill, and the one that goes on."""

    work: Work
    again: Work | None = None  # None: the same
    before: tuple[Work, ...] = ()  # commands that were carried out earlier
    same_bytes: bool = True  # whether two runs write the same
    done: str = ""  # a sentence that may be the answer where all was done already
    result: Callable[[Path], object] = lambda folder: None  # what two runs have in common besides
    needs: tuple[str, ...] = ()  # packages


class Trial:
    """One command, killed here and there."""

    def __init__(self, what: Command, inputs: Path, folder: Path) -> None:
        for package in what.needs:
            pytest.importorskip(package)
        if torch := sys.modules.get("torch"):
            torch.set_num_threads(1)  # none is left in a child
        self.what, self.folder = what, folder
        self.template = copied(inputs, folder.with_name("template"))
        for work in what.before:
            end = child(work, self.template)
            assert end.code == 0, end.said
        self.old = self._tree(self.template)
        copied(self.template, folder)
        started = time.monotonic()
        end = child(what.work, folder)
        assert end.code == 0, end.said
        self.seconds = time.monotonic() - started
        self.new, self.points = self._tree(folder), end.points
        self.result = what.result(folder)

    def fresh(self) -> None:
        """All as it was before the command."""
        copied(self.template, self.folder)

    def kill(self, at: int) -> None:
        """Kill it at a point, look at what is there, give it again, and look again."""
        self.fresh()
        end = child(self.what.work, self.folder, (at,))
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
        again = child(self.what.again or self.what.work, self.folder)
        assert again.code == 0 or (self.what.done and self.what.done in again.said), (when, again.said)
        assert self._tree(self.folder) == self.new, when
        assert self.what.result(self.folder) == self.result, when

    def interrupt(self, at: tuple[int, ...], number: int) -> End:
        """Interrupt it at points: nothing hidden or temporary may be left."""
        self.fresh()
        end = child(self.what.work, self.folder, at, number)
        assert end.code == 130, (at, end)
        assert "Traceback" not in end.said, (at, end)
        left = [name for name in tree(self.folder) if ".unbraid-" in name or name.startswith(f"{TEMPORARY}/")]
        assert left == [], (at, left)
        return end

    def _tree(self, folder: Path) -> dict[str, str]:
        found = tree(folder, content=self.what.same_bytes)
        return {name: content for name, content in found.items() if not _is_passed_over(name)}


def _is_passed_over(name: str) -> bool:
    """Files under way and their lock stay for the next attempt; TensorBoard's have time and process in their names."""
    return (name.startswith("cache/downloads") and name.count("/") < 3) or "tfevents" in name


def _is_journal(path: Path) -> bool:
    """Whether this is a record of files that are on their way."""
    return path.suffix == ".json" and path.is_file() and bool(json.loads(path.read_text()).get("moving"))


def spread(points: int, count: int) -> Iterator[int]:
    """So many of the points, evenly, the last one too."""
    return iter(sorted({round(at) for at in np.linspace(0, points - 1, min(points, count))}))
