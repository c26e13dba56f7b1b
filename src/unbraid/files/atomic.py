"""Atomic writes: a file or folder appears at once or not at all, and the one it replaces stays until then.

    with appearing(place) as fresh:      # a path in a hidden working folder beside the place
        fresh.write_bytes(...)           # a file, or a folder with files

A file takes its place by one rename. A folder cannot be renamed over one that is not empty: the two are exchanged, in
one call of Linux (renameat2) and macOS (renamex_np). Where the system or the disk cannot do that, the old one is first
set aside under a name that `recover` knows, so that a kill between the two renames loses nothing.
"""

import contextlib
import ctypes
import errno
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from unbraid.errors import AudioError
from unbraid.files.workdir import locked, working_folder

_ASIDE = re.compile(r"\.(.+)\.unbraid-replaced")
_REPLACING = "a folder is replaced"  # one at a time where that takes two renames
_AT_CWD, _LINUX_EXCHANGE, _MACOS_SWAP = -100, 2, 2  # of <fcntl.h>, <linux/fs.h>, <sys/stdio.h>
_CANNOT = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EXDEV, errno.EPERM)  # exchange here, but perhaps rename


@contextlib.contextmanager
def appearing(place: Path, *, replace: bool = True) -> Iterator[Path]:
    """A path to write a file or a folder to, which takes its PLACE, on the disk too, if nothing goes wrong meanwhile.

    Raises:
        AudioError: something is in the place and is not to be replaced, or no file can be made there.
        OSError: the disk refuses; what was there is still there.
    """
    with working_folder(place.parent, contextlib.nullcontext) as work:
        fresh = work / (place.name or "new")
        yield fresh
        put(fresh, place, work, replace=replace)


def put(fresh: Path, place: Path, work: Path, *, replace: bool = True) -> None:
    """Move a written file or folder to its place and flush it; the one it replaces goes into WORK, a hidden folder.

    Raises:
        AudioError, OSError: as `appearing`.
    """
    flush(fresh)
    if not replace and os.path.lexists(place):
        raise AudioError(f"{place} has appeared meanwhile; nothing was written. Use --overwrite to replace it.")
    if not fresh.is_dir() or not os.path.lexists(place):
        os.replace(fresh, place)
    elif not exchange(fresh, place):
        _rename_twice(fresh, place, work)


def exchange(one: Path, other: Path) -> bool:
    """Exchange two files or folders on one disk atomically; False if the system cannot do that.

    Raises:
        OSError: the disk refuses.
    """
    if sys.platform not in ("linux", "darwin"):
        return False
    system = ctypes.CDLL(None, use_errno=True)
    names = os.fsencode(one), os.fsencode(other)
    if hasattr(system, "renameat2"):
        failed = system.renameat2(_AT_CWD, names[0], _AT_CWD, names[1], _LINUX_EXCHANGE)
    elif hasattr(system, "renamex_np"):
        failed = system.renamex_np(*names, _MACOS_SWAP)
    else:
        return False
    if not failed:
        return True
    if (number := ctypes.get_errno()) in _CANNOT:
        return False
    raise OSError(number, os.strerror(number), str(one), None, str(other))


def recover(folder: Path) -> None:
    """Restore or delete what a killed run set aside in a folder."""
    left: list[Path] = []
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        left = [folder / entry.name for entry in entries if _ASIDE.fullmatch(entry.name)]
    for aside in left:
        with contextlib.suppress(OSError), locked(folder, _REPLACING):
            place = aside.with_name(_ASIDE.sub(r"\1", aside.name))
            if os.path.lexists(place):
                shutil.rmtree(aside, ignore_errors=True)
            else:
                os.rename(aside, place)


def flush(path: Path) -> None:
    """Wait until a file, or all files in a folder, are on the disk itself."""
    for file in [path] if not path.is_dir() else [file for file in path.rglob("*") if file.is_file()]:
        with file.open("rb+") as opened:
            os.fsync(opened.fileno())


def _rename_twice(fresh: Path, place: Path, work: Path) -> None:
    aside = place.with_name(f".{place.name}.unbraid-replaced")
    with locked(place.parent, _REPLACING):
        shutil.rmtree(aside, ignore_errors=True)
        os.rename(place, aside)
        try:
            os.rename(fresh, place)
        except BaseException:
            with contextlib.suppress(OSError):
                os.rename(aside, place)
            raise
        os.rename(aside, work / "replaced")
