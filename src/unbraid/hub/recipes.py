"""The recipes of the package: where they are, and what they say of themselves, read without torch.

A recipe opens with a comment: its network, and the layout of the data that it needs.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unbraid.errors import UsageError
from unbraid.files.bounded import read_bytes, readable
from unbraid.hub.catalogue import ASSETS, nearest

PLACES = (ASSETS / "recipes", Path(__file__).parents[3] / "recipes")  # in a wheel; in the repository
GIVEN = {  # values that name what the user has: (stand-in in examples, meaning)
    "data.folder": ("FOLDER", "the folder of recordings"),
    "data.folders": ("FOLDER", "the folder of songs, or several"),
    "data.pairs": ("PAIRS.csv", "the table of pairs"),
    "data.dictionary": ("FOLDER", "the dictionary"),
    "data.noise": ("NOISES", "the folder of noises"),
    "data.extra": ("MORE", "a second folder of recordings"),
    "model.pretrained": ("MODEL", "the pretrained encoder"),
}


@dataclass(frozen=True)
class Outline:
    """What a recipe says of itself."""

    name: str
    description: str
    comment: tuple[str, ...]  # the lines at its head
    tables: dict[str, Any]

    def value(self, key: str) -> Any:
        """The value of SECTION.NAME; None where the recipe does not set it."""
        section, _, name = key.partition(".")
        table = self.tables.get(section)
        return table.get(name) if isinstance(table, dict) else None

    @property
    def given(self) -> dict[str, Any]:
        """The values that name the user's data, and what they are in the recipe."""
        values = {key: self.value(key) for key in GIVEN}
        return {key: value for key, value in values.items() if value is not None}


def known_recipes() -> dict[str, Path]:
    """The recipes of the package by name, in order."""
    found = {file.stem: file for place in PLACES for file in place.glob("*.toml")}
    return dict(sorted(found.items()))


def find_recipe(name: str | Path) -> Path:
    """The file of a recipe of the package by its name, or any other TOML file by its path.

    Raises:
        UsageError: there is neither.
    """
    if (path := Path(name)).exists() or path.suffix or path.name != str(name):
        return path
    known = known_recipes()
    if path.name not in known:
        alike = " or ".join(nearest(path.name, known)) or "a TOML file"
        raise UsageError(f"There is no recipe {path.name!r}; did you mean {alike}? All are: {', '.join(known)}.")
    return known[path.name]


def outline(path: Path) -> Outline:
    """What a recipe says of itself; its values are not checked.

    Raises:
        UsageError: a file that is not there or not TOML.
    """
    with readable(f"The recipe {path}", UsageError, "is not TOML"):
        text = read_bytes(path).decode("utf-8")
        tables = parse_toml(text)
    lines = text.splitlines()
    count = next((k for k, line in enumerate(lines) if not line.startswith("#")), len(lines))
    comment = tuple(line.removeprefix("#").strip() for line in lines[:count])
    return Outline(str(tables.get("name", path.stem)), str(tables.get("description", "")), comment, tables)


def parse_toml(text: str) -> dict[str, Any]:
    """The tables of a TOML text; ValueError where it is none."""
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("its brackets are nested too deeply") from None
