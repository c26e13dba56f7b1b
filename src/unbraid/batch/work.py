"""The work on one file, from its address to its outputs and their outcome; errors are outcomes, too."""

import errno
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from unbraid import __version__
from unbraid.audio import Excerpt
from unbraid.batch.addresses import NetworkError, fetch, is_remote
from unbraid.batch.items import Item
from unbraid.batch.outcome import ErrorKind, Outcome, OutputFile
from unbraid.batch.places import RECORD, Draft, Place, drafted, place_of
from unbraid.batch.settings import Settings
from unbraid.batch.tasks import Done, Models
from unbraid.errors import AudioError, ModelError, RuntimeUnavailable, UnbraidError, UsageError, shortened
from unbraid.files.peak_memory import peak_memory, reset_peak_memory
from unbraid.files.record import Provenance, Receipt, StemRecord
from unbraid.files.workdir import temporary_folder
from unbraid.hub.catalogue import licence_line
from unbraid.hub.folder import sha256

_NO_MEMORY = ("bad_alloc", "bad allocation", "Failed to allocate")  # of ONNX Runtime
_FULL = (errno.ENOSPC, errno.EDQUOT)
_OF_ONE_PATH = (errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.EILSEQ)
_KINDS: tuple[tuple[type[Exception], ErrorKind], ...] = (
    (NetworkError, "network"),
    (AudioError, "audio"),
    (UsageError, "usage"),
    (ModelError, "model"),
    (RuntimeUnavailable, "unavailable"),
)


@dataclass(frozen=True)
class Trial:
    """A short piece of a file, to measure how fast it is done."""

    item: Item
    seconds: float


@dataclass
class Work:
    """The work of a process: its models, and the place of its outputs."""

    settings: Settings
    models: Models
    place: Place

    @classmethod
    def of(cls, settings: Settings) -> "Work":
        """The work that settings describe."""
        return cls(settings, Models(settings), place_of(settings.output))

    def do(self, item: Item) -> Outcome:
        """Do the task for one file."""
        started = time.monotonic()
        reset_peak_memory()
        told = Outcome(
            item.address, item.name, "failed", input_bytes=item.bytes, input_version=item.version, host=platform.node()
        )
        try:
            told = self._done(item, told)
        except Exception as error:
            kind, message = explained(error)
            told = replace(told, error_kind=kind, error=message)
        return replace(
            told,
            elapsed_seconds=round(time.monotonic() - started, 3),
            peak_memory_bytes=peak_memory(),
            finished=round(time.time(), 3),
        )

    def try_out(self, trial: "Trial") -> Outcome:
        """Do the task for an excerpt, twice, and keep nothing; the second time counts, since the first loads models."""
        item = trial.item
        told = Outcome(item.address, item.name, "failed")
        try:
            with temporary_folder() as hidden, _here(item) as source:
                for _ in range(2):
                    draft, started = drafted(hidden), time.monotonic()
                    done = self.models.perform(source, item.name, draft, Excerpt(duration=trial.seconds))
                    elapsed = time.monotonic() - started
        except Exception as error:
            kind, message = explained(error)
            return replace(told, error_kind=kind, error=message)
        return replace(
            told, status="done", model=done.spec.name, audio_seconds=done.audio_seconds, elapsed_seconds=elapsed
        )

    def _done(self, item: Item, told: Outcome) -> Outcome:
        self.place.check(item.name, item.address)
        with _here(item) as source, self.place.writing(item.name) as draft:
            about = _about(source)
            done = self.models.perform(source, item.name, draft)
            outputs = tuple(_described(draft.outputs / name) for name in draft.names)
            _write_record(draft, outputs, self._provenance(item, about, done), done)
        return replace(
            told,
            status="done",
            input_bytes=about.st_size,
            input_version=item.version,
            model=done.spec.name,
            model_sha256=done.spec.files.get("model.safetensors"),
            audio_seconds=round(done.audio_seconds, 3),
            outputs=outputs,
            notices=done.notices,
        )

    def _provenance(self, item: Item, about: os.stat_result, done: Done) -> Provenance:
        options = {**self.settings.identity, "address": item.address, "version": item.version}
        del options["output"]
        modified = 0 if is_remote(item.address) else about.st_mtime_ns
        return Provenance(about.st_size, modified, done.spec.name, done.spec.files, options)


@contextmanager
def _here(item: Item) -> Iterator[Path]:
    """The file of an item on this machine, fetched if it is elsewhere."""
    if not is_remote(item.address):
        yield Path(item.address)
        return
    with temporary_folder() as hidden:
        fetched = fetch(item.address, hidden, f"recording.{item.extension or 'audio'}")
        try:
            yield fetched
        except AudioError as error:
            raise AudioError(str(error).replace(str(fetched), item.address)) from error.__cause__


def _about(source: Path) -> os.stat_result:
    """Size and time of a recording.

    Raises:
        AudioError: it is not there, or may not be read: a fault of the recording, after which the others are done.
    """
    try:
        return os.stat(source)
    except OSError as error:
        raise AudioError(f"{source} cannot be read: {error.strerror}.") from None


def explained(error: Exception) -> tuple[ErrorKind, str]:
    """An error of a file: its kind, and a sentence."""
    if isinstance(error, MemoryError) or any(sign in f"{error} {error.__cause__}" for sign in _NO_MEMORY):
        return "memory", "There is not enough memory; give fewer --processes, or choose a smaller model."
    cause = error if isinstance(error, OSError) else error.__cause__
    if isinstance(cause, OSError) and cause.errno in _FULL:
        return "disk", f"The disk is full: {shortened(str(error))}. Free some space."
    if isinstance(error, UnbraidError):
        return next((kind for cls, kind in _KINDS if isinstance(error, cls)), "internal"), str(error)
    if isinstance(error, OSError) and error.errno in _OF_ONE_PATH:
        where = error.filename2 or error.filename or "the output"  # of a rename, the place it was to go to
        return "usage", f"{where}: {error.strerror}. Check the path and its permissions."
    if isinstance(error, OSError):  # a disk that was unplugged, or has become read-only
        return "disk", f"{error.filename or 'the disk'}: {error.strerror or error}. Check the path and the disk."
    what = shortened(f"{type(error).__name__}: {error}")
    return "internal", f"Unexpected {what}. This is a bug; please report it."


def _described(path: Path) -> OutputFile:
    return OutputFile(path.name, path.stat().st_size, sha256(path))


def _write_record(draft: Draft, outputs: tuple[OutputFile, ...], making: Provenance, done: Done) -> None:
    name = making.options["address"].rpartition("/")[2]
    licence = licence_line(done.spec.name, done.spec.licence)
    made = StemRecord("", done.gain_db, name, __version__, making, licence=licence)
    files = {file.name: replace(made, sha256=file.sha256) for file in outputs}
    (draft.outputs / RECORD).write_text(Receipt(files).to_json(), encoding="utf-8")
