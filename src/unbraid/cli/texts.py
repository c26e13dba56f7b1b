"""Texts about recordings: their format, the place of each, and its record; shared by `transcribe` and `diarize`.

A text in a folder has a record (see `files.record`), by which `--resume` knows it; a single file has one where
`--resume` asks for it. Text and record appear together.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from unbraid import __version__
from unbraid.audio.extensions import EXTENSIONS
from unbraid.cli.files.conflict import conflict, refuse_existing
from unbraid.cli.files.inputs import Collected, Item, OutputLayout, placed, refuse_collisions
from unbraid.cli.files.journal import Arrival, Destination, arrive, complete
from unbraid.cli.report import TextResult, TurnsResult
from unbraid.cli.request import Request
from unbraid.cli.run import once, written
from unbraid.errors import UsageError
from unbraid.files.record import Provenance, StemRecord, holds
from unbraid.files.workdir import claimed, disk_errors, working_folder
from unbraid.hub.catalogue import licence_line
from unbraid.hub.folder import sha256
from unbraid.hub.spec import ModelSpec

TEMPLATE = "{track}.{ext}"
AnyText = TypeVar("AnyText", TextResult, TurnsResult)


@dataclass(frozen=True)
class TextRequest(Request):
    """The options of commands that write a text about each recording."""

    resumable: ClassVar[bool] = True  # whether the command has --resume, and so writes records
    output: str | None = None  # None: standard output
    form: str | None = None  # None: by the extension of the output
    template: str = TEMPLATE
    as_json: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.resume and self.output is None:
            raise UsageError("--resume skips texts that are there, so choose a file or a folder with -o.")


@dataclass(frozen=True)
class TextPlace:
    """The file of a text; `record` is beside it, and both are below `root`."""

    path: Path
    root: Path
    record: Path | None = None  # None: none is written

    @property
    def home(self) -> Path:
        """The folder that text and record are in."""
        return Path(
            os.path.commonpath([os.path.abspath(path.parent) for path in (self.path, self.record or self.path)])
        )


@dataclass(frozen=True)
class TextPlan:
    """Everything needed to write one text."""

    place: TextPlace
    name: str  # of the input, for people
    making: Provenance
    licence: str = ""  # of the first model, for the record
    replace: bool = False  # any existing file
    replace_equal: bool = False  # the file of the record if it is as this would make it

    def claim(self) -> AbstractContextManager[bool]:
        """Whether no other process is working on the text; until the block ends, it is ours."""
        root, record = self.place.root, self.place.record
        return nullcontext(True) if record is None else claimed(root, "work on " + os.path.relpath(record, root))

    def outcome(self, label: str, kind: type[AnyText], *, by_another_run: bool) -> AnyText | None:
        """The outcome of an input whose text is complete, or would replace another; None where there is work to do."""
        path, record = self.place.path, self.place.record
        if record is None:
            return None
        if holds(record, self.making, [path]):
            with disk_errors(self.place.home):
                complete(record, self.place.root)
            return kind(label, "skipped", output=path, by_another_run=by_another_run)
        told = None if self.replace else conflict(record, [(path, self.making)], self.name)
        return kind(label, "kept", error=f"{label}: {told}") if told else None

    @contextmanager
    def written(self) -> Iterator[Path]:
        """A hidden path to write the text to, which takes its place, with its record, when it is complete.

        Raises:
            AudioError: a file is there and is not to be replaced, or the disk refuses.
        """
        path, record, home = self.place.path, self.place.record, self.place.home
        if record is None:
            with written(path, replace=self.replace) as hidden:
                yield hidden
            return
        with disk_errors(home), working_folder(self.place.root) as work:
            fresh = work / "texts"
            hidden = fresh / os.path.relpath(path, home)
            for file in (hidden, fresh / os.path.relpath(record, home)):
                file.parent.mkdir(parents=True, exist_ok=True)
            yield hidden
            made = StemRecord(sha256(hidden), 0.0, self.name, __version__, self.making, licence=self.licence)
            destination = Destination(home, record, self.replace, self.replace_equal)
            arrive([Arrival(hidden, path, made)], fresh, destination)


def plan_text(
    request: TextRequest, item: Item, source: Path, place: TextPlace, models: list[ModelSpec], options: dict[str, Any]
) -> TextPlan:
    """The plan of a text that MODELS, the one that is named first, make of SOURCE with these options, JSON values."""
    about = os.stat(source)
    first, *others = models
    files = {**first.files, **{f"{spec.name}/{name}": digest for spec in others for name, digest in spec.files.items()}}
    making = Provenance(about.st_size, about.st_mtime_ns, first.name, files, options)
    licence = licence_line(first.name, first.licence)
    return TextPlan(place, item.name, making, licence, request.overwrite, request.resume)


def once_text(
    item: Item, plan: TextPlan | None, kind: type[AnyText], work: Callable[[], AnyText], elsewhere: set[Item] | None
) -> AnyText | None:
    """The outcome of an input, as `run.once`, with the text that is planned; None: it is printed."""
    if plan is None:
        return work()
    return once(item, plan.claim(), lambda late: plan.outcome(item.label, kind, by_another_run=late), work, elsewhere)


def folders_of(places: Iterable[TextPlace | None]) -> set[Path]:
    """The folders that runs work in to write texts there."""
    found = [place for place in places if place is not None]
    return {place.root for place in found} | {place.path.parent for place in found}


def text_format(request: TextRequest, formats: Mapping[str, str], check: Callable[[str], str]) -> str:
    """The format of the texts, of these with their extensions: as requested, or by the output, or else the first.

    Raises:
        UsageError: there is no such format.
    """
    if request.form is not None:
        return check(request.form)
    extension = Path(request.output or "").suffix.lower().lstrip(".")
    known = [extension_of.lower() for extension_of in formats.values()]
    return check(extension) if extension in known else next(iter(formats))


def outputs_of(
    request: TextRequest, collected: Collected, ext: str, formats: Mapping[str, str]
) -> tuple[dict[Item, TextPlace | None], dict[Item, str]]:
    """The place of the text of each input, and the errors of inputs whose text cannot have such a name or place.

    Raises:
        UsageError: two go to one place, to a file that is there or is called like audio; or none can have its place.
    """
    items = collected.items
    if request.output is None:
        if len(items) + len(collected.refused) > 1 and not request.as_json:
            raise UsageError("The results of several recordings go to a folder: name it with -o DIR, or use --json.")
        return dict.fromkeys(items), {}
    if not request.output:
        raise UsageError("The name of the output is empty; name a file or a folder with -o, or leave it out.")
    alone, places = len(request.inputs) == 1, dict[Item, TextPlace]()

    def files(item: Item) -> list[Path]:
        places[item] = _place(request, item, ext, alone=alone)
        return [path for path in (places[item].path, places[item].record) if path is not None]

    paths, failed = placed(Path(request.output), items, files)
    refuse_collisions({item: found[:1] for item, found in paths.items()})
    for item, (path, *_) in paths.items():
        if request.form is None and path.suffix.lower().lstrip(".") in EXTENSIONS:
            raise UsageError(f"{path} is named as audio; name it .{', .'.join(formats.values())}, or say --format too.")
        if (record := places[item].record) is not None:
            refuse_existing([path], record, overwrite=request.overwrite, resume=request.resume)
        elif not request.overwrite and os.path.lexists(path):
            raise UsageError(f"{path} exists already; use --overwrite to replace it.")
    return {item: places[item] for item in paths}, failed


def _place(request: TextRequest, item: Item, ext: str, *, alone: bool) -> TextPlace:
    """The named file where there is one recording, else a file below the folder; a template makes it a folder."""
    assert request.output is not None
    folder = request.output.endswith(("/", os.sep)) or os.path.isdir(request.output)
    folder = folder or request.template != TEMPLATE
    if alone and not folder and (item.path is None or item.path == Path(request.inputs[0])):
        path = Path(request.output)
        record = path.with_name(f".{path.stem}.unbraid.json") if request.resume else None
        return TextPlace(path, path.parent, record)
    layout = OutputLayout(Path(request.output), request.template, ext, request.model)
    record = layout.receipt_path(item) if request.resumable else None
    return TextPlace(layout.stem_path(item, "text"), layout.root, record)
