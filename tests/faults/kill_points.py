"""A command that is killed, or interrupted, at each point where it is about to change the names on a disk.

The points are found, not listed: Python announces every rename, unlink, mkdir and opening for writing to audit hooks,
whoever calls them. A forked child runs the command with such a hook, which ends it at the point wanted; so a kill takes
no longer than the command, and everything is imported already. A kill just after a change is one before the next.
"""

import hashlib
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

CHANGES = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate", "shutil.rmtree"}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_TIME = 1_600_000_000  # of inputs, so that records are the same
ALARM_SECONDS = 60


@dataclass(frozen=True)
class End:
    """How a child ended."""

    killed: bool
    code: int | None  # None: by a signal
    points: int  # that it came by
    said: str


def child(
    work: Callable[[], object],
    folder: Path,
    at: tuple[int, ...] = (),
    number: int = signal.SIGKILL,
    after: float | None = None,
) -> End:
    """Do some work in a forked child, in a folder, and send it a signal at these points, or after so many seconds."""
    log, counter = folder.with_name(folder.name + ".log"), folder.with_name(folder.name + ".points")
    process = os.fork()
    if process == 0:  # pragma: no cover
        code = 99
        try:
            _redirect(log)
            os.chdir(folder)
            signal.alarm(ALARM_SECONDS)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            _count(os.open(counter, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), at, number)
            code = _code_of(work)
        finally:
            os._exit(code)
    if after is not None:
        time.sleep(after)
        os.kill(process, number)  # it is ours until it is waited for, dead or not
    _, status = os.waitpid(process, 0)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    code = None if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
    return End(killed, code, counter.stat().st_size, log.read_text(errors="replace"))


def tree(folder: Path, *, content: bool = True) -> dict[str, str]:
    """Everything in a folder, hidden or not, by its name; files with a hash of their bytes."""
    found = {}
    for path in sorted(folder.rglob("*")):
        told = "link" if path.is_symlink() else "folder" if path.is_dir() else "file"
        found[path.relative_to(folder).as_posix()] = (
            hashlib.sha256(path.read_bytes()).hexdigest() if content and told == "file" else told
        )
    return found


def copied(template: Path, folder: Path) -> Path:
    """A fresh copy of a folder, with the times of its files set."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(template, folder)
    for path in folder.rglob("*"):
        if path.is_file():
            os.utime(path, (_TIME, _TIME))
    return folder


def command(*words: str, stdin: str | None = None) -> Callable[[], object]:
    """The work of a command line, a file perhaps for its standard input."""

    def work() -> None:
        from unbraid.cli import main

        if stdin is not None:
            os.dup2(os.open(stdin, os.O_RDONLY), 0)
            sys.stdin = open(0, closefd=False)  # noqa: SIM115
        sys.argv = ["unbraid", *words]
        main()

    return work


def _code_of(work: Callable[[], object]) -> int:
    try:
        work()
    except SystemExit as ending:
        return ending.code if isinstance(ending.code, int) else int(ending.code is not None)
    except KeyboardInterrupt:
        return 130
    except BaseException:
        import traceback

        traceback.print_exc()
        return 98
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def _redirect(log: Path) -> None:
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(file, 1)
    os.dup2(file, 2)
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115


def _count(counter: int, at: tuple[int, ...], number: int) -> None:
    seen = 0

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal seen
        if event in CHANGES or (event == "open" and _is_written(arguments)):
            seen += 1
            os.write(counter, b".")
            if seen - 1 in at:
                os.kill(os.getpid(), number)
                time.sleep(0)

    sys.addaudithook(hook)


def _is_written(arguments: tuple[object, ...]) -> bool:
    path, mode, flags = (*arguments, None, None, None)[:3]
    if isinstance(path, int) or str(path).startswith(("/dev/", "/proc/")) or "__pycache__" in str(path):
        return False
    return any(letter in str(mode or "") for letter in "wax+") or bool(isinstance(flags, int) and flags & _WRITING)
