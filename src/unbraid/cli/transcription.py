"""A run of `unbraid transcribe`: the request, the place of each text, and one recording after another.

Where a recording fails, nothing of its text is kept.
"""

import itertools
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from unbraid.audio import probe
from unbraid.cli.console import say
from unbraid.cli.files.inputs import Item
from unbraid.cli.jobs import Jobs
from unbraid.cli.pipes import Sources
from unbraid.cli.progress import Meter
from unbraid.cli.report import Report, TextResult
from unbraid.cli.request import enrolled, excerpt_values, separation_values, speakers_of
from unbraid.cli.run import described, detail_engine, find_inputs, process
from unbraid.cli.texts import TextPlan, TextRequest, folders_of, once_text, outputs_of, plan_text, text_format
from unbraid.errors import UsageError
from unbraid.files.workdir import swept
from unbraid.hub.names import resolve
from unbraid.hub.spec import ModelSpec, read_spec
from unbraid.tasks.results import Diagnostics
from unbraid.tasks.separation.options import Options
from unbraid.tasks.separation.separator import Separator
from unbraid.tasks.transcription.channels import Channels
from unbraid.tasks.transcription.subtitles import (
    FORMATS,
    SENTENCES,
    SUBTITLES,
    Line,
    as_data,
    check_text_format,
    lines_of,
    shortened,
)
from unbraid.tasks.transcription.subtitles import written as formatted
from unbraid.tasks.transcription.transcriber import Transcriber
from unbraid.tasks.transcription.transcript import Word
from unbraid.tasks.transcription.whisper.options import Job, WhisperOptions

WHISPER_VALUES = ("language", "task", "word_times", "prompt", "vad", "batch")  # that the command line sets


@dataclass(frozen=True)
class TranscriptionRequest(TextRequest):
    """The options of `unbraid transcribe`."""

    people: Options | None = None  # of separating them first
    only: str | None = None  # of them
    channels: Channels = "mix"
    beams: int | None = None
    long_model: str | None = None
    long_seconds: float = 120.0
    whisper: WhisperOptions | None = None  # what was said about a Whisper
    force: bool = False  # also digits that nobody said

    def making_options(self, form: str) -> dict[str, Any]:
        """The options that determine a text in this format, as JSON values."""
        values: dict[str, Any] = {"format": form, "channels": self.channels, "beams": self.beams, "force": self.force}
        if self.whisper is not None:
            values |= {name: value for name, value in asdict(self.whisper).items() if name in WHISPER_VALUES}
        if self.people is not None:
            values |= {"separate": True, "only": self.only, **separation_values(self.people)}
        long = {"long_model": self.long_model, "long_seconds": self.long_seconds}
        return values | long | excerpt_values(self.excerpt) | {"precision": self.engine.precision}


@dataclass(frozen=True)
class _Session:
    """A request, the format of its texts, and the models that it has opened."""

    request: TranscriptionRequest
    form: str
    transcriber: Transcriber
    separator: Separator | None

    @property
    def models(self) -> list[ModelSpec]:
        """The models that were named, the recogniser first."""
        long = self.request.long_model
        others = [] if self.separator is None else [self.separator.spec]
        return [self.transcriber.spec, *others, *([] if long is None else [read_spec(resolve(long))])]


def run(request: TranscriptionRequest, report: Report[TextResult], *, quiet: bool = False) -> None:
    """Transcribe all inputs of a request, filling the report recording by recording.

    Raises:
        UsageError: the request cannot be met; nothing was done.
        UnbraidError: a model or the device is not there; nothing was done.
    """
    report.model, form = request.model, text_format(request, FORMATS, check_text_format)
    collected = find_inputs(request, quiet=quiet)
    outputs, failed = outputs_of(request, collected, FORMATS[form], FORMATS)
    elsewhere: set[Item] | None = set() if request.resume else None
    with swept(*folders_of(outputs.values())), ExitStack() as opened, Sources(quiet=quiet) as sources:
        transcriber, separator = opened.enter_context(_transcriber(request)), None
        report.device, report.device_reason = transcriber.device, transcriber.device_reason
        if request.people is not None:
            engine, options = request.engine, request.people
            separator = opened.enter_context(Separator(device=engine.device, threads=engine.threads, options=options))
        session, jobs = _Session(request, form, transcriber, separator), Jobs(request.jobs)
        making = request.making_options(form)
        detail_engine(report, request)

        def work(item: Item, title: str) -> TextResult | None:
            source, place = sources.path(item), outputs[item]
            about = described(probe(source, request.excerpt))
            plan = None if place is None else plan_text(request, item, source, place, session.models, making)

            def transcribed() -> TextResult:
                with Meter(title, quiet=quiet, jobs=jobs) as meter:
                    report.detail(f"{item.label}: {about}")
                    return _transcribe(item.label, source, plan, session, meter)

            return once_text(item, plan, TextResult, transcribed, elsewhere)

        process(collected, failed, work, report, sources, quiet=quiet, jobs=jobs)


def _transcriber(request: TranscriptionRequest) -> Transcriber:
    return Transcriber(
        request.model,
        device=request.engine.device,
        precision=request.engine.precision,
        threads=request.engine.threads,
        beams=request.beams,
        long_model=request.long_model,
        long_seconds=request.long_seconds,
        whisper=request.whisper,
        force=request.force,
    )


class _Position:
    """Passes progress on to a meter and keeps the seconds of audio read: the length in a header may be wrong."""

    def __init__(self, meter: Meter):
        self._meter, self.seconds = meter, 0.0

    def __call__(self, done: float, total: float | None) -> None:
        self.seconds = done
        self._meter(done, total)


def _transcribe(label: str, source: Path, plan: TextPlan | None, session: _Session, meter: Meter) -> TextResult:
    """Transcribe one recording to its file, to the terminal, or into the result for JSON."""
    request, started, position = session.request, time.monotonic(), _Position(meter)
    info = probe(source, request.excerpt)  # errors before anything is written
    words = session.transcriber.run(
        source,
        request.excerpt,
        channels=request.channels,
        separator=session.separator,
        only=request.only,
        progress=position,
    )
    lines, transcript, found = _lines(words, session), None, words.diagnostics
    first = list(itertools.islice(lines, 1))
    lines = itertools.chain(first, lines)
    if request.as_json and plan is None:
        transcript = [as_data(line) for line in lines]
    elif plan is None:
        text = "".join(_text(lines, session, position, found)).rstrip("\n")
        meter.stop()
        if text:
            say(*text.split("\n"))
    else:
        with (
            plan.written() as hidden,
            hidden.open("w", encoding="utf-8", newline="\n") as file,
        ):
            file.writelines(_text(lines, session, position, found))
    nobody = found.conversation is not None and not found.conversation.segments
    remarks = [found.notice, None if first else "nobody speaks in it" if nobody else "no words were heard in it"]
    return TextResult(
        label,
        "done",
        notices=found.notices,
        seconds=position.seconds,
        elapsed_seconds=time.monotonic() - started,
        start_seconds=max(0.0, info.start_seconds - request.excerpt.start),
        output=None if plan is None else plan.place.path,
        transcript=transcript,
        model=found.model,
        notice="; ".join(filter(None, remarks)) or None,
        conversation=found.conversation,
    )


def _text(lines: Iterator[Line], session: _Session, position: _Position, found: Diagnostics) -> Iterator[str]:
    """The text of lines; a TextGrid, which says how long the recording is, once all of it is heard."""
    heard = lines if session.form != "textgrid" else iter(list(lines))
    seconds = session.request.excerpt.start + position.seconds
    return formatted(heard, session.form, found.model, seconds)


def _lines(words: Iterator[Word], session: _Session) -> Iterator[Line]:
    """The lines of a recording in the order in which they begin; of people their sentences, short in subtitles."""
    if session.separator is None:
        return lines_of(words)
    sentences = lines_of(words, limits=SENTENCES)
    return shortened(sentences) if session.form in SUBTITLES else sentences


def whisper_options(
    language: str | None, task: Job, *, word_times: bool, prompt: str, vad: bool, batch: int = 1
) -> WhisperOptions | None:
    """The options for a Whisper; None where nothing was asked for, as of every other model."""
    options = WhisperOptions(language=language, task=task, word_times=word_times, prompt=prompt, vad=vad, batch=batch)
    return None if options == WhisperOptions() else options


def people_options(
    speakers: str | None,
    enrol: Sequence[str],
    only: str | None,
    embedder: str | None = None,
    *,
    separate: bool,
    channels: Channels = "mix",
) -> Options | None:
    """The options of the separation into people, if that was requested.

    Raises:
        UsageError: options of it without it, or they are wrong; or channels are apart already.
    """
    if not separate and (speakers is not None or enrol or only is not None or embedder is not None):
        raise UsageError("--speakers, --enrol, --only and --embedder are for --separate; add it, or leave them out.")
    if separate and channels == "apart":
        raise UsageError("--separate pulls voices apart that share a channel, --channels apart hears each; give one.")
    if not separate:
        return None
    return Options(speakers=speakers_of(speakers), enrol=enrolled(enrol, only), embedder=embedder)
