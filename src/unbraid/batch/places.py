"""The place of outputs: a folder here, or an address elsewhere; the files of a recording come whole or not at all.

Here their folder appears in one rename. Elsewhere there are no folders: the parts of all files are uploaded first, then
committed one after the other, the record last. So files without a record are those of a kill between two commits, and
the next run replaces them.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Protocol

from unbraid.batch.addresses import filesystem, is_remote, reached, upload
from unbraid.errors import RuntimeUnavailable, UsageError, quoted
from unbraid.files.atomic import put
from unbraid.files.record import Receipt, read_receipt
from unbraid.files.workdir import disk_errors, finish, sweep, temporary_folder, working_folder

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

RECORD = ".unbraid.json"
HIDDEN = ".unbraid-batch"  # in the output folder, with the working folders of the workers


@dataclass(frozen=True)
class Draft:
    """Two folders to work in: what is in the first will be the outputs, the second is for temporary files."""

    outputs: Path
    work: Path

    @property
    def names(self) -> list[str]:
        """The outputs so far, and the record last."""
        return sorted(os.listdir(self.outputs), key=lambda name: (name == RECORD, name))


class Place(Protocol):
    """Where outputs go."""

    def running(self) -> contextlib.AbstractContextManager[None]:
        """For the time of a run: the place is there, and nothing is left of killed runs.

        Raises:
            UsageError, RuntimeUnavailable, NetworkError: nothing can be written there.
        """
        ...

    def check(self, name: str, address: str) -> None:
        """Refuse to replace anything but the outputs of the same recording.

        Raises:
            UsageError: there is something else.
        """
        ...

    def has(self, name: str) -> bool:
        """Whether outputs of this name are there, as far as this is told without asking a network."""
        ...

    def writing(self, name: str) -> contextlib.AbstractContextManager[Draft]:
        """Folders for a recording, whose outputs take their place unless something is raised."""
        ...


def place_of(output: str) -> Place:
    """The place at a path or address."""
    return Elsewhere(output) if is_remote(output) else Folder(Path(output))


@dataclass(frozen=True)
class Folder:
    """A folder of this machine, or one that all machines see."""

    root: Path

    @contextmanager
    def running(self) -> Iterator[None]:
        """As `Place.running`; a working folder of the run keeps the hidden folder from coming and going."""
        hidden = self.root / HIDDEN
        with working_folder(hidden, lambda folder: disk_errors(folder, kind=UsageError)):
            try:
                yield
            finally:
                finish(lambda: sweep(hidden))  # of workers that were killed
        with contextlib.suppress(OSError):
            hidden.rmdir()

    def has(self, name: str) -> bool:
        """As `Place.has`."""
        return (self.root / name / RECORD).is_file()

    def check(self, name: str, address: str) -> None:
        """As `Place.check`."""
        place = self.root / name
        for above in (place, *place.parents[: len(PurePosixPath(name).parts) - 1]):
            if os.path.islink(above):
                raise UsageError(f"{above} is a symbolic link, and nothing is written through one; remove it.")
            if os.path.lexists(above) and not above.is_dir():
                raise UsageError(f"{above} is a file, and a folder is needed there; move it away.")
        if place.is_dir() and (there := set(os.listdir(place))):
            record = read_receipt(place / RECORD)
            if not there <= {*record.files, RECORD} or not _is_of(record, address):
                raise UsageError(_OTHERS.format(place))

    @contextmanager
    def writing(self, name: str) -> Iterator[Draft]:
        """As `Place.writing`."""
        with working_folder(self.root / HIDDEN, contextlib.nullcontext) as hidden:
            draft = drafted(hidden)
            yield draft
            place = self.root / name
            place.parent.mkdir(parents=True, exist_ok=True)
            put(draft.outputs, place, hidden)


@dataclass(frozen=True)
class Elsewhere:
    """An address for fsspec."""

    address: str

    @contextmanager
    def running(self) -> Iterator[None]:
        """As `Place.running`; a small file is written and deleted, which shows whether that is allowed."""
        fs, root = filesystem(self.address)
        probe = f"{root.rstrip('/')}/{HIDDEN}"
        with reached(self.address):
            try:
                fs.pipe_file(probe, b"unbraid")
                fs.rm_file(probe)
            except NotImplementedError:
                raise RuntimeUnavailable(
                    f"{quoted(self.address)} cannot be written to; choose another place."
                ) from None
        yield

    def has(self, name: str) -> bool:
        """As `Place.has`: the manifest is believed."""
        return True

    def check(self, name: str, address: str) -> None:
        """As `Place.check`."""
        fs, root = self._folder(name)
        with reached(root):
            text = self._record(fs, root)
        if text is not None and not _is_of(Receipt.of_json(text), address):
            raise UsageError(_OTHERS.format(f"{self.address.rstrip('/')}/{name}"))

    @contextmanager
    def writing(self, name: str) -> Iterator[Draft]:
        """As `Place.writing`."""
        with temporary_folder() as hidden:
            draft = drafted(hidden)
            yield draft
            fs, folder = self._folder(name)
            with reached(self.address):
                old = self._record(fs, folder)
                upload(draft.outputs, names := draft.names, fs, folder)
                for left in set(Receipt.of_json(old).files if old else ()) - {*names}:
                    fs.rm_file(f"{folder}/{left}")

    def _folder(self, name: str) -> tuple["AbstractFileSystem", str]:
        fs, root = filesystem(self.address)
        return fs, f"{root.rstrip('/')}/{name}"

    def _record(self, fs: "AbstractFileSystem", folder: str) -> str | None:
        try:
            return bytes(fs.cat_file(f"{folder}/{RECORD}")).decode()
        except (FileNotFoundError, UnicodeDecodeError):
            return None


_OTHERS = "{} holds other files than the outputs of this recording; move them away, or choose another -o."


def drafted(hidden: Path) -> Draft:
    """Empty folders in a hidden one."""
    draft = Draft(hidden / "outputs", hidden / "work")
    for folder in (draft.outputs, draft.work):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    return draft


def _is_of(record: Receipt, address: str) -> bool:
    """Whether a record is that of a recording, by its address."""
    return bool(record.files) and all(made.making.options.get("address") == address for made in record.files.values())
