"""A run of `unbraid melody`, `notes` or `singers`: the request, and one recording after another."""

import json
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from unbraid.audio import probe
from unbraid.cli.console import say
from unbraid.cli.files.inputs import Item
from unbraid.cli.jobs import Jobs
from unbraid.cli.pipes import Sources
from unbraid.cli.progress import Meter
from unbraid.cli.report import Report
from unbraid.cli.run import described, detail_engine, find_inputs, process, written
from unbraid.cli.texts import TextRequest, folders_of, outputs_of, text_format
from unbraid.cli.tracking_results import TrackingResult
from unbraid.errors import UsageError
from unbraid.files.workdir import swept
from unbraid.hub.defaults import DEFAULTS
from unbraid.tasks.analysis.api import SEPARATOR, Listening, melody_of_file, notes_of_file
from unbraid.tasks.analysis.melody import MELODY_FORMATS, Melody
from unbraid.tasks.analysis.melody_tracker import MODEL as PITCH_TRACKER
from unbraid.tasks.analysis.melody_tracker import check_installed
from unbraid.tasks.analysis.notes import NOTE_FORMATS, Notes
from unbraid.tasks.analysis.notes_decoding import DecodingOptions
from unbraid.tasks.analysis.notes_transcriber import NoteTranscriber, check_pitched
from unbraid.tasks.analysis.singer_search import SingerSearch, check_number
from unbraid.tasks.analysis.singers import SINGER_FORMATS, Singers, check_singer_format
from unbraid.tasks.analysis.singers_api import enrolled_singers, singers_of_file
from unbraid.tasks.conversation.embedder import SpeakerEmbedder
from unbraid.tasks.separation.separator import Separator

Found = Melody | Notes | Singers
Find = Callable[[Path, Listening], Found]
SHOWN = "csv"  # on the terminal


@dataclass(frozen=True)
class TrackingRequest(TextRequest):
    """The options of `unbraid melody`, whose `model` separates the stem."""

    resumable: ClassVar[bool] = False
    stem: str | None = None  # None: the input as it is
    force: bool = False  # also in speech


@dataclass(frozen=True)
class NotesRequest(TrackingRequest):
    """The options of `unbraid notes`, whose `model` hears the notes."""

    separator: str | None = None
    decoding: DecodingOptions = field(default_factory=DecodingOptions)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.separator is not None and self.stem is None:
            raise UsageError("--separator separates a stem; name it with --stem, or leave --separator out.")
        check_pitched(self.stem)


@dataclass(frozen=True)
class SingersRequest(TrackingRequest):
    """The options of `unbraid singers`, whose `model` separates the vocals."""

    enrol: tuple[tuple[str, str], ...] = ()  # names, and files or folders of their voices
    embedder: str = DEFAULTS["speaker embedding"]
    number: int | tuple[int, int] | None = None  # of singers, where nobody is enrolled

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number(self.number, self.enrol)


def run_melody(request: TrackingRequest, report: Report[TrackingResult], *, quiet: bool = False) -> None:
    """Track the melody in all inputs of a request, filling the report recording by recording.

    Raises:
        UsageError: the request cannot be met; nothing was done.
        UnbraidError: a model, the device or swift-f0 is not there; nothing was done.
    """
    form = _form(request, MELODY_FORMATS, Melody.check_format)
    check_installed()
    report.model, report.device, report.device_reason = PITCH_TRACKER, "cpu", "it is fast there"
    with ExitStack() as opened:
        listening = _listening(request, request.model, opened)
        _run(request, form, report, listening, lambda path, heard: melody_of_file(path, request.excerpt, heard), quiet)


def run_notes(request: NotesRequest, report: Report[TrackingResult], *, quiet: bool = False) -> None:
    """Write down the notes in all inputs of a request, filling the report recording by recording.

    Raises:
        UsageError: the request cannot be met; nothing was done.
        UnbraidError: a model or the device is not there; nothing was done.
    """
    form, engine = _form(request, NOTE_FORMATS, Notes.check_format), request.engine
    with ExitStack() as opened:
        transcriber = opened.enter_context(
            NoteTranscriber(request.model, options=request.decoding, device=engine.device, threads=engine.threads)
        )
        report.model = transcriber.spec.name
        report.device, report.device_reason = transcriber.device, transcriber.device_reason
        detail_engine(report, request)
        listening = _listening(request, request.separator or SEPARATOR, opened)

        def find(path: Path, heard: Listening) -> Notes:
            return notes_of_file(path, transcriber, request.excerpt, heard)

        _run(request, form, report, listening, find, quiet)


def run_singers(request: SingersRequest, report: Report[TrackingResult], *, quiet: bool = False) -> None:
    """Find who sings in all inputs of a request, filling the report recording by recording.

    Raises:
        UsageError: the request cannot be met, or somebody cannot be enrolled; nothing was done.
        UnbraidError: a model or the device is not there; nothing was done.
    """
    form, engine = _form(request, SINGER_FORMATS, check_singer_format), request.engine
    with ExitStack() as opened:
        embedder = opened.enter_context(SpeakerEmbedder(request.embedder, device=engine.device, threads=engine.threads))
        report.model, report.device, report.device_reason = embedder.spec.name, embedder.device, embedder.device_reason
        detail_engine(report, request)
        listening = _listening(request, request.model, opened)
        enrolled = enrolled_singers(request.enrol, embedder, listening.separator)
        search = SingerSearch(embedder, enrolled, request.number)

        def find(path: Path, heard: Listening) -> Singers:
            return singers_of_file(path, search, request.excerpt, heard)

        _run(request, form, report, listening, find, quiet, SINGER_FORMATS)


def _form(request: TrackingRequest, formats: Mapping[str, str], check: Callable[[str], str]) -> str:
    """The format of the outputs: as requested, by the output, or a table."""
    if request.form is None and request.output is None:
        return SHOWN
    form = text_format(request, {SHOWN: SHOWN, **formats}, check)
    if form == "mid" and request.output is None:
        raise UsageError("MIDI does not go to the terminal; name a file or a folder with -o.")
    return form


def _listening(request: TrackingRequest, separator: str, opened: ExitStack) -> Listening:
    """How the recordings are heard; the separator is closed with OPENED."""
    engine = request.engine
    if request.stem is None:
        return Listening(force=request.force, threads=engine.threads)
    loaded = opened.enter_context(Separator(separator, device=engine.device, threads=engine.threads))
    return Listening(loaded, request.stem, request.force, engine.threads)


def _run(
    request: TrackingRequest,
    form: str,
    report: Report[TrackingResult],
    listening: Listening,
    find: Find,
    quiet: bool,
    formats: Mapping[str, str] = NOTE_FORMATS,
) -> None:
    """Find the melody, notes or singers in one input after another."""
    collected = find_inputs(request, quiet=quiet)
    outputs, failed = outputs_of(request, collected, formats[form], formats)
    with swept(*folders_of(outputs.values())), Sources(quiet=quiet) as sources:

        def work(item: Item, title: str) -> TrackingResult:
            source, started = sources.path(item), time.monotonic()
            info = probe(source, request.excerpt)
            report.detail(f"{item.label}: {described(info)}")
            with Meter(title, quiet=quiet) as meter:
                found = find(source, replace(listening, progress=meter))
            output = None if (place := outputs[item]) is None else place.path
            content = _put(found, form, request, output)
            return TrackingResult(
                item.label,
                "done",
                notices=found.notices,
                seconds=found.seconds - request.excerpt.start if found.seconds else info.duration or 0.0,
                elapsed_seconds=time.monotonic() - started,
                start_seconds=max(0.0, info.start_seconds - request.excerpt.start),
                model=found.model,
                stem=listening.stem,
                separator=listening.separator.spec.name if listening.separator else None,
                output=output,
                found=_in_words(found),
                reason=found.reason,
                content=content,
            )

        process(collected, failed, work, report, sources, quiet=quiet, jobs=Jobs(1))


def _put(found: Found, form: str, request: TrackingRequest, output: Path | None) -> dict[str, Any] | None:
    """Write a result to its file, or to the terminal; or return its content, for JSON."""
    if output is None and request.as_json:
        content: dict[str, Any] = json.loads(found.to_json())
        return content
    content_bytes = found.encoded(form)
    if output is None:
        say(*content_bytes.decode().rstrip("\n").split("\n"))
        return None
    with written(output, replace=request.overwrite) as hidden:
        hidden.write_bytes(content_bytes)
    return None


def _in_words(found: Found) -> str:
    """How much was found."""
    if isinstance(found, Singers):
        told = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in found.singing_seconds.items())
        return f"{told}; not there: {', '.join(found.absent)}" if found.absent and told else told or "nobody"
    notes = found.notes if isinstance(found, Melody) else found
    count = f"{len(notes)} note{'s' * (len(notes) != 1)}"
    if isinstance(found, Notes):
        return count
    sung = len(found) and found.voiced.mean() * found.seconds
    return f"{sung:.1f} s of voice, {count}"
