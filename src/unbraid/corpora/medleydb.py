"""MedleyDB (Bittner et al., ISMIR 2014) and MedleyDB 2.0: one folder for each song, stems named in a YAML file.

Songs are in Audio (or V1 and V2), or in the folder itself; their metadata beside them, or all together in Metadata.
There are no published splits: artists are divided by a hash of their names, so that none is in two splits.
"""

import os
from pathlib import Path

from unbraid.corpora.metadata import read_stems
from unbraid.corpora.mixtures import Clip
from unbraid.corpora.song_folders import divided, places_in
from unbraid.corpora.songs import PARTS, Song
from unbraid.errors import UsageError

_PLACES = ("Audio", "V1", "V2", "")
_INSTRUMENTS = {
    "vocals": (
        "male singer, female singer, male speaker, female speaker, male rapper, female rapper, male screamer, "
        "female screamer, beatboxing, vocalists, choir"
    ),
    "drums": (
        "drum set, drum machine, kick drum, snare drum, bass drum, toms, timpani, high hat, cymbal, gong, bongo, "
        "conga, darbuka, doumbek, tabla, tambourine, auxiliary percussion, triangle, sleigh bells, cowbell, cabasa, "
        "guiro, gu, castanet, claps, snaps, rattle, shaker, maracas"
    ),
    "bass": "electric bass, double bass",
    "piano": "piano, tack piano, electric piano",
}  # of the taxonomy of MedleyDB; all else is other
_PARTS = {instrument: part for part, names in _INSTRUMENTS.items() for instrument in names.split(", ")}


def holds(folder: Path) -> bool:
    """Whether songs are there in this layout."""
    return any(places_in(folder / place, _is_song) for place in _PLACES)


def find_songs(folder: Path, split: str) -> list[Song]:
    """The songs of a split, by name."""
    songs = {song.name: song for place in _PLACES for song in places_in(folder / place, _is_song)}
    artists = divided(sorted({_artist(name) for name in songs}), split, folder, "artists") if songs else []
    return [_song(songs[name], folder) for name in sorted(songs) if _artist(name) in artists]


def part_of(instrument: object) -> str:
    """The part that an instrument plays, or several of which all play the same."""
    names = instrument if isinstance(instrument, list) else [instrument]
    parts = {_PARTS.get(str(name).strip().lower(), "other") for name in names}
    return parts.pop() if len(parts) == 1 else "other"


def _artist(song: str) -> str:
    return song.split("_")[0]


def _is_song(folder: Path) -> bool:
    return (folder / f"{folder.name}_STEMS").is_dir()


def _song(folder: Path, corpus: Path) -> Song:
    beside = folder / f"{folder.name}_METADATA.yaml"
    together = corpus / "Metadata" / beside.name
    metadata = together if together.is_file() and not beside.is_file() else beside
    found: dict[str, list[Clip]] = {part: [] for part in PARTS}
    for name, stem in sorted(read_stems(metadata).items()):
        path = folder / f"{folder.name}_STEMS" / str(stem.get("filename"))
        if not os.path.isfile(path):
            raise UsageError(
                f"There is no {path}, which {metadata} names as stem {name}. Get the whole song, or take it out."
            )
        found[part_of(stem.get("instrument"))].append(Clip(path))
    mixture = folder / f"{folder.name}_MIX.wav"
    parts = {part: tuple(clips) for part, clips in found.items() if clips}
    return Song(folder.name, parts, Clip(mixture) if mixture.is_file() else None)
