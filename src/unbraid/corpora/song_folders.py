"""Songs as folders of stems: [SPLIT/]SONG/{vocals,drums,bass,piano,other}.{wav,flac,ogg,…}, and optionally mixture.*.

`accompaniment` is everything but the vocals; it counts as `other` if there are no further stems. Without folders of
splits, songs are divided by a hash of their names (see speakers.py).
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from unbraid.corpora.mixtures import Clip
from unbraid.corpora.songs import PARTS, Song
from unbraid.corpora.speakers import SUFFIXES, part
from unbraid.errors import UsageError
from unbraid.files.walk import files_in, folders_in

SPLITS = {
    "train": ("train", "training"),
    "dev": ("dev", "valid", "validation", "val"),
    "test": ("test",),
}  # our name: the names of folders; the first that exists is used
MIXTURE, REST = "mixture", "accompaniment"
_NAMES = (*PARTS, REST, MIXTURE)


def holds(folder: Path) -> bool:
    """Whether songs are there in this layout."""
    return has_places(folder, is_song)


def find_songs(folder: Path, split: str) -> list[Song]:
    """The songs of a split, by name."""
    return [song_of(place) for place in places_of(folder, split, is_song)]


def is_song(folder: Path) -> bool:
    """Whether a folder holds the parts of a song, and not only its mixture."""
    return any(path.stem.lower() != MIXTURE for path in _recordings(folder))


def song_of(folder: Path) -> Song:
    """The song in a folder.

    Raises:
        UsageError: a part has several files.
    """
    found: dict[str, Clip] = {}
    for path in _recordings(folder):
        name = path.stem.lower()
        if name in found:
            raise UsageError(
                f"{folder} holds both {found[name].path.name} and {path.name}; each part is one recording. Take one "
                f"of them out."
            )
        found[name] = Clip(path)
    return Song(folder.name, parts_of(found), found.get(MIXTURE))


def parts_of(found: Mapping[str, Clip]) -> dict[str, tuple[Clip, ...]]:
    """The parts among the stems found: the accompaniment counts if vocals are the only other stem."""
    parts: dict[str, tuple[Clip, ...]] = {name: (found[name],) for name in PARTS if name in found}
    return parts if REST not in found or parts.keys() - {"vocals"} else parts | {"other": (found[REST],)}


def has_places(folder: Path, is_song: Callable[[Path], bool]) -> bool:
    """Whether a folder, or one of its folders of splits, has folders of songs."""
    splits = [folder / name for names in SPLITS.values() for name in names]
    return any(places_in(place, is_song) for place in (folder, *splits))


def places_in(folder: Path, is_song: Callable[[Path], bool]) -> list[Path]:
    """The folders of songs in a folder, by name; hidden ones may be half-written."""
    if not folder.is_dir():
        return []
    return [place for place in folders_in(folder) if is_song(place)]


def places_of(folder: Path, split: str, is_song: Callable[[Path], bool]) -> list[Path]:
    """The folders of a split's songs, by name; none if the split is not there."""
    every = dict.fromkeys((split, *(name for names in SPLITS.values() for name in names)))
    if any(places_in(folder / name, is_song) for name in every):
        names = dict.fromkeys((split, *SPLITS.get(split, ())))
        return next((songs for name in names if (songs := places_in(folder / name, is_song))), [])
    places = {place.name: place for place in places_in(folder, is_song)}
    return [places[name] for name in divided(list(places), split, folder, "songs")]


def divided(names: list[str], split: str, folder: Path, what: str) -> list[str]:
    """The names that belong to a split where no folders say so."""
    found = part(names, split, 1)
    if names and not found:
        raise UsageError(
            f"{folder} has too few {what} ({len(names)}) for train, dev and test to have one each; nothing is left for "
            f"{split}. Add some, or ask for test, which is filled first."
        )
    return found


def _recordings(folder: Path) -> list[Path]:
    """The audio files of a folder that have the names of parts."""
    paths = files_in(folder, SUFFIXES, recursive=False)
    return sorted(path for path in paths if path.stem.lower() in _NAMES)
