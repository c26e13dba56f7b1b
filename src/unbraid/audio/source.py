"""Sources of audio: a path, a binary file object, or a pipe, which is first spooled to disk.

Models read a track more than once (Wiener filter, common gain), so whatever cannot seek is copied to a
temporary file before anything else happens; the next run deletes those of killed ones (see `files.workdir`).
"""

import io
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

from unbraid.errors import AudioError
from unbraid.files.workdir import temporary_folder

Source = str | os.PathLike[str] | BinaryIO
_STANDARD = {"<stdin>": "standard input", "<stdout>": "standard output"}  # their names in messages
SPOOLED = ".spool"  # suffix of the copies of pipes
_SPOOL_BYTES = 1 << 16  # copied at a time


def label(source: Source) -> str:
    """The name of the source in messages."""
    if isinstance(source, str | os.PathLike):
        return os.fspath(source)
    name = getattr(source, "name", None)
    return _STANDARD.get(name, name) if isinstance(name, str) else "the stream"


@contextmanager
def spooled(stream: BinaryIO, progress: Callable[[int, None], None] | None = None) -> Iterator[Path]:
    """A copy of a stream on disk, for as long as it is needed.

    `progress(bytes so far, None)` is called now and then; the length of a pipe is not known.

    Raises:
        AudioError: the temporary folder is full or not writable.
    """
    with temporary_folder() as folder:
        path = folder / f"copy{SPOOLED}"
        _copy(stream, path, progress)
        yield path


def localize(source: Source, opened: ExitStack) -> Path | BinaryIO:
    """Something that can seek: the source, or a copy that is deleted when OPENED is closed."""
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        if _openable(path):
            return path
        with path.open("rb") as pipe:
            return opened.enter_context(spooled(pipe))
    if isinstance(source, io.TextIOBase) or not hasattr(source, "read"):
        raise AudioError(
            f"A recording is a path or a file open for reading bytes (an array where arrays are taken), not "
            f"{type(source).__name__}."
        )
    if not getattr(source, "seekable", lambda: False)():
        return opened.enter_context(spooled(source))
    source.seek(0, os.SEEK_END)
    if source.tell() == 0:
        raise AudioError(f"{label(source)} is empty: it holds no bytes. Name a file with audio in it.")
    return source


def _copy(stream: BinaryIO, path: Path, progress: Callable[[int, None], None] | None) -> None:
    try:
        with path.open("wb") as file:
            while chunk := stream.read(_SPOOL_BYTES):
                file.write(chunk)
                if progress:
                    progress(file.tell(), None)
    except OSError as error:
        raise AudioError(
            f"{label(stream)} could not be spooled to {path.parent.parent}: {error.strerror or error}. "
            f"Free some space there, or point TMPDIR to a larger disk."
        ) from error


def _openable(path: Path) -> bool:
    """Whether the path is a file to be read in place (True) or a pipe (False); anything else is refused."""
    try:
        mode = path.stat().st_mode
        regular = stat.S_ISREG(mode)
        if path.is_dir():
            raise AudioError(f"{path} is a folder. Name an audio file in it.")
        if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
            raise AudioError(f"{path} is a device. Name an audio file, or a pipe with audio in it.")
        if regular:  # opening and closing a pipe would break it for its writer
            with path.open("rb") as file:
                if not file.read(1):
                    raise AudioError(f"{path} is empty: it holds no bytes. Name a file with audio in it.")
    except FileNotFoundError:
        raise AudioError(f"{path} does not exist. Name an audio file that does.") from None
    except PermissionError:
        raise AudioError(f"{path} may not be read. Grant read permission, or copy it to where you may read.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise AudioError(f"{path} cannot be opened: {reason}. Check the name and the disk it is on.") from error
    return regular
