"""Texts and other small files that appear on the disk whole, or not at all."""

import os
from pathlib import Path

from unbraid.errors import UsageError
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
