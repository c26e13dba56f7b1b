"""The material for songs of one split: MIDI files, SoundFonts, drum kits and voices.

A folder with a manifest.csv (columns path, split, optionally speaker) is divided by it, one with a sub-folder named
like the split by its sub-folders. Otherwise all voices count. Other MIDI files are divided by their content (CRC-32 of
the bytes: an eighth is test, a sixteenth dev), so that two splits never share a song, copies of it included.
"""

import zlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from unbraid.corpora import manifest
from unbraid.corpora.rendering.kits import is_kit
from unbraid.corpora.speakers import SUFFIXES
from unbraid.errors import UnbraidError, UsageError
from unbraid.files.walk import files_in

SPLITS = ("train", "dev", "test")
_MIDI = (".mid", ".midi")
_SINGING = ("vocal", "sing", "sung", "song", "choir", "acapella", "acappella")


@dataclass(frozen=True)
class Material:
    """The places to search for material."""

    midi: tuple[Path, ...]
    soundfonts: tuple[Path, ...]
    kits: tuple[Path, ...] = ()
    voices: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Singer:
    """Recordings of one voice."""

    name: str
    files: tuple[Path, ...]
    sings: bool  # else it speaks


@dataclass(frozen=True)
class Stock:
    """The material that was found, in a fixed order."""

    midi: tuple[Path, ...]
    soundfonts: tuple[Path, ...]
    kits: tuple[Path, ...] = ()  # the drumkit.xml of each
    singers: tuple[tuple[Singer, ...], ...] = ()  # of each folder of voices


def find_stock(material: Material, split: str) -> Stock:
    """The material of a split.

    Raises:
        UsageError: something named is not there, or nothing is left of it for this split.
    """
    if split not in SPLITS:
        raise UsageError(f"There is no split {split!r}; choose {', '.join(SPLITS)}.")
    midi = [path for folder in material.midi for path in _midi_files(folder, split)]
    if not midi:
        raise UsageError(f"No MIDI file is in {_listed(material.midi)} for the split {split!r}; name other folders.")
    for path in material.soundfonts:
        _check_soundfont(path)
    if not material.soundfonts:
        raise UsageError("Rendering needs a SoundFont; name at least one .sf2 or .sf3 file.")
    found = (path for folder in material.kits for path in _files(folder, (".xml",)))
    kits = [path for path in found if path.name == "drumkit.xml" and is_kit(path)]
    if material.kits and not kits:
        raise UsageError(
            f"No drumkit.xml with a kick, a snare and a hi-hat is in {_listed(material.kits)}; "
            f"name folders of Hydrogen drum kits."
        )
    singers = tuple(_singers(folder, split) for folder in material.voices)
    return Stock(tuple(midi), material.soundfonts, tuple(kits), singers)


def _midi_files(folder: Path, split: str) -> list[Path]:
    divided = _divided(folder, split, _MIDI)
    if divided is not None:
        return [path for path, _ in divided]
    return [path for path in _files(folder, _MIDI) if split_of(path.read_bytes()) == split]


def split_of(content: bytes) -> str:
    """The split of content that neither a manifest nor a folder assigns."""
    place = zlib.crc32(content) % 16
    return "dev" if place == 2 else "test" if place < 2 else "train"


def _singers(folder: Path, split: str) -> tuple[Singer, ...]:
    rows = _divided(folder, split, SUFFIXES)
    if rows is None:
        rows = [(path, "") for path in _files(folder, SUFFIXES)]
    voices: dict[str, list[Path]] = {}
    for path, speaker in rows:
        if speaker or not _is_instrument(path):
            voices.setdefault(speaker or str(path.parent if not _is_singing(path, folder) else path), []).append(path)
    if not voices:
        raise UsageError(f"No recording of a voice is in {folder} for the split {split!r}; name another folder.")
    return tuple(Singer(name, tuple(files), _is_singing(files[0], folder)) for name, files in sorted(voices.items()))


def _is_singing(path: Path, folder: Path) -> bool:
    """By name: song/vocals.flac, singing/12.wav."""
    inside = path.relative_to(folder).with_suffix("").as_posix().lower()
    return any(word in inside or word in folder.name.lower() for word in _SINGING)


def _is_instrument(path: Path) -> bool:
    """The other stems of a song that has vocals."""
    return path.stem in ("drums", "bass", "piano", "other", "mixture", "accompaniment")


def _divided(folder: Path, split: str, suffixes: Collection[str]) -> list[tuple[Path, str]] | None:
    """The files of the split with their speakers; None if the folder does not name them."""
    if (folder / manifest.NAME).is_file():
        rows = manifest.read_rows(folder / manifest.NAME, ("path", "split"))
        own = [(folder / row["path"], row.get("speaker", "")) for row in rows if row["split"] == split]
        return [(path, speaker) for path, speaker in own if path.suffix.lower() in suffixes]
    if (_folder(folder) / split).is_dir():
        return [(path, "") for path in _files(folder / split, suffixes)]
    return None


def _files(folder: Path, suffixes: Collection[str]) -> list[Path]:
    return sorted(files_in(_folder(folder), suffixes))


def _folder(folder: Path) -> Path:
    if not folder.is_dir():
        raise UsageError(f"There is no folder {folder}. Name a folder that is there.")
    return folder


def _check_soundfont(path: Path) -> None:
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except OSError as error:
        raise UsageError(f"The SoundFont {path} cannot be read: {error.strerror}. Name a .sf2 or .sf3 file.") from error
    if head[:4] != b"RIFF" or head[8:] != b"sfbk":
        raise UnbraidError(f"{path} is not a SoundFont. Name a .sf2 or .sf3 file.")


def _listed(paths: Iterable[Path]) -> str:
    return ", ".join(map(str, paths))
