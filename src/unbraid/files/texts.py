"""Texts and other small files that appear on the disk whole, or not at all, and the names of their formats."""

import os
from collections.abc import Mapping
from pathlib import Path

from unbraid.errors import UsageError, quoted
from unbraid.files.atomic import appearing
from unbraid.files.workdir import disk_errors


def save_text(place: Path, text: str, *, overwrite: bool) -> None:
    """Write a text in UTF-8, with line feeds.

    Raises:
        UsageError: the file exists, and `overwrite` is not set.
        AudioError: the disk refuses.
    """
    save_bytes(place, text.encode(), overwrite=overwrite)


def save_bytes(place: Path, content: bytes, *, overwrite: bool) -> None:
    """Write bytes.

    Raises:
        UsageError: the file exists, and `overwrite` is not set.
        AudioError: the disk refuses.
    """
    if not overwrite and os.path.lexists(place):
        raise UsageError(f"{place} exists already; choose another name, or set overwrite=True.")
    with disk_errors(place.parent, ""), appearing(place, replace=overwrite) as fresh:
        fresh.write_bytes(content)


def named_format(name: str, formats: Mapping[str, str], subject: str) -> str:
    """The format, of these with their file extensions, that a name or an extension means: "srt", ".SRT" -> "srt".

    Raises:
        UsageError: there is no such format; the sentence begins with `subject`, such as "Notes are".
    """
    known = name.lower().removeprefix(".")
    by_extension = {extension.lower(): form for form, extension in formats.items()}
    if (form := by_extension.get(known, known)) in formats:
        return form
    raise UsageError(f"{subject} written as {', '.join(formats)}, not as {quoted(name)}.")
