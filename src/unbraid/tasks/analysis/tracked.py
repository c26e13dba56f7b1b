"""Results of an analysis that write themselves as MIDI, CSV, JSON or a layer for Sonic Visualiser."""

import os
from abc import ABC, abstractmethod
from pathlib import Path

from unbraid.files.texts import save_bytes


class Tracked(ABC):
    """A melody, or notes."""

    @staticmethod
    @abstractmethod
    def check_format(name: str) -> str:
        """The format of a name or file extension.

        Raises:
            UsageError: there is no such format.
        """

    @abstractmethod
    def to_midi(self, path: str | os.PathLike[str] | None = None) -> bytes:
        """A Standard MIDI File."""

    @abstractmethod
    def to_csv(self) -> str:
        """A table."""

    @abstractmethod
    def to_svl(self) -> str:
        """A layer for Sonic Visualiser."""

    @abstractmethod
    def to_json(self) -> str:
        """JSON."""

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write it in the format that the file's extension names: mid, csv, json or svl.

        Raises:
            UsageError: there is no such format, or the file exists and `overwrite` is not set.
            AudioError: the disk refuses.
        """
        place = Path(path)
        save_bytes(place, self.encoded(self.check_format(place.suffix)), overwrite=overwrite)

    def encoded(self, form: str) -> bytes:
        """The content of a file in one of these formats."""
        match form:
            case "mid":
                return self.to_midi()
            case "csv":
                return self.to_csv().encode()
            case "svl":
                return self.to_svl().encode()
            case _:
                return self.to_json().encode()
