"""The outcome of a run over input files and of each of them: the summary at the end, --json, and the exit code."""

import dataclasses
import os
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

import typer

from unbraid import __version__
from unbraid.cli.console import FAILED, INTERRUPTED, exit_code, explain, guarded, json_text, notice, report_error, say
from unbraid.cli.progress import clock
from unbraid.errors import Cancelled
from unbraid.tasks.conversation.conversation import Conversation

Status = Literal["done", "skipped", "failed", "kept"]  # kept: other results are there, which stay


@dataclass(frozen=True)
class Result:
    """The outcome of one input."""

    input: str
    status: Status
    seconds: float | None = None  # of audio
    elapsed_seconds: float | None = None  # of processing
    start_seconds: float | None = None  # of silence at its start, for a track that starts later than its file
    notices: tuple[str, ...] = ()  # warnings about the input
    error: str | None = None
    by_another_run: bool = False  # skipped, since a run at the same time has done it

    def as_json(self) -> dict[str, Any]:
        """The object of this input in --json."""
        return dataclasses.asdict(self)

    def lines(self) -> list[str]:
        """The lines about this input in the summary."""
        return []

    def remarks(self) -> list[str]:
        """Remarks on this input that are no warnings."""
        return []

    def was_done(self, outputs: str) -> str:
        """One line that says where the outputs of an input are that was skipped."""
        return f"{self.input} was done {'by another run' if self.by_another_run else 'already'}: {outputs}"

    def speed(self, outputs: str) -> str:
        """One line that says where the outputs are and how long they took."""
        assert self.seconds is not None and self.elapsed_seconds is not None
        factor, elapsed = self.seconds / max(self.elapsed_seconds, 1e-9), self.elapsed_seconds
        return f"{self.input} -> {outputs} ({self.seconds:.1f} s in {elapsed:.1f} s, {factor:.1f} x real time)"


@dataclass(frozen=True)
class StemsResult(Result):
    """The outcome of separating one input."""

    model: str | None = None
    sounds_like: str | None = None  # "speech", "music" or "noise", where this chose the model
    outputs: dict[str, Path] = field(default_factory=dict)
    report: Path | None = None  # the page of --report
    gain_db: float | None = None
    window_agreement_db: float | None = None  # of neighbouring windows of speech, the median
    conversation: Conversation | None = None  # of a model that follows people
    turns: Path | None = None  # the RTTM file

    def as_json(self) -> dict[str, Any]:
        """The object of this input in --json."""
        elapsed = self.elapsed_seconds
        values = {key: value for key, value in vars(self).items() if key != "conversation"}
        factor = self.seconds / elapsed if self.seconds and elapsed else None
        return values | people_of(self.conversation) | {"realtime_factor": factor}

    def lines(self) -> list[str]:
        """The lines about this input in the summary."""
        if self.status in ("failed", "kept"):
            return []
        where = " ".join(shlex.quote(str(path)) for path in self.outputs.values()) or "standard output"
        page = [f"  report: {shlex.quote(str(self.report))}"] if self.report else []
        if self.status == "skipped":
            return [self.was_done(where), *page]
        lines = [self.speed(where)]
        if self.conversation is not None:
            lines += lines_about(self.conversation)
        if self.gain_db:
            amount = f"{-self.gain_db:.1f} dB" if self.gain_db < -0.05 else "less than 0.1 dB"
            lines.append(f"  stems turned down by {amount} so that none clips")
        if self.window_agreement_db is not None:
            lines.append(
                f"  neighbouring windows agree to {self.window_agreement_db:.0f} dB (median) where they overlap"
            )
        turns = [f"  who speaks when: {shlex.quote(str(self.turns))}"] if self.turns else []
        return [*lines, *turns, *page]


def people_of(conversation: Conversation | None) -> dict[str, Any]:
    """What --json says about the people of a recording."""
    if conversation is None:
        return {"voices_found": None}
    return {
        "voices_found": len(conversation.speakers),
        "speaking_seconds": {name: round(seconds, 3) for name, seconds in conversation.speaking_seconds.items()},
        "overlap_seconds": round(conversation.overlap_seconds, 3),
        "uncertain_segments": len(conversation.uncertain),
        "muted_seconds": conversation.muted_seconds,
        "absent": list(conversation.absent),
    }


def lines_about(conversation: Conversation) -> list[str]:
    """The lines about the people of a recording."""
    speaking = {name: seconds for name, seconds in conversation.speaking_seconds.items() if seconds}
    speaking = speaking or conversation.speaking_seconds
    count, silent = len(speaking), len(conversation.speakers) - len(speaking)
    spoken = ", ".join(f"{name} {clock(round(seconds))}" for name, seconds in speaking.items())
    lines = [f"  {'1 person' if count == 1 else f'{count} people'} found: {spoken}"]
    if silent:
        lines.append(f"  {silent} of {len(conversation.speakers)} tracks are silent, as fewer people were found")
    if overlap := round(conversation.overlap_seconds):
        lines.append(f"  {clock(overlap)} of it at the same time")
    if unsure := len(conversation.uncertain):
        lines.append(f"  in {unsure} of {len(conversation.segments)} segments another person is nearly as likely")
    if conversation.muted_seconds:
        lines.append(f"  copies of a voice on another output were muted: {clock(round(conversation.muted_seconds))}")
    return [*lines, *(f"  {name} does not speak in it" for name in conversation.absent)]


@dataclass(frozen=True)
class TextResult(Result):
    """The outcome of transcribing one input."""

    seconds: float | None = 0.0
    elapsed_seconds: float | None = 0.0
    start_seconds: float | None = 0.0
    model: str | None = None
    notice: str | None = None  # about how it was transcribed
    output: Path | None = None  # None: printed, or in the JSON
    transcript: list[dict[str, Any]] | None = None  # its lines, where they are in the JSON
    conversation: Conversation | None = None  # where people were separated

    def as_json(self) -> dict[str, Any]:
        """The object of this input in --json."""
        values = {key: value for key, value in vars(self).items() if key not in ("transcript", "conversation")}
        lines = self.transcript
        text = None if lines is None else "\n".join(line["text"] for line in lines)
        return values | {"text": text, "lines": lines} | (people_of(self.conversation) if self.conversation else {})

    def lines(self) -> list[str]:
        """The lines about this input in the summary."""
        if self.output is None or self.status not in ("done", "skipped"):
            return []
        where = shlex.quote(str(self.output))
        return [self.was_done(where) if self.status == "skipped" else self.speed(where)]

    def remarks(self) -> list[str]:
        """Remarks on this input that are no warnings."""
        people = self.conversation
        found = lines_about(people) if people and people.segments else []
        return [*([f"{self.input}: {self.notice}"] if self.notice else []), *found]


@dataclass(frozen=True)
class TurnsResult(Result):
    """The outcome of finding who speaks when in one input."""

    output: Path | None = None  # None: printed, or in the JSON
    conversation: Conversation | None = None
    turns: dict[str, Any] | None = None  # the conversation, where it is in the JSON

    def as_json(self) -> dict[str, Any]:
        """The object of this input in --json."""
        values = {key: value for key, value in vars(self).items() if key not in ("conversation", "turns")}
        return values | (self.turns or {})

    def lines(self) -> list[str]:
        """The lines about this input in the summary."""
        if self.output is not None and self.status == "skipped":
            return [self.was_done(shlex.quote(str(self.output)))]
        if self.output is None or self.conversation is None:
            return []
        return [self.speed(shlex.quote(str(self.output))), *lines_about(self.conversation)]


AnyResult = TypeVar("AnyResult", bound=Result)


@dataclass
class Report(Generic[AnyResult]):
    """The outcome of a run; filled input by input, so that an interrupted run is reported too."""

    kind: type[AnyResult]
    model: str = ""
    device: str = ""
    device_reason: str = ""
    results: list[AnyResult] = field(default_factory=list)
    error: str | None = None  # that ended the whole run
    verbose: bool = False  # details are printed as they come
    interrupted: bool = False

    @property
    def failed(self) -> bool:
        """Whether any input failed, or has not the result that was asked for."""
        return any(result.status in ("failed", "kept") for result in self.results)

    def detail(self, *lines: str) -> None:
        """Print lines that only --verbose shows."""
        if self.verbose:
            notice(*lines)

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

    def summary(self) -> list[str]:
        """The outputs, how fast they were made, and on which device."""
        lines = [line for result in self.results for line in result.lines()]
        if any(result.status == "done" and result.lines() for result in self.results):
            lines.append(f"{self.model} on {self.device} ({self.device_reason})")
        return lines

    def failures(self) -> list[str]:
        """How many inputs failed, and how many keep other results, of several."""
        told: dict[Status, str] = {"failed": "failed", "kept": "keep results that were made otherwise"}
        counts = {status: sum(result.status == status for result in self.results) for status in told}
        some = [
            f"{counts[status]} of {len(self.results)} inputs {words}"
            for status, words in told.items()
            if counts[status]
        ]
        return some if len(self.results) > 1 else []


@contextmanager
def reported(
    report: Report[AnyResult],
    lost: str,
    *,
    as_json: bool,
    quiet: bool,
    tell: Callable[[str], None] = say,
    tell_failures: Callable[[str], None] | None = None,
) -> Iterator[None]:
    """Print the report of the run in this block, however it ends, and exit; LOST is what an interrupt discards."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # NumPy's products here are tiny, its threads cost 50 ms
    with guarded():
        try:
            yield
            code = FAILED if report.failed else 0
        except (KeyboardInterrupt, Cancelled):
            report.interrupted, code = True, INTERRUPTED
            report_error(f"interrupted; nothing is kept of the {lost} that was under way.")
        except BrokenPipeError:
            raise
        except Exception as error:
            report.error, code = explain(error), exit_code(error)
            report_error(report.error)
        if as_json:
            say(json_text(report.as_json()))
        elif not quiet:
            for line in report.summary():
                tell(line)
            for line in report.failures():
                (tell_failures or tell)(line)
        raise typer.Exit(code)
