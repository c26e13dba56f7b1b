"""Addresses of files elsewhere, such as s3://bucket/key, through fsspec: opened, listed, fetched.

Each library behind fsspec has errors of its own; here they become sentences, and `NetworkError`s where another attempt
may succeed.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from unbraid.errors import RuntimeUnavailable, UnbraidError, UsageError, quoted, shortened
from unbraid.files.bounded import check_regular

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_CREDENTIALS = (
    "set them as its library reads them, such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY for s3://, or "
    "GOOGLE_APPLICATION_CREDENTIALS for gs://"
)
_COPY_BYTES = 1 << 20


class NetworkError(UnbraidError):
    """A place elsewhere that cannot be reached, or not now."""


def is_remote(address: str) -> bool:
    """Whether this is an address for fsspec, not a path."""
    return "://" in address and not address.startswith("file://")


def filesystem(address: str) -> tuple["AbstractFileSystem", str]:
    """The file system of an address, and the path in it.

    Raises:
        RuntimeUnavailable: fsspec, or its library for these addresses, is not installed.
        UsageError: there are no such addresses.
    """
    try:
        import fsspec
    except ModuleNotFoundError:
        raise RuntimeUnavailable(
            f"{quoted(address)} needs fsspec, which is not installed; get it with `pip install 'unbraid[batch]'`."
        ) from None
    try:
        fs, path = fsspec.core.url_to_fs(address)
        return fs, str(path)
    except ImportError as error:
        raise RuntimeUnavailable(f"{quoted(address)} needs a library: {shortened(str(error))}.") from None
    except ValueError as error:
        raise UsageError(f"{quoted(address)} cannot be opened: {shortened(str(error))}.") from None


@contextmanager
def reached(address: str) -> Iterator[None]:
    """Errors of a place elsewhere as sentences.

    Raises:
        UsageError: there is nothing, or it may not be read or written.
        NetworkError: anything else.
    """
    try:
        yield
    except UnbraidError:
        raise
    except FileNotFoundError:
        raise UsageError(f"There is nothing at {quoted(address)}; check the address.") from None
    except Exception as error:
        told = shortened(str(error)) or type(error).__name__
        if isinstance(error, PermissionError) or "credential" in f"{type(error).__name__} {error}".lower():
            raise UsageError(
                f"{quoted(address)} may not be used ({told}); check the credentials: {_CREDENTIALS}."
            ) from error
        raise NetworkError(
            f"{quoted(address)} cannot be reached ({told}); check the network and the address."
        ) from error


def opened(address: str) -> BinaryIO:
    """A file here or elsewhere, opened for reading.

    Raises:
        UsageError, RuntimeUnavailable, NetworkError: it cannot be opened.
    """
    if is_remote(address):
        fs, path = filesystem(address)
        with reached(address):
            return cast(BinaryIO, fs.open(path, "rb"))
    try:
        check_regular(Path(address))
        return open(address, "rb")
    except (OSError, ValueError) as error:
        told = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"{quoted(address)} cannot be read: {told}.") from None


def suffix(address: str) -> str:
    """The extension of a path or address in lower case, with the dot; without the query of an address."""
    return PurePosixPath(address.partition("?")[0] if is_remote(address) else address).suffix.lower()


def fetch(address: str, folder: Path, name: str) -> Path:
    """Copy a file from elsewhere into a folder.

    Raises:
        UsageError, NetworkError: as `reached`.
        OSError: the disk refuses.
    """
    place = folder / name
    with opened(address) as source, place.open("wb") as copy:
        while True:
            with reached(address):
                piece = source.read(_COPY_BYTES)
            if not piece:
                return place
            copy.write(piece)


def upload(folder: Path, names: list[str], fs: "AbstractFileSystem", path: str) -> None:
    """Copy files to a place elsewhere in one transaction, which is committed in the order of names.

    Object stores keep the parts of an upload apart until then, so that a kill before it leaves nothing.
    """
    with fs.transaction:
        for name in names:
            with (folder / name).open("rb") as source, fs.open(f"{path}/{name}", "wb") as copy:
                shutil.copyfileobj(source, copy, _COPY_BYTES)


def version_of(info: dict[str, Any]) -> str:
    """The version of a file's content, as its file system tells it; "" where it does not."""
    return next((str(info[key]) for key in ("ETag", "etag", "LastModified", "mtime", "updated") if info.get(key)), "")
