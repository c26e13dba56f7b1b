"""The journal of a batch: one line of JSON for each attempt, appended and flushed to the disk before the next.

    {"format": 1, "settings": {...}, "version": "0.1.0"}         the first line: of which run it is
    {"address": "/a/song.mp3", "status": "done", "attempts": 1, "outputs": [...], ...}

The last line of a file says what became of it. A kill can cut off the last line at most, which the next run removes.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from unbraid import __version__
from unbraid.batch.outcome import Outcome, Status
from unbraid.errors import UsageError, quoted, shortened
from unbraid.files.bounded import check_regular, parse_json
from unbraid.files.workdir import claimed

FORMAT = 1
_LINE_BYTES = 1 << 20
_HEAD = b'{"format"'


@dataclass(frozen=True, slots=True)
class Entry:
    """The last line about a file, without all that can be read again."""

    name: str
    status: Status
    attempts: int
    version: str  # of the input
    at: int  # where the line begins


class Journal:
    """An open journal; nobody else writes to it meanwhile. Make one with `opened`."""

    def __init__(self, path: Path) -> None:
        self.path, self.entries = path, dict[str, Entry]()
        self.settings: dict[str, Any] | None = None  # of the run whose journal it is; None: it is new
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
        self._end = 0
        try:
            self._read()
        except BaseException:
            self.close()
            raise

    @classmethod
    @contextmanager
    def opened(cls, path: Path) -> Iterator[Self]:
        """The journal in a file, which is made where it is not there.

        Raises:
            UsageError: it is no journal, another run is writing to it, or the disk refuses.
        """
        with claimed(path.parent, f"batch {path.name}") as ours:
            if not ours:
                raise UsageError(f"Another run is writing to {path}; wait for it, or choose another --manifest.")
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                if path.exists():
                    check_regular(path)
                journal = cls(path)
            except (OSError, ValueError) as error:
                told = error.strerror if isinstance(error, OSError) else error
                raise UsageError(f"{path} cannot be written: {told}. Choose another --manifest.") from None
            try:
                yield journal
            finally:
                journal.close()

    def begin(self, settings: Mapping[str, Any]) -> None:
        """Write the first line of a new journal."""
        self.settings = dict(settings)
        self._append({"format": FORMAT, "settings": self.settings, "version": __version__})

    def add(self, outcome: Outcome) -> None:
        """Add an outcome; it is on the disk when this returns.

        Raises:
            OSError: the disk refuses; the journal is as before.
        """
        at = self._append(outcome.as_data())
        self.entries[outcome.address] = _entry(outcome, at)

    def outcomes(self) -> Iterator[Outcome]:
        """The last outcome of each file, in the order in which they came."""
        with open(self.path, "rb") as file:
            for entry in sorted(self.entries.values(), key=lambda entry: entry.at):
                file.seek(entry.at)
                yield Outcome.of_data(json.loads(file.readline()))

    def close(self) -> None:
        """Close the file."""
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)

    def _append(self, data: Mapping[str, Any]) -> int:
        """Append a line, and return where it begins."""
        line = json.dumps(data).encode() + b"\n"
        at, left = self._end, memoryview(line)
        try:
            os.lseek(self._file, at, os.SEEK_SET)
            while left:
                left = left[os.write(self._file, left) :]
            os.fsync(self._file)
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._file, at)
            raise
        self._end += len(line)
        return at

    def _read(self) -> None:
        """Read all lines, and cut off the last where it is not whole."""
        with open(self.path, "rb") as file:
            while (line := file.readline(_LINE_BYTES)).endswith(b"\n"):
                try:
                    self._take(parse_json(line.decode()), self._end)
                except (ValueError, RecursionError) as error:
                    raise UsageError(
                        f"{quoted(str(self.path))} is no journal of a batch (at byte {self._end}: "
                        f"{shortened(str(error))}); move it away, or choose another --manifest."
                    ) from None
                self._end += len(line)
        if len(line) == _LINE_BYTES or (self.settings is None and line[: len(_HEAD)] != _HEAD[: len(line)]):
            raise UsageError(f"{quoted(str(self.path))} is no journal of a batch; choose another --manifest.")
        os.ftruncate(self._file, self._end)

    def _take(self, data: Any, at: int) -> None:
        if self.settings is None:
            if not isinstance(data, dict) or data.get("format") != FORMAT or not isinstance(data.get("settings"), dict):
                raise ValueError(f"it does not begin with the settings of a run, format {FORMAT}")
            self.settings = data["settings"]
        else:
            outcome = Outcome.of_data(data)
            self.entries[outcome.address] = _entry(outcome, at)


def _entry(outcome: Outcome, at: int) -> Entry:
    return Entry(outcome.name, outcome.status, outcome.attempts, outcome.input_version, at)
