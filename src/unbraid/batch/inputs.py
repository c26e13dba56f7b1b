"""The inputs of a batch: files, folders, globs, lists, and tables with a column of them, here or elsewhere.

    albums/   "albums/**/*.mp3"   s3://archive/raw/   list.txt   list.csv   list.jsonl   list.parquet

Entries of a list are relative to the list. Outputs of earlier runs are not taken for inputs.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from unbraid.audio.extensions import EXTENSIONS
from unbraid.batch.addresses import filesystem, is_remote, reached, suffix, version_of
from unbraid.batch.items import Found
from unbraid.batch.lists import LISTS, entries
from unbraid.errors import UsageError, quoted
from unbraid.files.record import claims, stems_recorded_for
from unbraid.files.walk import Why, files_in, is_hidden

COLUMN = "path"
_MOST_ITEMS = 10_000_000
_RECORD = ".unbraid.json"


def find(names: Sequence[str], column: str = COLUMN) -> Iterator[Found]:
    """The audio files that are named.

    Raises:
        UsageError: a name leads to nothing, or a list cannot be read.
        RuntimeUnavailable, NetworkError: a place elsewhere cannot be reached.
    """
    count = 0
    for name in names:
        before = count
        for file in _of(name, column):
            count += 1
            if count > _MOST_ITEMS:
                raise UsageError(f"There are more than {_MOST_ITEMS:,} inputs; cut them into several runs.")
            yield file
        if count == before:
            raise UsageError(f"There are no audio files in {quoted(name)}.")


def _of(name: str, column: str) -> Iterator[Found]:
    name = name.removeprefix("file://")
    if not name:
        raise UsageError("The name of an input is empty; leave it out, or use . for the current folder.")
    if suffix(name) in LISTS and not _is_glob(name):
        return _listed(name, column)
    return _elsewhere(name) if is_remote(name) else _here(name)


def _here(name: str) -> Iterator[Found]:
    """A file, the files of a folder and all below it, or of a glob."""
    path = Path(name)
    if path.is_dir():
        yield from _below(path)
    elif os.path.lexists(path) or not _is_glob(name):
        if not os.path.lexists(path):
            raise UsageError(f"There is nothing at {quoted(name)}; check the path.")
        yield _local(path, Path(path.name))
    else:
        above = _above(name)
        for file in sorted(Path(above).glob(str(PurePosixPath(name).relative_to(above)))):
            if (
                file.is_file()
                and _is_audio(file.name)
                and Path(os.path.abspath(file)) not in claims(file.parent / _RECORD)
            ):
                yield _local(file, file.relative_to(above))


def _below(folder: Path) -> Iterator[Found]:
    """The audio files of a folder and all below it; one that may not be searched is told, lest its files be missed."""

    def passed_over(place: Path, why: Why, told: str) -> None:
        if why == "unreadable":
            raise UsageError(f"{place} {told}; grant permission, or name the folders that are to be searched.")

    try:
        ours = stems_recorded_for(folder, recursive=True)
        files = files_in(folder, {f".{extension}" for extension in EXTENSIONS}, passed_over=passed_over)
    except OSError as error:
        raise UsageError(f"{folder} may not be searched ({error.strerror}); grant permission.") from None
    for file in files:
        if Path(os.path.abspath(file)) not in ours:
            yield _local(file, file.relative_to(folder))


def _above(pattern: str) -> str:
    """The folder in front of the first part of a glob that has a wildcard."""
    parts = PurePosixPath(pattern).parts
    fixed = next(i for i, part in enumerate(parts) if _is_glob(part))
    return str(PurePosixPath(*parts[:fixed]))


def _local(path: Path, relative: Path) -> Found:
    address = os.path.abspath(path)
    try:
        about = os.stat(address)
    except OSError:  # whose reader says why
        return Found(address, relative.as_posix())
    return Found(address, relative.as_posix(), about.st_size, str(about.st_mtime_ns))


def _elsewhere(address: str) -> Iterator[Found]:
    """A file, the files below an address, or of a glob, elsewhere."""
    fs, path = filesystem(address)
    with reached(address):
        if _is_glob(address):
            above, found = _above(path), fs.glob(path, detail=True)
        elif _is_audio(path):
            above, found = str(PurePosixPath(path).parent), {path: fs.info(path)}
        else:
            above, found = path.rstrip("/"), fs.find(path, detail=True)
            if not found:
                raise FileNotFoundError
    done = {str(PurePosixPath(file).parent) for file in found if file.endswith(f"/{_RECORD}")}
    for file, info in found.items():
        relative = file.removeprefix(above).lstrip("/")
        if info.get("type") == "directory" or not _is_audio(file) or str(PurePosixPath(file).parent) in done:
            continue
        if not any(map(is_hidden, relative.split("/"))):
            yield Found(str(fs.unstrip_protocol(file)), relative, info.get("size"), version_of(info))


def _listed(name: str, column: str) -> Iterator[Found]:
    """The entries of a list."""
    base = name.rpartition("/")[0] if is_remote(name) else os.path.dirname(os.path.abspath(name))
    for entry in entries(name, column):
        entry = entry.strip().removeprefix("file://")
        if not entry:
            continue
        if not _is_possible(entry):
            raise UsageError(f"{quoted(name)} names {quoted(entry)}, and no file can be called so; correct the list.")
        if is_remote(entry):
            yield Found(entry, relative_of(entry))
        elif is_remote(name):
            if os.path.isabs(entry):
                raise UsageError(f"{quoted(name)} names {quoted(entry)}, a path of this machine; give addresses.")
            yield Found(f"{base}/{entry}", entry)
        else:
            path = os.path.normpath(os.path.join(base, entry))
            relative = os.path.relpath(path, base) if not os.path.isabs(entry) else path
            yield _local(Path(path), Path(path if relative.startswith("..") else relative))


def _is_possible(entry: str) -> bool:
    """Whether a file can be called so: without a zero character, nor half of a surrogate pair, as JSON may have."""
    try:
        return b"\0" not in os.fsencode(entry)
    except UnicodeEncodeError:
        return False


def _is_audio(name: str) -> bool:
    return suffix(name).removeprefix(".") in EXTENSIONS


def _is_glob(name: str) -> bool:
    """Whether a name has wildcards; the ? of an address may stand in front of a query."""
    return "*" in name or "[" in name or ("?" in name and not is_remote(name))


def relative_of(address: str) -> str:
    """The path of a file that no folder was named for: all of it, with the host or bucket of an address."""
    if is_remote(address):
        return address.partition("://")[2].partition("?")[0]
    return Path(os.path.abspath(address)).as_posix()
