"""The search of folders for files, shared by all commands: in order, each folder once, never blocking.

Links to folders are followed, and the folder behind them is searched once, whatever it is called: under its own name
where it lies in the tree itself, else under that of the first link. Two folders are the same if device and inode are.
Hidden files and folders (`._*` of macOS among them) are skipped, and so are system folders of thumbnails, snapshots and
deleted files; the named folder itself is searched whatever its name. Pipes, sockets and devices are skipped, because
opening one might block for ever. Skipped entries are reported to the caller.
"""

import os
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal

Why = Literal["linked", "special", "unreadable"]
PassedOver = Callable[[Path, Why, str], None]  # path, reason, and the reason as the end of a sentence

_SYSTEM = frozenset(
    {"__macosx", "@eadir", "#recycle", "#snapshot", "$recycle.bin", "system volume information", "lost+found"}
)
_SPECIAL = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}


def is_hidden(name: str) -> bool:
    """Whether a search skips files and folders of that name."""
    return name.startswith(".") or name.lower() in _SYSTEM


def untold(place: Path, why: Why, told: str) -> None:
    """For callers that do not report skipped entries."""


def files_in(
    folder: Path, suffixes: Iterable[str] | None = None, *, recursive: bool = True, passed_over: PassedOver = untold
) -> list[Path]:
    """The files of a folder, then those of its sub-folders; only of these suffixes (".wav"), if any are given.

    Raises:
        OSError: the folder itself cannot be read.
    """
    wanted = None if suffixes is None else frozenset(suffixes)
    found = []
    for place in places_in(folder, recursive=recursive, passed_over=passed_over):
        for entry in _entries(place):
            path = place / entry.name
            if _is_folder(entry):
                continue
            if (special := _special(entry)) is not None:
                passed_over(path, "special", f"is {special}, not a file")
            elif wanted is None or path.suffix.lower() in wanted:
                found.append(path)
    return found


def folders_in(folder: Path, *, passed_over: PassedOver = untold) -> list[Path]:
    """The folders in a folder, by name, each place once.

    Raises:
        OSError: the folder cannot be read.
    """
    paths = [folder / entry.name for entry in _entries(folder) if _is_folder(entry)]
    seen: dict[object, Path] = {}
    return sorted(path for path in sorted(paths, key=os.path.islink) if _is_new(path, seen, passed_over))


def places_in(folder: Path, *, recursive: bool = True, passed_over: PassedOver = untold) -> list[Path]:
    """A folder and, if wanted, all below it, each place once; unreadable ones are skipped.

    Raises:
        OSError: the folder itself cannot be read.
    """
    seen: dict[object, Path] = {}
    found, waiting, links = [], [folder], list[Path]()
    while waiting or links:
        place = waiting.pop() if waiting else links.pop(0)
        if not _is_new(place, seen, passed_over):
            continue
        try:
            entries = _entries(place)
        except OSError as error:
            if place == folder:
                raise
            passed_over(place, "unreadable", f"may not be searched ({error.strerror})")
            continue
        found.append(place)
        if not recursive:
            break
        for entry in filter(_is_folder, entries):
            (links if entry.is_symlink() else waiting).append(place / entry.name)
    return sorted(found, key=lambda place: place.relative_to(folder).parts)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """The visible entries of a folder, by name."""
    with os.scandir(folder) as entries:
        return sorted((entry for entry in entries if not is_hidden(entry.name)), key=lambda entry: entry.name)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _is_new(folder: Path, seen: dict[object, Path], passed_over: PassedOver) -> bool:
    """Whether a folder was not met before, under this name or another."""
    try:
        about = os.stat(folder)
    except OSError:
        return True  # reading it will say why
    first = seen.setdefault((about.st_dev, about.st_ino), folder)
    if first is not folder:
        passed_over(folder, "linked", f"is another name of {first}")
    return first is folder


def _special(entry: os.DirEntry[str]) -> str | None:
    """The kind of an entry that is not a file; None for files, and for broken links, which fail when they are read."""
    try:
        return None if entry.is_file() else _SPECIAL.get(stat.S_IFMT(entry.stat().st_mode))
    except OSError:
        return None
