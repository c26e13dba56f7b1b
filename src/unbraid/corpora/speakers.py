"""A folder with one folder of recordings for each speaker, split by speaker into train, dev and test (80, 10, 10 %).

Speakers (or, for noises, files) are assigned to test, dev and train in the order of a hash of their names, the same on
any machine. dev and test get at least as many speakers as a mixture needs.
"""

import os
import zlib
from pathlib import Path

from unbraid.corpora.mixtures import Clip
from unbraid.errors import UsageError
from unbraid.files.walk import files_in, folders_in

SUFFIXES = {".aif", ".aiff", ".flac", ".m4a", ".mp3", ".oga", ".ogg", ".opus", ".wav"}
HELD_SHARE = 0.1  # of the names, for test, and again for dev


def find_speakers(folder: Path, split: str, sources: int) -> dict[str, list[Clip]]:
    """The recordings of each speaker of a split.

    Raises:
        UsageError: the folder has too few speakers for three splits.
    """
    everyone = speaker_folders(folder)
    if len(everyone) < 3 * sources:
        raise UsageError(
            f"{folder} has {len(everyone)} folders with audio; {3 * sources} speakers are needed, each in a folder of "
            f"their own, so that train, dev and test have {sources} each."
        )
    return {name: [Clip(path) for path in everyone[name]] for name in part(list(everyone), split, sources)}


def find_clips(folder: Path, split: str) -> list[Clip]:
    """The recordings of a split regardless of speaker, for noises.

    Raises:
        UsageError: the folder has too few recordings for three splits.
    """
    files = {path.relative_to(folder).as_posix(): path for path in _audio(folder)}
    if len(files) < 3:
        raise UsageError(f"{folder} has {len(files)} audio files; train, dev and test need one each.")
    return [Clip(files[name]) for name in part(list(files), split, 1)]


def speaker_folders(folder: Path) -> dict[str, list[Path]]:
    """Each sub-folder that has audio files somewhere in it, with them."""
    return {place.name: files for place in folders_in(folder) if (files := _audio(place))}


def part(names: list[str], split: str, at_least: int) -> list[str]:
    """The names of a split, sorted."""
    ranked = sorted(names, key=lambda name: (zlib.crc32(os.fsencode(name)), name))
    held = max(at_least, round(HELD_SHARE * len(names)))
    parts = {"test": ranked[:held], "dev": ranked[held : 2 * held], "train": ranked[2 * held :]}
    if split not in parts:
        raise UsageError(f"There is no split {split!r}; choose train, dev or test.")
    return sorted(parts[split])


def _audio(folder: Path) -> list[Path]:
    """The recordings somewhere in a folder."""
    return sorted(files_in(folder, SUFFIXES))
