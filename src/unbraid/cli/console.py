"""Output of commands: errors as sentences on standard error, exit codes, and signals that interrupt cleanly.

`EXIT_CODES` says what each exit code means.
"""

import errno
import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, TextIO

import typer

from unbraid.errors import (
    Cancelled,
    RuntimeUnavailable,
    UnbraidError,
    UsageError,
    current_folder_gone,
    lacking,
    refused,
)
from unbraid.files.printable import json_printable, printable

FAILED, USAGE, INTERRUPTED = 1, 2, 130
EXIT_CODES = {  # of every command, as in docs/command-line.md
    0: "everything succeeded",
    FAILED: "something failed: an input, a model, a download, or a check of `doctor`",
    USAGE: "the request cannot be met, or needs a device or an extra that is missing; nothing was written",
    INTERRUPTED: "interrupted by Ctrl-C, or by the signal TERM or HUP",
}
_STDOUT = "standard output"


def say(*lines: str) -> None:
    """Print lines to standard output, whatever characters they have."""
    with telling():
        _print(lines, sys.stdout)


@contextmanager
def telling() -> Iterator[None]:
    """Turn a full or closed standard output into a sentence; a broken pipe is handled elsewhere."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        hush_stdout()
        raise UnbraidError(refused(_STDOUT, error)) from error


def notice(*lines: str) -> None:
    """Print lines to standard error, if it can be written to."""
    with suppress(OSError):
        _print(lines, sys.stderr)


def warn(name: str, notices: Iterable[str]) -> None:
    """Print warnings about an input, all in one form."""
    for text in notices:
        notice(f"warning: {name}: {text}")


def report_error(message: str) -> None:
    """Print an error, in the one form that errors have."""
    notice(f"error: {message}")


def explain(error: Exception) -> str:
    """An error as a message: as it is when it was raised on purpose, else with a hint."""
    if os.environ.get("UNBRAID_DEBUG"):
        notice(*"".join(traceback.format_exception(error)).splitlines())
    gone = current_folder_gone()
    if isinstance(error, UnbraidError):
        return f"{error} {gone}" if gone and gone not in str(error) else str(error)
    if isinstance(error, MemoryError):
        return "there is not enough memory; close other programs, or cut the input with --duration."
    if isinstance(error, FileNotFoundError) and gone:
        return gone
    if isinstance(error, FileNotFoundError) and "temporary directory" in str(error):  # as `tempfile` words it
        return "There is no temporary folder that can be written to; set TMPDIR to one."
    if isinstance(error, OSError):
        return f"{error.filename or 'the system'}: {error.strerror or error}. {_remedy(error)}."
    what = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(": .")
    return f"unexpected {what}. This is a bug; set UNBRAID_DEBUG=1 to see where it comes from, and report it."


def _remedy(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "Free some space"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "Grant permission, or choose another place"
    return "Check the path and the disk"


def exit_code(error: Exception) -> int:
    """The exit code of a command that ends in this error."""
    return USAGE if isinstance(error, UsageError | RuntimeUnavailable) else FAILED


@contextmanager
def interruption_told() -> Iterator[None]:
    """Turn Ctrl-C into a sentence and an exit code."""
    try:
        yield
    except (KeyboardInterrupt, Cancelled):
        report_error("interrupted.")
        raise typer.Exit(INTERRUPTED) from None


@contextmanager
def guarded(*, as_json: bool = False) -> Iterator[None]:
    """Turn exceptions of a command into a sentence, also in JSON if requested, and an exit code."""
    try:
        with interruption_told(), interruptible():
            yield
    except (typer.Exit, typer.BadParameter):
        raise
    except BrokenPipeError:
        hush_stdout()
        raise typer.Exit(FAILED) from None
    except Exception as error:
        message = explain(error)
        report_error(message)
        if as_json:
            with suppress(UnbraidError):
                say(json_text({"error": message}))
        raise typer.Exit(exit_code(error)) from None


def json_text(values: Any) -> str:
    """Values, paths among them, as JSON on one line, unescaped but for control characters."""
    return json_printable(json.dumps(values, ensure_ascii=False, default=os.fspath))


@contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGTERM and SIGHUP interrupt like Ctrl-C, so that temporary files are deleted."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    names = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    ours = [number for number in names if signal.getsignal(number) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


@contextmanager
def stdout_watched() -> Iterator[None]:
    """Report that standard output is full or closed, also for help, the version, and buffered text."""
    ending: SystemExit | None = None
    try:
        try:
            yield
        except SystemExit as exit:
            ending = exit
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        hush_stdout()
        if not (ending and ending.code):  # else the error is already reported
            if not isinstance(error, BrokenPipeError):
                report_error(refused(_STDOUT, error))
            raise SystemExit(FAILED) from None
    if ending:
        raise ending


def hush_stdout() -> None:
    """Discard the buffered rest of standard output, whose reader is gone, without a message at exit."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _print(lines: Sequence[str], stream: TextIO | None) -> None:
    """The single place of output: control characters are escaped, and so are characters that the encoding lacks."""
    if lines and stream is not None:  # None: closed by the parent process
        encoding = stream.encoding or "utf-8"
        text = "\n".join(map(printable, lines))
        print(text.encode(encoding, "backslashreplace").decode(encoding), file=stream, flush=True)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextmanager
def train_extra(what: str) -> Iterator[None]:
    """Turn a failed import of the train extra into a sentence that names it.

    Raises:
        RuntimeUnavailable: a package that is not ours is missing, or the current folder, without which PyTorch aborts.
    """
    if gone := current_folder_gone():
        raise RuntimeUnavailable(gone)
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("unbraid"):
            raise
        raise lacking(what, str(error.name)) from None
