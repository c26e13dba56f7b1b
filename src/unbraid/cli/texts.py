"""Texts about recordings: their format, and the place of each; shared by `transcribe` and `diarize`."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from unbraid.audio.extensions import EXTENSIONS
from unbraid.cli.files.inputs import Collected, Item, OutputLayout, placed, refuse_collisions
from unbraid.cli.request import Request
from unbraid.errors import UsageError

TEMPLATE = "{track}.{ext}"


@dataclass(frozen=True)
class TextRequest(Request):
    """The options of commands that write a text about each recording."""

    output: str | None = None  # None: standard output
    form: str | None = None  # None: by the extension of the output
    template: str = TEMPLATE
    as_json: bool = False


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
) -> tuple[dict[Item, Path | None], dict[Item, str]]:
    """The place of the text of each input, and the errors of inputs whose text cannot have such a name or place.

    Raises:
        UsageError: two go to one place, to a file that is there or is called like audio; or none can have its place.
    """
    items = collected.items
    if request.output is None:
        if len(items) + len(collected.refused) > 1 and not request.as_json:
            raise UsageError("The texts of several recordings go to a folder: name it with -o DIR, or use --json.")
        return dict.fromkeys(items), {}
    if not request.output:
        raise UsageError("The name of the output is empty; name a file or a folder with -o, or leave it out.")
    alone = len(request.inputs) == 1
    paths, failed = placed(Path(request.output), items, lambda item: [_path(request, item, ext, alone=alone)])
    refuse_collisions(paths)
    for (path,) in paths.values():
        if request.form is None and path.suffix.lower().lstrip(".") in EXTENSIONS:
            raise UsageError(
                f"{path} ends like audio; a text ends in .{', .'.join(formats.values())}, or say --format too."
            )
        if not request.overwrite and os.path.lexists(path):
            raise UsageError(f"{path} exists already; use --overwrite to replace it.")
    return {item: path for item, (path,) in paths.items()}, failed


def _path(request: TextRequest, item: Item, ext: str, *, alone: bool) -> Path:
    """The named file where there is one recording, else a file below the folder; a template makes it a folder."""
    assert request.output is not None
    folder = request.output.endswith(("/", os.sep)) or os.path.isdir(request.output)
    folder = folder or request.template != TEMPLATE
    if alone and not folder and (item.path is None or item.path == Path(request.inputs[0])):
        return Path(request.output)
    return OutputLayout(Path(request.output), request.template, ext, request.model).stem_path(item, "text")
