"""Slakh2100 (Manilow et al., arXiv 1909.08494), its redux, and BabySlakh: MIDI files played by sampled instruments.

The splits are folders; BabySlakh has none, and its songs are divided by a hash of their names. BabySlakh also
marks all of its stems as not rendered; the mark only counts for a missing recording.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from unbraid.corpora.metadata import read_stems
from unbraid.corpora.mixtures import Clip
from unbraid.corpora.song_folders import has_places, places_of
from unbraid.corpora.songs import PARTS, Song
from unbraid.errors import UsageError

_METADATA = "metadata.yaml"
_SUFFIXES = (".flac", ".wav")
_PARTS = {"Piano": "piano", "Bass": "bass", "Drums": "drums"}  # by families of General MIDI; all else is other


def holds(folder: Path) -> bool:
    """Whether songs are there in this layout."""
    return has_places(folder, _is_song)


def find_songs(folder: Path, split: str) -> list[Song]:
    """The songs of a split, by name."""
    return [_song(place) for place in places_of(folder, split, _is_song)]


def _is_song(folder: Path) -> bool:
    return (folder / _METADATA).is_file() and (folder / "stems").is_dir()


def _song(folder: Path) -> Song:
    found: dict[str, list[Clip]] = {part: [] for part in PARTS}
    for name, stem in sorted(read_stems(folder / _METADATA).items()):
        if path := _recording(folder / "stems" / name):
            found[_part_of(stem)].append(Clip(path))
        elif stem.get("audio_rendered") is not False:
            raise UsageError(
                f"There is no {folder / 'stems' / name}{' or '.join(_SUFFIXES)}, which {_METADATA} there says was "
                f"rendered. Get the whole song, or take it out."
            )
    parts = {part: tuple(clips) for part, clips in found.items() if clips}
    mixture = _recording(folder / "mix")
    return Song(folder.name, parts, Clip(mixture) if mixture else None)


def _part_of(stem: Mapping[str, object]) -> str:
    return "drums" if stem.get("is_drum") else _PARTS.get(str(stem.get("inst_class")), "other")


def _recording(base: Path) -> Path | None:
    paths = (base.with_name(base.name + suffix) for suffix in _SUFFIXES)
    return next((path for path in paths if os.path.isfile(path)), None)
