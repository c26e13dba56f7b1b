"""A run of `unbraid align`: the request, the text, and its alignment with the recording."""

import dataclasses
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from unbraid.audio import probe
from unbraid.cli.console import notice, say
from unbraid.cli.files.inputs import Collected, Item
from unbraid.cli.jobs import Jobs
from unbraid.cli.pipes import Sources
from unbraid.cli.progress import Meter
from unbraid.cli.report import Report, TextResult
from unbraid.cli.run import described, detail_engine, find_inputs, process, written
from unbraid.cli.texts import TextRequest, folders_of, outputs_of, text_format
from unbraid.errors import UsageError
from unbraid.files.bounded import read_at_most
from unbraid.files.workdir import swept
from unbraid.hub.defaults import MUSIC
from unbraid.tasks.alignment.aligner import VOCALS, Aligner
from unbraid.tasks.alignment.formats import FORMATS, WORDS, as_json, check_alignment_format, spans_as_json
from unbraid.tasks.alignment.formats import written as formatted
from unbraid.tasks.alignment.models import model_for
from unbraid.tasks.alignment.result import Alignment
from unbraid.tasks.alignment.texts import decoded, lines_in, read_text
from unbraid.tasks.separation.content import content_of_file
from unbraid.tasks.separation.options import check_stem
from unbraid.tasks.separation.separator import Separator


@dataclass(frozen=True)
class AlignmentRequest(TextRequest):
    """The options of `unbraid align`."""

    resumable: ClassVar[bool] = False
    text: str = "-"  # the file of it
    words: bool = False  # their times where the format leaves the choice
    vocals: bool | None = None  # None: of what sounds like music
    vocals_model: str | None = None
    threshold: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.text == "-" and self.inputs == ("-",):
            raise UsageError("Standard input is either the text or the recording; name a file for the other.")
        if self.vocals is False and self.vocals_model is not None:
            raise UsageError("--vocals-model separates vocals, which --no-vocals leaves alone; give one of them.")


@dataclass(frozen=True)
class AlignmentResult(TextResult):
    """The outcome of aligning a text with a recording."""

    lines_found: int | None = None  # None: it failed
    lines_not_found: int | None = None
    not_in_text: list[dict[str, float]] | None = None
    vocals: str | None = None  # the model that separated them

    def as_json(self) -> dict[str, Any]:
        """The object of this input in --json."""
        counts = ("lines_found", "lines_not_found", "not_in_text")
        return {key: value for key, value in super().as_json().items() if key not in counts or value is not None}


def run(request: AlignmentRequest, report: Report[TextResult], *, quiet: bool = False) -> None:
    """Align the text of a request with its recording, filling the report.

    Raises:
        UsageError: the request cannot be met; nothing was done.
        UnbraidError: a model or the device is not there; nothing was done.
    """
    form, collected = checked(request)
    with ExitStack() as opened, Sources(quiet=quiet) as sources:
        text = text_of(request.text)
        lines_in(text)
        request = dataclasses.replace(request, model=request.model or model_for(text))
        report.model = request.model
        outputs, failed = outputs_of(request, collected, FORMATS[form], FORMATS)
        opened.enter_context(swept(*folders_of(outputs.values())))
        engine = request.engine
        aligner = opened.enter_context(
            Aligner(request.model, device=engine.device, threads=engine.threads, threshold=request.threshold)
        )
        report.device, report.device_reason = aligner.device, aligner.device_reason
        detail_engine(report, request)

        def work(item: Item, title: str) -> TextResult:
            source = sources.path(item)
            report.detail(f"{item.label}: {described(probe(source, request.excerpt))}")
            vocals = _vocals_model(request, source, item.label, quiet=quiet)
            with ExitStack() as used, Meter(title, quiet=quiet) as meter:
                separator = used.enter_context(_separator(request, vocals)) if vocals else None
                started = time.monotonic()
                alignment = aligner.file(text, source, request.excerpt, separator=separator, progress=meter)
                meter.stop()
                output = None if (place := outputs[item]) is None else place.path
                shown = _put(alignment, form, request, output)
            info = probe(source, request.excerpt)
            return AlignmentResult(
                item.label,
                "done",
                notices=alignment.notices,
                seconds=alignment.seconds - request.excerpt.start,
                elapsed_seconds=time.monotonic() - started,
                start_seconds=max(0.0, info.start_seconds - request.excerpt.start),
                output=output,
                transcript=shown,
                model=alignment.model,
                notice=alignment.notice,
                lines_found=len(alignment.lines) - len(alignment.not_found),
                lines_not_found=len(alignment.not_found),
                not_in_text=spans_as_json(alignment.not_in_text),
                vocals=vocals,
            )

        process(collected, failed, work, report, sources, quiet=quiet, jobs=Jobs(1))


def checked(request: AlignmentRequest) -> tuple[str, Collected]:
    """The format of the result, and the recording.

    Raises:
        UsageError: there is no such format, or it has no times of words; or there is not one recording.
    """
    form = text_format(request, FORMATS, check_alignment_format)
    if request.words and form not in WORDS:
        raise UsageError(f"--words is for {' and '.join(WORDS)}; leave it out for {form}.")
    collected = find_inputs(request, quiet=True)
    if len(collected.items) + len(collected.refused) != 1:
        raise UsageError("A text is aligned with one recording, not with a folder of several; name a file.")
    return form, collected


def text_of(place: str) -> str:
    """The text of a file, or of standard input.

    Raises:
        UsageError: it cannot be read, or is no text.
    """
    if place != "-":
        return read_text(Path(place))
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError("Standard input is closed or the keyboard; pipe a text into it, or name a file instead of -.")
    try:
        return decoded(read_at_most(sys.stdin.buffer), "standard input")
    except ValueError as error:
        raise UsageError(f"standard input: {error}.") from None


def _vocals_model(request: AlignmentRequest, source: Path, label: str, *, quiet: bool) -> str | None:
    """The model that separates the vocals of a recording, if that is asked for or needed."""
    chosen = request.vocals_model or MUSIC
    if request.vocals or request.vocals_model is not None:
        return chosen
    if request.vocals is False or content_of_file(source, request.excerpt).kind != "music":
        return None
    if not quiet:
        notice(f"{label}: sounds like music: its vocals are separated with {chosen}; --no-vocals leaves that out")
    return chosen


def _separator(request: AlignmentRequest, model: str) -> Separator:
    """The separator of vocals.

    Raises:
        UsageError: the model has none.
    """
    separator = Separator(model, device=request.engine.device, threads=request.engine.threads)
    try:
        check_stem(VOCALS, separator.stems(), separator.spec.name)
    except UsageError:
        separator.close()
        raise
    return separator


def _put(
    alignment: Alignment, form: str, request: AlignmentRequest, output: Path | None
) -> list[dict[str, Any]] | None:
    """Write an alignment to its file, or to the terminal; or return its lines, for JSON."""
    if output is None and request.as_json:
        return [as_json(line) for line in alignment.lines]
    about = (alignment.model, alignment.seconds, alignment.not_in_text)
    put_text(formatted(alignment.lines, form, about, words=request.words), output, overwrite=request.overwrite)
    return None


def put_text(text: str, output: Path | None, *, overwrite: bool) -> None:
    """Write a text to its file, or to the terminal."""
    if output is None:
        say(*text.rstrip("\n").split("\n"))
        return
    with written(output, replace=overwrite) as hidden:
        hidden.write_text(text, encoding="utf-8", newline="\n")
