"""The data that a recipe names: folders of speakers and of noises, or one's own pairs."""

import dataclasses
from pathlib import Path

from unbraid.corpora import Clip, Wanted, find_noises
from unbraid.errors import UsageError


def data_folder(name: str) -> Path:
    """The folder of the training data.

    Raises:
        UsageError: it is not there.
    """
    folder = Path(name)
    if not folder.is_dir():
        raise UsageError(f"The data folder {folder} is not there; say where it is with data.folder=PATH.")
    return folder


def training_noises(name: str, folder: Path, split: str, wanted: Wanted) -> list[Clip]:
    """The noises of a folder's split "train", in any layout; without a name, those of a split of the data folder.

    Raises:
        UsageError: the folder is not there, or has no noises.
    """
    place = Path(name) if name else folder
    if not place.is_dir():
        raise UsageError(f"The noise folder {place} is not there; say where it is with data.noise=PATH.")
    if place == folder:
        return find_noises(place, split, wanted)
    return find_noises(place, "train", dataclasses.replace(wanted, layout="auto"))


def check_given(key: str, place: str, pairs: str) -> None:
    """Refuse a table [data] that names no data.

    Raises:
        ValueError: neither a folder nor pairs are named.
    """
    if not place and not pairs:
        raise ValueError(f"[data] names no data; set data.{key}, or data.pairs to a CSV of your own.")


def data_name(place: str, pairs: str, split: str) -> str:
    """The name of a folder or of a table of pairs, and its split, for the model card."""
    return f"{Path(pairs or place).name} ({split})"
