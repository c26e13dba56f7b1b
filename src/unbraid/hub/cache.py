"""The cache of models on disk; models appear in it and leave it atomically.

    cache/models/<name>/       pulled and imported models (see `catalogue.folder_name`)
    cache/encoders/<name>/     pretrained encoders for training, as published (see `training.pretrained`)
    cache/downloads/<source>/  partial downloads, kept for the next attempt
    cache/int8/<weights>-…/    int8 copies of weights with that hash (see `runtime.int8`)

A folder is written beside its place and replaces an older one at one instant (see `files.atomic`). The names of
unfinished folders begin with a dot. There are no symbolic links, so Windows needs no special rights.
"""

import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

from unbraid.errors import ModelError, SpecError
from unbraid.files import atomic
from unbraid.files.workdir import sweep, working_folder
from unbraid.hub.download import disk_errors
from unbraid.hub.spec import read_spec

_EARLIER_SECONDS = 3600.0  # longer than an earlier release, which locks nothing, works in a folder


class NoHome(ModelError):
    """Nothing says where this user's folders are."""


def cache_folder() -> Path:
    """The folder of pulled and imported models: $UNBRAID_CACHE, or in the platform's folder for caches.

    Raises:
        NoHome: it would be in a home folder, and this user has none.
    """
    try:
        if chosen := os.environ.get("UNBRAID_CACHE"):
            return Path(chosen).expanduser()
        return _platform_caches() / "unbraid"
    except RuntimeError:  # as pathlib says it
        raise NoHome(
            "This user has no home folder to keep models in; set UNBRAID_CACHE to a folder, or HOME."
        ) from None


def _platform_caches() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def models_folder() -> Path:
    """The folder of the cache's models."""
    folder = cache_folder() / "models"
    atomic.recover(folder)
    return folder


def int8_folder() -> Path:
    """The folder of the cache's int8 copies."""
    return cache_folder() / "int8"


def model_places() -> list[Path]:
    """The folder of the cache's models, if there is a place for a cache at all."""
    try:
        return [models_folder()]
    except NoHome:
        return []


def cached_models() -> list[Path]:
    """Candidates for model folders in the cache, by name."""
    return [folder for place in model_places() for folder in model_folders(place)]


def model_folders(parent: Path) -> list[Path]:
    """Candidates for model folders, by name."""
    here = parent.glob("*") if os.path.isdir(parent) else ()
    return sorted(folder for folder in here if os.path.isdir(folder) and not folder.name.startswith("."))


@contextmanager
def staging(key: str) -> Iterator[Path]:
    """The folder for files under way from one source, ours alone while we are in it; others wait.

    Raises:
        DownloadError: it cannot be made.
    """
    from filelock import FileLock

    folder = cache_folder() / "downloads" / key
    lock = FileLock(folder.with_name(folder.name + ".lock"))
    with disk_errors(folder.parent):
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    try:
        folder.mkdir(exist_ok=True)
        yield folder
    finally:
        with suppress(OSError):
            folder.rmdir()  # goes only when empty
        lock.release()


def forget_staging(key: str) -> None:
    """Delete partial files of a killed run from a source, unless another process uses them."""
    from filelock import FileLock, Timeout

    folder = cache_folder() / "downloads" / key
    if folder.is_dir() and not folder.is_symlink():
        with suppress(OSError, Timeout), FileLock(folder.with_name(folder.name + ".lock"), timeout=0):
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def appearing(destination: Path) -> Iterator[Path]:
    """A folder to fill beside its place; afterwards it takes the place, also of an older folder.

    Raises:
        OSError: the disk refuses; what was there is there again.
    """
    destination.parent.mkdir(parents=True, exist_ok=True)
    tidy(destination.parent)
    with atomic.appearing(destination) as fresh:
        fresh.mkdir()
        yield fresh


def tidy(folder: Path) -> None:
    """Delete hidden leftovers of killed runs among models, and restore a model that one of them had set aside."""
    sweep(folder)
    atomic.recover(folder)
    for left in folder.glob(".[no][el][wd]-" + "[0-9a-f]" * 32):  # earlier releases'
        with suppress(OSError):
            if not left.is_symlink() and time.time() - left.stat().st_mtime > _EARLIER_SECONDS:
                shutil.rmtree(left, ignore_errors=True)


def discard(folder: Path) -> None:
    """Delete a folder at once, so that half of it is never seen.

    Raises:
        OSError: it cannot be deleted.
    """
    tidy(folder.parent)
    with working_folder(folder.parent, nullcontext) as work:
        os.replace(folder, work / "discarded")


def weights_of(folder: Path) -> str | None:
    """The hash of a model's weights; None where its spec does not give it."""
    try:
        return read_spec(folder).files.get("model.safetensors")
    except SpecError:
        return None


def forget_copies(folder: Path, others: list[Path]) -> None:
    """Delete the int8 copies of a model's weights, unless another one in the cache, or of the OTHERS, has the same.

    Call it before the model is deleted: after a kill between the two, nothing would lead to the copies any more.
    """
    weights = weights_of(folder)
    kept = (model for model in (*others, *cached_models()) if model != folder)
    if weights and weights.isalnum() and weights not in map(weights_of, kept):
        tidy(int8_folder())
        for copy in int8_folder().glob(f"{weights}-*"):
            with suppress(OSError):  # it is in use
                discard(copy)
