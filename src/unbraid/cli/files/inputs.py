"""The inputs of a run and the places of its outputs, no two in one place.

    collect(["albums/"], recursive=True)  ->  inputs with the sub-folder each lies in
    OutputLayout(root, template, ext, model).stem_path(item, "vocals")  ->  root/sub/folder/song/vocals.mp3

The template is always below the output root. Sub-folders of a folder that was named are kept between the two, unless
the template itself says where they go ({parent}), so that a/x.mp3 and b/x.mp3 never meet. Nothing here reads audio or
writes anything. A path that may not be examined counts as a file, whose reader reports the error (os.path, unlike
pathlib, does not raise).
"""

import os
import re
import string
import sys
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from unbraid.audio.extensions import EXTENSIONS
from unbraid.errors import UsageError
from unbraid.files import record
from unbraid.files.walk import Why, files_in, folders_in
from unbraid.hub.catalogue import folder_name, is_device

DEFAULT_TEMPLATE = "{track}/{stem}.{ext}"
FIELDS = {
    "track": "the input's name without its extension",
    "stem": "vocals, voice1, …",
    "ext": "the output format",
    "name": "the input's name with its extension",
    "parent": "the sub-folder it lies in, below the folder that was named",
    "model": "the model's name",
}
NAME_BYTES = 255  # of one path component, on every common file system
_RECORD = "unbraid"  # stands where a stem's name would; the dot before it hides the file


@dataclass(frozen=True)
class Item:
    """One input: a file (or standard input), and where it lies below the folder that was named."""

    path: Path | None  # None: standard input
    parent: str = ""  # with '/'

    @property
    def label(self) -> str:
        """Its name in messages."""
        return "standard input" if self.path is None else str(self.path)

    @property
    def name(self) -> str:
        """The file's name."""
        return "stdin" if self.path is None else self.path.name


@dataclass(frozen=True)
class Collected:
    """The inputs of a run, and the entries of folders that are not inputs."""

    items: list[Item]
    skipped: list[Path]  # files in folders that are not audio by extension
    refused: dict[Path, str]  # folders without inputs, and why
    passed_over: dict[Path, str]  # in folders: second names and pipes, and why


@dataclass(frozen=True)
class OutputLayout:
    """The places of outputs."""

    root: Path
    template: str
    ext: str
    model: str

    def __post_init__(self) -> None:
        _check_template(self.template, self.ext)

    def stem_path(self, item: Item, stem: str) -> Path:
        """The file of a stem."""
        return self.root.joinpath(*self._parts(item, self.template, stem))

    def receipt_path(self, item: Item) -> Path:
        """The record of the stems.

        It is named as the file of a stem `.unbraid` would be, and hence as unique as those: song/.unbraid.json.
        """
        parts = self.template.split("/")
        parts[-1] = parts[-1].rpartition(".")[0] + (".json" if "{stem}" in self.template else ".{stem}.json")
        at = next(i for i, part in enumerate(parts) if "{stem}" in part)
        parts[at] = "." + parts[at]
        return self.root.joinpath(*self._parts(item, "/".join(parts), _RECORD))

    def _parts(self, item: Item, template: str, stem: str) -> list[str]:
        values = {
            "track": Path(item.name).stem,
            "stem": stem,
            "ext": self.ext,
            "name": item.name,
            "model": folder_name(self.model),
        }
        values = {field: _plain(value) for field, value in values.items()}
        prefix = "" if "{parent}" in template else item.parent + "/"
        text = prefix + template.format(**values, parent=item.parent)
        parts = [_possible(part) for part in text.split("/") if part]
        if long := next((part for part in parts if len(os.fsencode(part)) > NAME_BYTES), None):
            raise UsageError(
                f"The name {long[:40]}… for {item.name[:40]}… is longer than the {NAME_BYTES} bytes that file systems "
                "hold; choose a shorter one with --template."
            )
        return parts


def collect(names: Sequence[str], *, recursive: bool) -> Collected:
    """The inputs that were named: files as they are, folders as the audio files in them, "-" as standard input.

    In folders, searched as `walk` does it, our own outputs are skipped, and what is not audio by its extension.

    Raises:
        UsageError: a name is empty, or there is no input at all.
    """
    items: dict[object, Item] = {}
    collected = Collected([], [], {}, {})
    for name in names:
        path = Path(name)
        if not name:
            raise UsageError("The name of an input is empty; leave it out, or use . for the current folder.")
        if name == "-":
            items["-"] = Item(None)
        elif os.path.isdir(path):
            try:
                for item in _found(path, recursive, collected):
                    items.setdefault(_identity(item.path), item)
            except UsageError as error:
                collected.refused[path] = str(error)
        else:
            items.setdefault(_identity(path), Item(path))
    if collected.refused and not items:
        raise UsageError(next(iter(collected.refused.values())))
    collected.items.extend(items.values())
    return collected


def placed(
    root: Path, items: Iterable[Item], places: Callable[[Item], list[Path]]
) -> tuple[dict[Item, list[Path]], dict[Item, str]]:
    """The output paths of each input below the root, and for inputs whose outputs cannot be placed there, the reason.

    Raises:
        UsageError: no input has possible outputs.
    """
    found: dict[Item, list[Path]] = {}
    failed: dict[Item, str] = {}
    for item in items:
        try:
            found[item] = places(item)
            refuse_links(root, found[item])
            for path in found[item]:
                _refuse_file_as_folder(path)
        except UsageError as error:
            found.pop(item, None)
            failed[item] = str(error)
    if failed and not found:
        raise UsageError(next(iter(failed.values())))
    return found, failed


def refuse_collisions(outputs: Mapping[Item, Iterable[Path]]) -> None:
    """Refuse two stems for one file, and an output that is an input.

    Raises:
        UsageError: naming both inputs and the file.
    """
    inputs = {_identity(item.path): item for item in outputs if item.path}
    taken: dict[str, Item] = {}
    for item, paths in outputs.items():
        for path in paths:
            key = _comparable(path)
            if (other := taken.get(key)) == item:
                raise UsageError(f"All stems of {item.label} would be written to {path}; put {{stem}} into --template.")
            if other:
                raise UsageError(
                    f"{other.label} and {item.label} would both be written to {path}; give each a run with its own -o, "
                    "or tell them apart with {name} or {parent} in --template."
                )
            taken[key] = item
            if os.path.exists(path) and (source := inputs.get(_identity(path))):
                raise UsageError(f"{path} would be written over the input {source.label}; choose another -o.")


def refuse_links(root: Path, paths: Iterable[Path]) -> None:
    """Refuse to write through a symbolic link in an output folder; the folder itself may be named by one.

    Raises:
        UsageError: naming it.
    """
    for path in paths:
        for folder in path.parents[: max(0, len(path.parents) - len(root.parents) - 1)]:
            if os.path.islink(folder):
                raise UsageError(
                    f"{folder} is a symbolic link, and nothing is written through one in an output folder; remove it, "
                    f"or choose the folder that it points to with -o."
                )


def _refuse_file_as_folder(path: Path) -> None:
    if os.path.isdir(path):
        raise UsageError(f"{path} is a folder, so no file of that name can be written; choose another place with -o.")
    above = next((folder for folder in path.parents if os.path.lexists(folder)), None)
    if above is not None and not os.path.isdir(above):
        raise UsageError(f"{above} is a file, so no folder of that name can be made; choose another place with -o.")


def _found(folder: Path, recursive: bool, collected: Collected) -> list[Item]:
    """The audio files of a folder; its other entries are added to COLLECTED."""

    def passed_over(place: Path, why: Why, told: str) -> None:
        if why == "unreadable":
            collected.refused[place] = f"{place} {told}; {remedy}."
        else:
            collected.passed_over[place] = told

    found, remedy = list[Item](), "leave it out, or grant permission"
    try:
        files = files_in(folder, recursive=recursive, passed_over=passed_over)
        ours = record.stems_recorded_for(folder, recursive=recursive)
    except OSError as error:
        raise UsageError(f"{folder} may not be searched ({error.strerror}); {remedy}.") from None
    for path in files:
        if Path(os.path.abspath(path)) in ours:
            continue
        if path.suffix.lower().lstrip(".") in EXTENSIONS:
            found.append(Item(path, path.parent.relative_to(folder).as_posix().removeprefix(".")))
        else:
            collected.skipped.append(path)
    if not found:
        hint = "; --recursive searches its sub-folders too" if not recursive and folders_in(folder) else ""
        raise UsageError(f"There are no audio files in {folder}{hint}.")
    return found


def _check_template(template: str, ext: str) -> None:
    allowed = ", ".join(f"{{{field}}}" for field in FIELDS)
    try:
        fields = [(field, spec, how) for _, field, spec, how in string.Formatter().parse(template) if field is not None]
    except ValueError as error:
        raise UsageError(f"The template {template!r} cannot be read ({error}); its fields are {allowed}.") from None
    for field, spec, how in fields:
        plain = re.match(r"\w*", field)[0]  # type: ignore[index]  # of {track.upper} or {track[0]} too
        if plain in FIELDS and (spec or how or f"{{{field}}}" not in template or field != plain):
            raise UsageError(
                f"The template {template!r} gives {plain} a format, conversion, attribute or index; "
                f"its fields are just {allowed}."
            )
        if field not in FIELDS:
            raise UsageError(f"The template {template!r} has an unknown field {{{field}}}; its fields are {allowed}.")
    if not template.endswith((".{ext}", "." + ext)):
        raise UsageError(f"The template {template!r} must end in .{{ext}}, so that files are called what they are.")
    if os.path.isabs(template) or "\\" in template or any(part in (".", "..") for part in template.split("/")):
        raise UsageError(
            f"The template {template!r} must stay below the output folder, with '/' between names; "
            "choose that folder with -o."
        )


def _plain(value: str) -> str:
    """A value as one path component or part of one."""
    forbidden = '/\\\0<>:"|?*' if sys.platform == "win32" else "/\0"
    value = "".join("_" if character in forbidden else character for character in value)
    return value if value.strip(".") else "_" * len(value)


def _possible(part: str) -> str:
    """A path component as Windows makes it: no names of its devices, no dot and no blank at the end."""
    if sys.platform != "win32":
        return part
    part = part.rstrip(". ") + "_" if part.endswith((".", " ")) else part
    return f"_{part}" if is_device(part) else part


def _identity(path: Path | None) -> str:
    """The same for two names of one file."""
    return "" if path is None else _comparable(Path(os.path.realpath(path)))


def _comparable(path: Path) -> str:
    """Equal for two names of one file: macOS and Windows ignore case and Unicode composition."""
    text = os.path.abspath(path)
    if sys.platform in ("win32", "darwin"):
        return unicodedata.normalize("NFC", text).casefold()
    return text
