"""Hidden working folders, in which output is written before it appears, and their clean-up after killed runs.

A working folder is called `.unbraid-` and 12 hexadecimal digits. Its run holds a lock on the file `lock` in it for as
long as it works there; the system releases the lock when the process ends, for whatever reason. So a folder with a free
lock is left over, however young, and one with a held lock is in use, however old. Output folders may be shared, or
unpacked from an archive: nothing in them is opened, emptied or deleted through a symbolic link, and only such names are
deleted.
"""

import contextlib
import hashlib
import os
import re
import shutil
import stat
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from unbraid.errors import AudioError, UnbraidError, refused

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_NAME = re.compile(r"\.unbraid-[0-9a-f]{12}")
_LOCK = "lock"
_YOUNG_SECONDS = 60.0  # a folder with content but without a lock is another release's, which may be about to lock it
_ATTEMPTS = 100  # to make a folder that no other process is sweeping, or to clean up between two Ctrl-C
_NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)


@contextlib.contextmanager
def disk_errors(folder: Path, by: str = " with -o", kind: type[UnbraidError] = AudioError) -> Iterator[None]:
    """Failures of the disk as sentences; `by` says how another place is chosen."""
    try:
        yield
    except OSError as error:
        raise kind(refused(folder, error, by)) from error


Telling = Callable[[Path], contextlib.AbstractContextManager[object]]


@contextlib.contextmanager
def working_folder(root: Path, telling: Telling = disk_errors) -> Iterator[Path]:
    """A hidden folder in ROOT, locked while it is ours and gone afterwards; so is ROOT, if it was made for it in vain.

    Raises:
        AudioError: the disk refuses, in the words of TELLING.
    """
    missing = [folder for folder in (root, *root.parents) if not os.path.lexists(folder)]
    above = next((folder for folder in (root, *root.parents) if os.path.isdir(folder)), root)
    work = _Working(root)
    try:  # twice: an interrupt may come just before the first is under way
        try:
            with telling(above):
                sweep(root)
                work.make()
            yield work.path
        finally:
            finish(lambda: work.delete(missing))
    finally:
        finish(lambda: work.delete(missing))


def temporary_folder() -> contextlib.AbstractContextManager[Path]:
    """A working folder on the disk for temporary files."""
    return working_folder(Path(tempfile.gettempdir()), lambda folder: disk_errors(folder, " with TMPDIR"))


@contextlib.contextmanager
def swept(*folders: Path) -> Iterator[None]:
    """Delete the left-overs of killed runs in these folders, before and after."""
    for folder in folders:
        sweep(folder)
    try:
        yield
    finally:
        finish(lambda: list(map(sweep, folders)))


def sweep(folder: Path) -> None:
    """Delete leftovers of killed runs in a folder: working folders and lock files without a holder."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for path in [Path(entry.path) for entry in entries if is_working_name(entry.name)] if fcntl else ():
            with contextlib.suppress(OSError):
                _sweep(path)


def is_working_name(name: str) -> bool:
    """Whether this is the name of a working folder or lock file."""
    return _NAME.fullmatch(name) is not None


@contextlib.contextmanager
def locked(root: Path, what: str) -> Iterator[None]:
    """A lock between processes, per folder and purpose; without effect on disks that have no locks."""
    with contextlib.ExitStack() as held:
        _hold(_lock_file(root, what), held, wait=True)
        yield


@contextlib.contextmanager
def claimed(root: Path, what: str) -> Iterator[bool]:
    """Whether a piece of work is ours, and no other process's until the block ends; always on disks without locks.

    ROOT is made for it, and deleted afterwards if nothing is in it.
    """
    missing = [folder for folder in (root, *root.parents) if not os.path.lexists(folder)]
    with contextlib.ExitStack() as held:
        held.callback(_delete_empty, missing)
        yield _hold(_lock_file(root, what), held, wait=False)


def finish(work: Callable[[], object]) -> None:
    """Run a step to its end; an interrupt during it is raised afterwards."""
    interrupt: BaseException | None = None
    for _ in range(_ATTEMPTS):
        try:
            work()
            break
        except KeyboardInterrupt as error:
            interrupt = error
    if interrupt is not None:
        raise interrupt


class _Working:
    """A working folder in use."""

    def __init__(self, root: Path) -> None:
        self.root, self.path = root, root / _new_name()
        self._lock: int | None = None

    def make(self) -> None:
        """Make it and lock it, under another name where a sweep comes between the two."""
        for _ in range(_ATTEMPTS):
            self.root.mkdir(parents=True, exist_ok=True)
            self.path.mkdir(mode=0o700)
            lock = self.path / _LOCK
            with contextlib.suppress(FileNotFoundError):
                self._lock = _opened(lock, os.O_CREAT | os.O_EXCL)
                try:
                    ours = _take(self._lock) and _is_at(self._lock, lock)
                except OSError:  # some network disks cannot lock; then nothing is swept there either
                    ours = True
                if ours:
                    return
                self._unlock()
            self.path = self.root / _new_name()
        raise OSError(f"no working folder can be made in {self.root}")

    def delete(self, made: list[Path]) -> None:
        """Delete it, and the folders that were made for it unless something is in them."""
        if not fcntl:  # an open file cannot be deleted on Windows
            self._unlock()
        _delete(self.path)
        self._unlock()
        _delete_empty(made)

    def _unlock(self) -> None:
        file, self._lock = self._lock, None
        if file is not None:
            os.close(file)


def _new_name() -> str:
    return f".unbraid-{uuid.uuid4().hex[:12]}"


def _delete_empty(folders: list[Path]) -> None:
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.rmdir()


def _lock_file(root: Path, what: str) -> Path:
    return root / f".unbraid-{hashlib.sha256(os.fsencode(what)).hexdigest()[:12]}"


def _hold(path: Path, held: contextlib.ExitStack, *, wait: bool) -> bool:
    """Hold a lock file until HELD is closed, which deletes it; False where another process does, unless this waits."""
    with contextlib.suppress(OSError):
        while fcntl:  # an open file cannot be deleted on Windows
            try:
                file = _opened(path, os.O_CREAT)
            except FileNotFoundError:  # another process may delete its empty folder again
                path.parent.mkdir(parents=True, exist_ok=True)
                continue
            held.callback(os.close, file)
            taken = True
            with contextlib.suppress(OSError):  # a disk without locks
                taken = _take(file, wait=wait)
            if not taken:
                return False
            if _is_at(file, path):  # else its owner has deleted it
                held.callback(path.unlink, missing_ok=True)
                break
    return True


def _sweep(path: Path) -> None:
    """Delete a working folder or lock file, unless it is held, no such thing, or young and without a lock."""
    if stat.S_ISREG(path.lstat().st_mode):
        _delete_if_free(path, _opened(path), path.unlink)
    elif stat.S_ISDIR(path.lstat().st_mode):
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | _NO_LINK)
        try:
            lock = os.open(_LOCK, os.O_RDWR | _NO_LINK, dir_fd=folder)
        except FileNotFoundError:
            if time.time() - os.fstat(folder).st_mtime > _YOUNG_SECONDS:
                _delete(path)
            else:
                path.rmdir()  # if it is empty: killed between its making and its locking
            return
        finally:
            os.close(folder)
        _delete_if_free(path / _LOCK, lock, lambda: _delete(path))


def _delete(path: Path) -> None:
    """Delete a working folder, its lock last, so that what a kill leaves can still be recognised."""
    if not shutil.rmtree.avoids_symlink_attacks:  # Windows
        shutil.rmtree(path, ignore_errors=True)
        return
    with contextlib.suppress(OSError):
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | _NO_LINK)
        try:
            for name in sorted(os.listdir(folder), key=_LOCK.__eq__):
                with contextlib.suppress(OSError):
                    if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                        shutil.rmtree(name, ignore_errors=True, dir_fd=folder)
                    else:
                        os.unlink(name, dir_fd=folder)
        finally:
            os.close(folder)
        path.rmdir()


def _delete_if_free(lock: Path, file: int, delete: Callable[[], object]) -> None:
    try:
        if stat.S_ISREG(os.fstat(file).st_mode) and _take(file) and _is_at(file, lock):
            delete()
    finally:
        os.close(file)


def _opened(path: Path, flags: int = 0) -> int:
    return os.open(path, os.O_RDWR | flags | _NO_LINK, 0o600)


def _take(file: int, *, wait: bool = False) -> bool:
    """Lock an open file; False where another process has done so.

    Raises:
        OSError: its disk has no locks.
    """
    if fcntl:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
    return True


def _is_at(file: int, path: Path) -> bool:
    """Whether an open file is still the one of that name."""
    try:
        return os.path.samestat(os.fstat(file), path.lstat())
    except OSError:
        return False
