"""MUSDB18 as stem files, and MUSDB18-HQ as folders of wav files (Rafii et al., zenodo.org/records/1117372 and 3338373).

Both have the same songs in train and test, and the same 14 of train for dev, those of the musdb package.
"""

from collections.abc import Callable
from pathlib import Path

from unbraid.corpora.mixtures import Clip
from unbraid.corpora.song_folders import SPLITS, is_song, places_in, song_of
from unbraid.corpora.songs import Song
from unbraid.files.walk import files_in

VALIDATION = frozenset(
    {
        "ANiMAL - Rockshow",
        "Actions - One Minute Smile",
        "Alexander Ross - Goodbye Bolero",
        "Clara Berry And Wooldog - Waltz For My Victims",
        "Fergessen - Nos Palpitants",
        "James May - On The Line",
        "Johnny Lokke - Promises & Lies",
        "Leaf - Summerghost",
        "Meaxic - Take A Step",
        "Patrick Talbot - A Reason To Leave",
        "Skelpolu - Human Mistakes",
        "Traffic Experiment - Sirens",
        "Triviul - Angelsaint",
        "Young Griffo - Pennies",
    }
)
_SUFFIX = ".stem.mp4"
_TRACKS = {"drums": 1, "bass": 2, "other": 3, "vocals": 4}  # of a stem file, whose track 0 is the mixture


def holds_stem_files(folder: Path) -> bool:
    """Whether MUSDB18 is here."""
    return any(_stem_files(folder / split) for split in ("train", "test"))


def holds_folders(folder: Path) -> bool:
    """Whether MUSDB18-HQ is here, as its songs to choose on tell; without them it is a folder of stems like others."""
    return any((folder / "train" / name).is_dir() for name in VALIDATION)


def find_stem_files(folder: Path, split: str) -> list[Song]:
    """The songs of a split of MUSDB18, by name."""
    return _of_split(folder, split, _in_stem_files)


def find_folders(folder: Path, split: str) -> list[Song]:
    """The songs of a split of MUSDB18-HQ, by name."""
    return _of_split(folder, split, lambda place: [song_of(song) for song in places_in(place, is_song)])


def _of_split(folder: Path, split: str, songs_in: Callable[[Path], list[Song]]) -> list[Song]:
    if split in SPLITS["dev"]:
        return [song for song in songs_in(folder / "train") if song.name in VALIDATION]
    if split in SPLITS["train"]:
        return [song for song in songs_in(folder / "train") if song.name not in VALIDATION]
    return songs_in(folder / split)


def _in_stem_files(folder: Path) -> list[Song]:
    return [
        Song(
            path.name.removesuffix(_SUFFIX),
            {part: (Clip(path, track=track),) for part, track in _TRACKS.items()},
            Clip(path, track=0),
        )
        for path in _stem_files(folder)
    ]


def _stem_files(folder: Path) -> list[Path]:
    found = files_in(folder, recursive=False) if folder.is_dir() else []
    return [path for path in found if path.name.endswith(_SUFFIX)]
