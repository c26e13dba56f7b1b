"""The tables that Spleeter trains on: musdb_train.csv, musdb_validation.csv and the like, a row for each song.

Columns are mix_path, and {stem}_path for each stem (github.com/deezer/spleeter, configs). Paths are relative to the
folder, as Spleeter has it, or to the table. An unknown stem counts as other, and so does the accompaniment if vocals
are the only other stem.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from unbraid.corpora.manifest import read_rows
from unbraid.corpora.mixtures import Clip
from unbraid.corpora.song_folders import REST, SPLITS, parts_of
from unbraid.corpora.songs import PARTS, Song
from unbraid.errors import UsageError, shortened
from unbraid.files.walk import files_in, folders_in

_COLUMN = "_path"
_MIXTURE = "mix"
_GENERIC = ("mix", "mixture")  # names of files that do not name a song


def holds(folder: Path) -> bool:
    """Whether such tables are there."""
    return any(map(_is_table, _tables(folder)))


def find_songs(folder: Path, split: str) -> list[Song]:
    """The songs of a split, by name.

    Raises:
        UsageError: there are several tables for the split.
    """
    wanted = (split, *SPLITS.get(split, ()))
    tables = [path for path in _tables(folder) if path.stem.lower().split("_")[-1] in wanted and _is_table(path)]
    if len(tables) > 1:
        names = " and ".join(str(path.relative_to(folder)) for path in tables)
        raise UsageError(f"{folder} has {names} for the split {split}; there may be one. Move the others away.")
    return sorted((song for table in tables for song in _listed(table, folder)), key=lambda song: song.name)


def _tables(folder: Path) -> list[Path]:
    places = (folder, *folders_in(folder))
    return sorted(path for place in places for path in files_in(place, (".csv",), recursive=False))


def _is_table(path: Path) -> bool:
    with path.open("rb") as file:
        return f"{_MIXTURE}{_COLUMN}".encode() in file.readline(1 << 12)


def _listed(table: Path, folder: Path) -> list[Song]:
    rows = read_rows(table, (f"{_MIXTURE}{_COLUMN}",))
    songs = []
    for line, (name, row) in enumerate(zip(_names(rows), rows, strict=True), 2):
        clips = {
            column.removesuffix(_COLUMN): Clip(_place(value, table, line, folder))
            for column, value in row.items()
            if column and column.endswith(_COLUMN) and value
        }
        mixture = clips.pop(_MIXTURE)
        if not clips:
            raise UsageError(f"{table}, line {line} names no stems; give at least one, as vocals_path.")
        songs.append(Song(name, _parts(clips), mixture))
    return songs


def _parts(clips: Mapping[str, Clip]) -> dict[str, tuple[Clip, ...]]:
    foreign = tuple(clip for stem, clip in clips.items() if stem not in (*PARTS, REST))
    if not foreign:
        return parts_of(clips)
    parts = parts_of({stem: clip for stem, clip in clips.items() if stem in PARTS})
    return parts | {"other": parts.get("other", ()) + foreign}


def _names(rows: list[dict[str, str]]) -> list[str]:
    """A name for each song: its mixture's, or its folder's if that is generic; whole paths if these are not unique."""
    paths = [Path(row[f"{_MIXTURE}{_COLUMN}"]) for row in rows]
    names = [path.stem if path.stem.lower() not in _GENERIC else path.parent.name or path.stem for path in paths]
    return names if len({*names}) == len(names) else [str(path) for path in paths]


def _place(path: str, table: Path, line: int, folder: Path) -> Path:
    for base in (folder, table.parent):
        if os.path.isfile(base / path):
            return base / path
    where = str(folder) if folder == table.parent else f"{folder} and {table.parent}"
    raise UsageError(
        f"{table}, line {line}: there is no {shortened(path)} in {where}. Paths are relative to the folder."
    )
