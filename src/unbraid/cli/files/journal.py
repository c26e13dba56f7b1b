"""Putting a track's files in place, all or none; a kill at any moment leaves a state that `--resume` understands.

Where their folder is not there yet, it appears with all of them in one rename. Else they are moved in one by one, under
a lock that other runs on the same track wait for: first the record says which will come (see `receipt`), then each
replaces the file that was there in one rename, then the record is completed. A link to what was there is kept until
that is over, and put back if something goes wrong.
"""

import contextlib
import errno
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from unbraid.errors import AudioError
from unbraid.files.atomic import flush
from unbraid.files.record import Receipt, StemRecord, hash_if_there, is_complete, name_in, read_receipt
from unbraid.files.workdir import finish, locked, working_folder

_THERE = (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR)


@dataclass(frozen=True)
class Arrival:
    """A written file, its final place, and its entry in the record."""

    hidden: Path
    place: Path
    made: StemRecord


@dataclass(frozen=True)
class Destination:
    """The place of the files, and which existing files may be replaced."""

    home: Path  # the folder that all places and the record are in
    record: Path
    replace_all: bool = False
    replace_equal: bool = False  # unchanged files of the same provenance


def arrive(files: Sequence[Arrival], hidden_home: Path, destination: Destination) -> None:
    """Move files to their places, and add them to the record.

    `hidden_home` lies in a working folder on the same disk, and looks as the home will where that is not there yet.

    Raises:
        AudioError: something is in a place that may not be replaced.
        OSError: the disk refuses; what was there is there again.
    """
    work, home, record = hidden_home.parent, destination.home, destination.record
    for file in files:
        flush(file.hidden)
    with locked(work.parent, os.path.relpath(record, work.parent)):
        made = {name_in(record, file.place): file.made for file in files}
        if not os.path.lexists(home) and _appear(hidden_home, home, record, Receipt(made)):
            return
        _check(files, destination)
        before = {name: old for name, old in read_receipt(record).files.items() if (record.parent / name).is_file()}
        moves = _Moves(work)
        try:
            moves.replace(_written(Receipt(before, moving=made), work / "journal"), record)
            for file in files:
                moves.replace(file.hidden, file.place)
            os.replace(_written(Receipt({**before, **made}), work / "record"), record)
        except BaseException:
            finish(moves.undo)
            raise


def complete(record: Path, root: Path) -> None:
    """Complete the record of files that have all arrived, where a kill came before that.

    Raises:
        AudioError, OSError: the disk refuses.
    """
    if not is_complete(record):
        with working_folder(root) as work, locked(root, os.path.relpath(record, root)):
            os.replace(_written(read_receipt(record), work / "record"), record)


class _Moves:
    """Files moved one by one, with those they replaced kept for an undo."""

    def __init__(self, work: Path) -> None:
        self._aside, self._made = work / "aside", list[Path]()
        self._done: list[tuple[Path, Path, Path | None]] = []
        self._aside.mkdir()

    def replace(self, hidden: Path, place: Path) -> None:
        """Move a file to its place, replacing an existing one."""
        self._made += [folder for folder in place.parents if not os.path.lexists(folder)]
        place.parent.mkdir(parents=True, exist_ok=True)
        old = self._aside / str(len(self._done)) if os.path.lexists(place) else None
        self._done.append((hidden, place, old))
        if old:
            try:
                os.link(place, old, follow_symlinks=False)
            except (OSError, NotImplementedError):  # a disk without links
                os.replace(place, old)
        os.replace(hidden, place)

    def undo(self) -> None:
        """Restore the replaced files; can be repeated."""
        for hidden, place, old in reversed(self._done):
            with contextlib.suppress(OSError):
                if old is not None:
                    os.replace(old, place)
                elif not os.path.lexists(hidden):
                    place.unlink()
        for folder in self._made:
            with contextlib.suppress(OSError):
                folder.rmdir()


def _appear(hidden_home: Path, home: Path, record: Path, receipt: Receipt) -> bool:
    """Rename the whole folder to its place; False where another program has just made one."""
    _written(receipt, hidden_home / os.path.relpath(record, home))
    home.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.rename(hidden_home, home)
    except OSError as error:
        if error.errno not in _THERE:
            raise
        return False
    return True


def _check(files: Sequence[Arrival], destination: Destination) -> None:
    """Refuse to replace files that have appeared since the run was planned."""
    if destination.replace_all:
        return
    recorded = read_receipt(destination.record).files if destination.replace_equal else {}
    for file in files:
        old = recorded.get(name_in(destination.record, file.place))
        equal = old is not None and old.making == file.made.making and hash_if_there(file.place) == old.sha256
        if os.path.lexists(file.place) and not equal:
            raise AudioError(
                f"{file.place} has appeared meanwhile; nothing was written. Use --overwrite to replace it."
            )


def _written(receipt: Receipt, path: Path) -> Path:
    path.write_text(receipt.to_json(), encoding="utf-8")
    flush(path)
    return path
