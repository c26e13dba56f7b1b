"""What became of a run and of each of its inputs: data for the words at the end, and for --json."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from unbraid import __version__

Status = Literal["done", "skipped", "failed", "interrupted"]


@dataclass(frozen=True)
class Result:
    """What became of one input."""

    input: str
    status: Status
    outputs: dict[str, Path] = field(default_factory=dict)
    seconds: float | None = None  # of audio
    elapsed: float | None = None  # seconds it took
    gain_db: float | None = None
    agreement_db: float | None = None  # of neighbouring windows of speech, the median
    report: Path | None = None  # the page about it
    error: str | None = None
    notices: tuple[str, ...] = ()  # warnings about the input
    start_seconds: float | None = None  # of silence at its start, for a track that starts later than its file

    def as_json(self) -> dict[str, Any]:
        """As a part of the report."""
        speed = self.seconds / self.elapsed if self.seconds and self.elapsed else None
        return {
            "input": self.input,
            "status": self.status,
            "outputs": {stem: str(path) for stem, path in self.outputs.items()},
            "report": str(self.report) if self.report else None,
            "seconds": self.seconds,
            "elapsed_seconds": self.elapsed,
            "realtime_factor": speed,
            "gain_db": self.gain_db,
            "window_agreement_db": self.agreement_db,
            "start_seconds": self.start_seconds,
            "notices": list(self.notices),
            "error": self.error,
        }


@dataclass
class Report:
    """What became of a run; filled while it goes on, so that an interrupted one can be told too."""

    model: str = ""
    device: str = ""
    device_reason: str = ""
    results: list[Result] = field(default_factory=list)
    error: str | None = None  # that ended the whole run
    interrupted: bool = False

    @property
    def failed(self) -> bool:
        return any(result.status == "failed" for result in self.results)

    def as_json(self) -> dict[str, Any]:
        """The object that --json prints."""
        return {
            "version": __version__,
            "model": self.model,
            "device": self.device,
            "device_reason": self.device_reason,
            "files": [result.as_json() for result in self.results],
            "interrupted": self.interrupted,
            "error": self.error,
        }
