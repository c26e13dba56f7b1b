"""The cache on disk: where models are kept, and how one gets in and out without ever being seen half-done.

    cache/models/<name>/       pulled and imported models (see `catalogue.folder_name`)
    cache/downloads/<source>/  files under way, kept for the next attempt

A model folder is written beside its place and renamed into it. Folders under way begin with a dot and are not
models. There are no symbolic links, so Windows needs no special rights.
"""

import os
import shutil
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from unbraid.download import disk_error


def cache_folder() -> Path:
    """Where pulled and imported models live: $UNBRAID_CACHE, or the platform's folder for caches."""
    if chosen := os.environ.get("UNBRAID_CACHE"):
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "unbraid"


def models_folder(cache: Path | None) -> Path:
    """The folder of the cache's models; the default cache when CACHE is None."""
    return (cache or cache_folder()) / "models"


def model_folders(parent: Path) -> list[Path]:
    """What may be model folders, by name."""
    here = parent.glob("*") if os.path.isdir(parent) else ()
    return sorted(folder for folder in here if os.path.isdir(folder) and not folder.name.startswith("."))


@contextmanager
def staging(key: str, cache: Path | None) -> Iterator[Path]:
    """The folder for files under way from one source, ours alone while we are in it; others wait.

    Raises:
        DownloadError: it cannot be made.
    """
    from filelock import FileLock

    folder = (cache or cache_folder()) / "downloads" / key
    lock = FileLock(folder.with_name(folder.name + ".lock"))
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError as error:
        raise disk_error(error, folder.parent) from None
    try:
        folder.mkdir(exist_ok=True)
        yield folder
    finally:
        with suppress(OSError):
            folder.rmdir()  # goes only when empty
        lock.release()


def install(destination: Path, write: Callable[[Path], None]) -> None:
    """Let WRITE make a folder beside its place, then put it there, instead of an older one.

    Raises:
        DownloadError: the disk refuses.
    """
    fresh = destination.with_name(f".new-{uuid.uuid4().hex}")
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        write(fresh)
        old = _set_aside(destination) if destination.exists() else None
        try:
            os.replace(fresh, destination)
        except OSError:
            if old:
                os.replace(old, destination)
            raise
        if old:
            shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise disk_error(error, destination.parent) from None
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def discard(folder: Path) -> None:
    """Delete a folder so that nobody ever sees half of it."""
    shutil.rmtree(_set_aside(folder), ignore_errors=True)


def _set_aside(folder: Path) -> Path:
    aside = folder.with_name(f".old-{uuid.uuid4().hex}")
    os.replace(folder, aside)
    return aside
