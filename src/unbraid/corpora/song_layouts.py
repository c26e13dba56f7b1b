"""The songs in a folder, in the layouts of published corpora and in our own.

    musdb18     {train,test}/SONG.stem.mp4                              MUSDB18 (zenodo.org/records/1117372)
    musdb18hq   {train,test}/SONG/{mixture,drums,bass,other,vocals}.wav MUSDB18-HQ (zenodo.org/records/3338373)
    medleydb    Audio/SONG/{SONG_MIX.wav,SONG_METADATA.yaml,SONG_STEMS} MedleyDB (Bittner et al., ISMIR 2014), and 2.0
    slakh       {train,…}/Track00001/{mix.flac,metadata.yaml,stems}     Slakh2100 (Manilow, arXiv 1909.08494), BabySlakh
    stems       [SPLIT/]SONG/{vocals,drums,bass,piano,other}.*          see song_folders.py
    spleeter    *train.csv, *validation.csv: mix_path, vocals_path, …   Spleeter's training data (github.com/deezer)

A part that a song lacks is silent. Without published splits or split folders, songs (in MedleyDB, artists) are divided
into train, dev and test, 80, 10 and 10 %, by a hash of their names.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from unbraid.corpora import medleydb, musdb, slakh, song_folders, spleeter_csv
from unbraid.corpora.songs import Song
from unbraid.errors import UsageError


@dataclass(frozen=True)
class SongLayout:
    """A way to lay songs out."""

    form: str  # the folder structure, in messages
    holds: Callable[[Path], bool]  # whether a folder has it
    find: Callable[[Path, str], list[Song]]  # (folder, split) -> the songs, by name; none if the split is not there


_LAYOUTS = {
    "musdb18": SongLayout("{train,test}/SONG.stem.mp4", musdb.holds_stem_files, musdb.find_stem_files),
    "musdb18hq": SongLayout(
        "{train,test}/SONG/{mixture,drums,bass,other,vocals}.wav", musdb.holds_folders, musdb.find_folders
    ),
    "medleydb": SongLayout(
        "[Audio/]SONG/{SONG_MIX.wav,SONG_METADATA.yaml,SONG_STEMS/*.wav}", medleydb.holds, medleydb.find_songs
    ),
    "slakh": SongLayout("[SPLIT/]TRACK/{mix,stems/S00}.{flac,wav} and metadata.yaml", slakh.holds, slakh.find_songs),
    "stems": SongLayout(
        "[SPLIT/]SONG/{vocals,drums,bass,piano,other}.{wav,flac,ogg,mp3,m4a,...}",
        song_folders.holds,
        song_folders.find_songs,
    ),
    "spleeter": SongLayout(
        "*_SPLIT.csv with columns mix_path, vocals_path and so on", spleeter_csv.holds, spleeter_csv.find_songs
    ),
}
SONG_LAYOUTS = tuple(_LAYOUTS)


def find_songs(folder: Path, split: str, layout: str = "auto") -> list[Song]:
    """The songs of a split (train, dev, test, or the corpus's own name for one), in the order of their names.

    Raises:
        UsageError: the folder does not hold them; the message says what was looked for.
    """
    if layout not in ("auto", *SONG_LAYOUTS):
        raise UsageError(f"There is no layout {layout!r} of songs; choose auto, {', '.join(SONG_LAYOUTS)}.")
    if not folder.is_dir():
        raise UsageError(f"There is no folder {folder}. Name the folder that holds the songs.")
    layout = song_layout(folder) if layout == "auto" else layout
    songs = _LAYOUTS[layout].find(folder, split)
    if not songs:
        raise UsageError(
            f"{folder} has no song of the split {split!r} in the layout {layout}; looked for {_LAYOUTS[layout].form}. "
            f"Splits are train, dev and test, or the corpus's own names."
        )
    return songs


def song_layout(folder: Path) -> str:
    """The name of the layout that a folder is in.

    Raises:
        UsageError: it is in none of them.
    """
    for name, rules in _LAYOUTS.items():
        if rules.holds(folder):
            return name
    forms = "; ".join(f"{name}: {rules.form}" for name, rules in _LAYOUTS.items())
    raise UsageError(f"{folder} holds no songs in a layout that is known. Looked for {forms}.")
