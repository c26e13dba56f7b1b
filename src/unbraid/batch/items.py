"""The files of a batch: where each is, and the name of its outputs, which stays the same from run to run.

    albums/a/song.mp3, of the folder albums   ->  a/song
    s3://archive/raw/b/talk.flac, of a list   ->  archive/raw/b/talk

Two files of one name, as song.mp3 and song.wav, keep their extensions; so does one whose name is a folder of another's.
"""

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from unbraid.batch.addresses import suffix
from unbraid.errors import UsageError, quoted

_NAME_BYTES = 200  # of one path component; 255 is the most of common file systems, and outputs add an ending
_LOSSLESS, _LOSSY = 90_000.0, 20_000.0  # bytes a second of common recordings, by which sizes become lengths
_BYTES_A_SECOND = {
    **dict.fromkeys(("wav", "wave", "aif", "aiff", "w64", "rf64", "caf"), 176_400.0),
    **dict.fromkeys(("flac", "ape", "wv", "tta", "alac"), _LOSSLESS),
    **dict.fromkeys(("mp4", "mkv", "mov", "avi", "webm"), 250_000.0),
}


@dataclass(frozen=True, slots=True)
class Found:
    """A file before it has a name of its own."""

    address: str  # an absolute path, or an address such as s3://bucket/key
    relative: str  # its path below the folder that was named, with '/'
    bytes: int | None = None
    version: str = ""  # of its content, as far as it can be told without reading it


@dataclass(frozen=True, slots=True)
class Item:
    """A file of a batch."""

    address: str  # an absolute path, or an address such as s3://bucket/key
    name: str  # of the folder of its outputs, below that of the run, with '/'
    bytes: int | None = None
    version: str = ""

    @property
    def extension(self) -> str:
        """Its extension in lower case, without the dot."""
        return suffix(self.address).removeprefix(".")

    @property
    def rough_seconds(self) -> float | None:
        """Its length, guessed from its size; None where that is not known."""
        return None if self.bytes is None else self.bytes / _BYTES_A_SECOND.get(self.extension, _LOSSY)


def longest_first(items: Iterable[Item]) -> list[Item]:
    """Items in the order of work: the longest first, so that all workers end at about the same time.

    Those of unknown length come before all.
    """
    return sorted(items, key=lambda item: (-(float("inf") if (s := item.rough_seconds) is None else s), item.name))


def named(found: Iterable[Found], known: Mapping[str, str] = {}) -> list[Item]:
    """Files with the names of their outputs; those in KNOWN (address: name) keep theirs, and each address comes once.

    Raises:
        UsageError: a file has no possible name.
    """
    files = list({file.address: file for file in found}.values())
    plain = {file.address: _plain(file, with_extension=False) for file in files}
    count = Counter(map(_comparable, plain.values()))
    folders = {_comparable(str(folder)) for name in plain.values() for folder in PurePosixPath(name).parents}
    taken = set(map(_comparable, known.values()))
    items = []
    for file in files:
        name = known.get(file.address)
        if name is None:
            name = plain[file.address]
            if count[_comparable(name)] > 1 or _comparable(name) in folders | taken:
                name = _plain(file, with_extension=True)
            if _comparable(name) in taken or _comparable(name) in folders:
                name = f"{name}-{_digest(file.address)}"
            taken.add(_comparable(name))
        items.append(Item(file.address, name, file.bytes, file.version))
    return items


def _plain(file: Found, *, with_extension: bool) -> str:
    """The path of a file as one of a folder: no part leads out of it, hides it, or is too long."""
    parts = [part for part in file.relative.split("/") if part not in ("", ".")]
    if not parts or ".." in parts:
        raise UsageError(f"{quoted(file.address)} gives no name for its outputs; give a path without '..'.")
    if not with_extension:
        parts[-1] = PurePosixPath(parts[-1]).stem
    return "/".join(map(_component, parts))


def _component(part: str) -> str:
    part = "".join("_" if character in '\\<>:"|?*' or ord(character) < 32 else character for character in part)
    part = f"_{part[1:]}" if part.startswith(".") else part
    part = part.rstrip(". ") or "_"
    if len(part.encode(errors="surrogateescape")) > _NAME_BYTES:
        short = part.encode(errors="surrogateescape")[: _NAME_BYTES - 9].decode(errors="ignore")
        return f"{short}-{_digest(part)}"
    return part


def _digest(name: str) -> str:
    """Eight digits that tell names apart, which need not be UTF-8."""
    return hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()[:8]


def _comparable(name: str) -> str:
    """Equal for two names of one file on macOS and Windows, which ignore case and Unicode composition."""
    return unicodedata.normalize("NFC", name).casefold()
