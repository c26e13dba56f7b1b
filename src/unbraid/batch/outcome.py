"""The outcome of a file of a batch, as it stands in the manifest."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

Status = Literal["done", "failed", "again"]  # again: it will be tried another time
ErrorKind = Literal["audio", "usage", "model", "unavailable", "network", "memory", "disk", "crash", "time", "internal"]
TRANSIENT: tuple[ErrorKind, ...] = ("network", "memory", "crash", "time")  # another attempt may succeed
ATTEMPTS = 3


@dataclass(frozen=True)
class OutputFile:
    """A file that was written."""

    name: str  # in the folder of the outputs
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Outcome:
    """The outcome of one file."""

    address: str
    name: str  # of the folder of its outputs
    status: Status
    attempts: int = 1
    input_bytes: int | None = None
    input_version: str = ""
    model: str | None = None
    model_sha256: str | None = None  # of its weights
    audio_seconds: float | None = None
    elapsed_seconds: float | None = None  # of all: fetching, work, writing
    peak_memory_bytes: int | None = None  # of the worker's process
    outputs: tuple[OutputFile, ...] = ()
    error_kind: ErrorKind | None = None
    error: str | None = None
    notices: tuple[str, ...] = ()
    host: str = ""
    finished: float = 0.0  # seconds since 1970

    @property
    def realtime_factor(self) -> float | None:
        """Seconds of audio for each second of work."""
        return self.audio_seconds / self.elapsed_seconds if self.audio_seconds and self.elapsed_seconds else None

    def as_data(self) -> dict[str, Any]:
        """The outcome as JSON values."""
        return asdict(self)

    @classmethod
    def of_data(cls, data: Mapping[str, Any]) -> Self:
        """The outcome in JSON values.

        Raises:
            ValueError: they are none.
        """
        try:
            files = tuple(OutputFile(**file) for file in data["outputs"])
            return cls(**{**data, "outputs": files, "notices": tuple(data["notices"])})
        except (TypeError, KeyError) as error:
            raise ValueError(f"it is no outcome: {error}") from None
