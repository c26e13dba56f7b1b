"""Progress on a terminal: a bar with the time that is left, or a counter where the end is unknown.

Shown only for work of more than a second, and only on a terminal.
"""

import os
import sys
import time
from typing import TYPE_CHECKING, Literal, Self

from unbraid.cli.jobs import Jobs
from unbraid.files.printable import printable

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

PATIENCE_SECONDS = 1.0
Unit = Literal["seconds", "bytes"]


class Meter:
    """A progress bar, called with the amount done and the total (None: unknown); drawn after a second.

    One of several `jobs` is not drawn, since a terminal has one bar; and it is stopped with the others.
    """

    def __init__(
        self,
        title: str,
        unit: Unit = "seconds",
        *,
        quiet: bool = False,
        after: Self | None = None,
        jobs: Jobs | None = None,
    ) -> None:
        self._title, self._unit, self._jobs = title, unit, jobs or Jobs()
        self._silent = quiet or self._jobs.count > 1 or not watched()
        self._started = time.monotonic()
        self._after = after  # whose bar goes when this one comes
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __call__(self, done: float, total: float | None) -> None:
        """Show progress.

        Raises:
            Cancelled: the jobs are stopped.
        """
        self._jobs.check()
        if self._silent or (self._bar is None and time.monotonic() - self._started < PATIENCE_SECONDS):
            return
        if self._bar is None or self._task is None:
            if self._after is not None:
                self._after.stop()
            self._bar = _bar(self._unit, counted=total is None)
            self._task = self._bar.add_task(_short(printable(self._title)), total=total, done="")
            self._bar.start()
        self._bar.update(self._task, completed=done, total=total, done=_amount(done, self._unit))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.stop()


def watched() -> bool:
    """Whether standard error is a terminal that can redraw lines."""
    return sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def _bar(unit: Unit, counted: bool) -> "Progress":
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn

    title = TextColumn("{task.description}", markup=False)
    amount = TextColumn("{task.fields[done]}", markup=False)
    console = Console(stderr=True)
    if counted:
        return Progress(SpinnerColumn(), title, amount, console=console, transient=True)
    columns = [title, BarColumn(), TaskProgressColumn(), *([amount] if unit == "bytes" else []), TimeRemainingColumn()]
    return Progress(*columns, console=console, transient=True)


def _amount(done: float, unit: Unit) -> str:
    return f"{done / 1e6:.1f} MB" if unit == "bytes" else f"{clock(done)} done"


def _short(title: str, most: int = 40) -> str:
    return title if len(title) <= most else f"{title[: most - 1]}…"


def clock(seconds: float) -> str:
    """Seconds as 1:02:03 or 2:03."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
