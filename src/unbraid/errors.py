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
here too (`refused`), so that every part of the program says the same.
"""

import errno
import os

_REMEDIES = {  # {by}: how another place is chosen
    errno.ENOSPC: "Free some space, or choose another folder{by}",
    errno.EDQUOT: "Free some space, or choose another folder{by}",
    errno.EACCES: "Choose a folder you may write to{by}",
    errno.EPERM: "Choose a folder you may write to{by}",
    errno.EROFS: "Choose a folder you may write to{by}",
    errno.ENOENT: "Create the folder first",
    errno.ENAMETOOLONG: "Choose shorter names",
}


def refused(place: str | os.PathLike[str], error: OSError, by: str = "") -> str:
    """The sentences for a place that cannot be written to; `by` says how another is chosen (" with -o")."""
    remedy = _REMEDIES.get(error.errno or 0, "Check the disk, or choose another folder{by}").format(by=by)
    return f"{place} cannot be written: {error.strerror or error}. {remedy}."


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


def lacking(what: str, package: str) -> RuntimeUnavailable:
    """The error where something needs a package of the train extra that is not here."""
    return RuntimeUnavailable(
        f"{what} needs {package}, which is not installed; get it with `pip install 'unbraid[train]'`."
    )
