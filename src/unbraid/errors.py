"""Every error the package raises on purpose, under one base class.

    UnbraidError
    ├── AudioError            a file or an array that cannot be read, written or separated as it is
    ├── UsageError            a request that cannot be met: unknown stem, two inputs for one output, …
    ├── Cancelled             the caller asked for a stop
    ├── RuntimeUnavailable    an engine, a device or an extra that is not installed
    └── ModelError
        ├── ModelNotFound     no model of that name or folder here
        ├── SpecError         spec.json that is not one
        ├── ChecksumError     a file whose bytes are not the expected ones
        └── DownloadError     a model that could not be fetched

Each message is one sentence or two: what is wrong, what is allowed, what to do. What a disk refuses is put into words
here too (`refused`), so that every part of the program says the same. Messages cite the content of files through
`quoted` and `shortened`, at most 80 characters of it, since a file may hold anything.
"""

import collections.abc
import errno
import os

MOST_QUOTED = 80  # characters of a file's content in a message

_REMEDIES = {  # {by}: how another place is chosen
    errno.ENOSPC: "Free some space, or choose another folder{by}",
    errno.EDQUOT: "Free some space, or choose another folder{by}",
    errno.EFBIG: "Files may not be that large there; raise the limit (`ulimit -f`), or choose another folder{by}",
    errno.EACCES: "Choose a folder you may write to{by}",
    errno.EPERM: "Choose a folder you may write to{by}",
    errno.EROFS: "Choose a folder you may write to{by}",
    errno.ENOENT: "Create the folder first",
    errno.ENAMETOOLONG: "Choose shorter names",
}


def refused(place: str | os.PathLike[str], error: OSError, by: str = "") -> str:
    """The sentences for a place that cannot be written to; `by` says how another is chosen (" with -o")."""
    if not os.path.isabs(place) and (gone := current_folder_gone()):
        return f"{place} cannot be written: {error.strerror or error}. {gone}"
    remedy = _REMEDIES.get(error.errno or 0, "Check the disk, or choose another folder{by}").format(by=by)
    return f"{place} cannot be written: {error.strerror or error}. {remedy}."


def current_folder_gone() -> str | None:
    """The sentence where the current folder was deleted or unmounted, which the system says of it without a name."""
    try:
        os.getcwd()
    except OSError:
        return "The current folder is gone: it was deleted, moved or unmounted. Change to another one with cd."
    return None


def quoted(value: object) -> str:
    """`repr(value)`, cut to 80 characters, and without the work of the rest: a value may be nested without end."""
    text = ""
    for piece in _pieces(value):
        text += piece
        if len(text) > MOST_QUOTED:
            break
    return shortened(text)


def shortened(text: str) -> str:
    """A text on one line, cut to 80 characters."""
    line = " ".join(text[: 4 * MOST_QUOTED].split())
    return line if len(line) <= MOST_QUOTED else f"{line[: MOST_QUOTED - 1]}…"


def _pieces(value: object) -> collections.abc.Iterator[str]:
    """The parts of a value's `repr`, one after the other; what is not plain data gives its type alone."""
    if isinstance(value, str | bytes):
        yield repr(value[: MOST_QUOTED + 1])
    elif isinstance(value, int) and value.bit_length() > 1000:  # Python itself refuses to write very long ones
        yield f"a number of {value.bit_length()} bits"
    elif value is None or isinstance(value, int | float):
        yield repr(value)
    elif isinstance(value, dict):
        yield "{"
        for i, (key, item) in enumerate(value.items()):
            yield ", " if i else ""
            yield from _pieces(key)
            yield ": "
            yield from _pieces(item)
        yield "}"
    elif isinstance(value, list | tuple):
        first, last = "[]" if isinstance(value, list) else "()"
        yield first
        for i, item in enumerate(value):
            yield ", " if i else ""
            yield from _pieces(item)
        yield f",{last}" if isinstance(value, tuple) and len(value) == 1 else last
    else:
        yield f"<{type(value).__name__}>"


class UnbraidError(Exception):
    """Base of all errors raised on purpose; its message is meant for people."""


class AudioError(UnbraidError):
    """Audio that cannot be read, written or separated as it is."""


class UsageError(UnbraidError):
    """A request that cannot be met as it was put."""


class Cancelled(UnbraidError):
    """The caller asked for a stop while work was under way."""


class RuntimeUnavailable(UnbraidError):
    """An engine, a device or an optional package that is not there."""


class ModelError(UnbraidError):
    """A model that cannot be used as it is."""


class ModelNotFound(ModelError):
    """No model of that name or in that folder."""


class SpecError(ModelError):
    """A spec.json that cannot be read, or that does not fit its files."""


class ChecksumError(ModelError):
    """A file whose bytes are not the expected ones."""


class DownloadError(ModelError):
    """A model that could not be fetched."""


def lacking(what: str, package: str, get: str = "'unbraid[train]'") -> RuntimeUnavailable:
    """The error where something needs a package that is not here: one of the train extra, or GET is what brings it."""
    return RuntimeUnavailable(f"{what} needs {package}, which is not installed; get it with `pip install {get}`.")
