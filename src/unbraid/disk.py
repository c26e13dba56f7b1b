"""Where a track is written before it appears: a hidden folder on the right disk, and what disks refuse, in words."""

import contextlib
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from unbraid.errors import AudioError, refused

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_STALE_SECONDS = 60.0  # between the making of a working folder and its locking, at the very most


@contextlib.contextmanager
def working_folder(home: Path) -> Iterator[Path]:
    """A hidden folder on the disk of HOME, locked while it is ours and gone afterwards."""
    above = next(folder for folder in (home, *home.parents) if os.path.isdir(folder))
    work = above / f".unbraid-{uuid.uuid4().hex[:12]}"
    try:
        with disk_errors(above):
            _sweep(above)
            work.mkdir()
        with contextlib.ExitStack() as held:
            with contextlib.suppress(OSError):  # some network disks cannot lock; then nothing is swept there either
                held.enter_context(_locked(work))
            yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _sweep(folder: Path) -> None:
    """Delete the working folders of runs that were killed: old ones that nobody has locked."""
    for left in folder.glob(".unbraid-" + "?" * 12) if fcntl else ():
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > _STALE_SECONDS:
                with _locked(left):
                    shutil.rmtree(left, ignore_errors=True)


@contextlib.contextmanager
def _locked(work: Path) -> Iterator[None]:
    """Hold a working folder for this process, or raise OSError; the lock goes with the process, however that ends."""
    with open(work / "lock", "wb") as file:
        if fcntl:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


@contextlib.contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Failures of the disk as sentences."""
    try:
        yield
    except OSError as error:
        raise AudioError(refused(folder, error, " with -o")) from error
