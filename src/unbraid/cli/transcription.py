"""A run of `unbraid transcribe`: the request, the place of each text, and one recording after another.

Where a recording fails, nothing of its text is kept.
"""

import heapq
import itertools
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from unbraid.audio import Audio, OutputFormat, Writer, open_writer, probe
from unbraid.cli.console import say
from unbraid.cli.files.inputs import Item
from unbraid.cli.jobs import Jobs
from unbraid.cli.pipes import Sources
from unbraid.cli.progress import Meter
from unbraid.cli.report import Report, TextResult
from unbraid.cli.request import choose_model
from unbraid.cli.run import described, detail_engine, find_inputs, process, written
from unbraid.cli.texts import TextRequest, outputs_of, text_format
from unbraid.errors import UsageError
from unbraid.files.workdir import swept, temporary_folder
from unbraid.tasks.results import Diagnostics
from unbraid.tasks.separation.options import Options
from unbraid.tasks.separation.separator import Separator
from unbraid.tasks.separation.stream import Progress
from unbraid.tasks.transcription.channels import Channels
from unbraid.tasks.transcription.subtitles import FORMATS, Line, as_data, check_text_format, lines_of
from unbraid.tasks.transcription.subtitles import written as formatted
from unbraid.tasks.transcription.transcriber import Transcriber
from unbraid.tasks.transcription.whisper.options import Job, WhisperOptions

_FLOAT = OutputFormat("wav", "32f")


@dataclass(frozen=True)
class TranscriptionRequest(TextRequest):
    """The options of `unbraid transcribe`."""

    voices: str | None = None  # the model that separates voices first
    speakers: int | tuple[int, int] | None = None  # how many, or the fewest and most; None: as many as are found
    channels: Channels = "mix"
    beams: int | None = None
    long_model: str | None = None
    long_seconds: float = 120.0
    whisper: WhisperOptions | None = None  # what was said about a Whisper


@dataclass(frozen=True)
class _Session:
    """A request, the format of its texts, and the models that it has opened."""

    request: TranscriptionRequest
    form: str
    transcriber: Transcriber
    separator: Separator | None


def run(request: TranscriptionRequest, report: Report[TextResult], *, quiet: bool = False) -> None:
    """Transcribe all inputs of a request, filling the report recording by recording.

    Raises:
        UsageError: the request cannot be met; nothing was done.
        UnbraidError: a model or the device is not there; nothing was done.
    """
    report.model, form = request.model, text_format(request, FORMATS, check_text_format)
    collected = find_inputs(request, quiet=quiet)
    outputs, failed = outputs_of(request, collected, FORMATS[form], FORMATS)
    homes = {path.parent for path in outputs.values() if path is not None}
    with swept(*homes), ExitStack() as opened, Sources(quiet=quiet) as sources:
        transcriber, separator = opened.enter_context(_transcriber(request)), None
        report.device, report.device_reason = transcriber.device, transcriber.device_reason
        if request.voices is not None:
            engine, options = request.engine, Options(speakers=request.speakers)
            separator = Separator(request.voices, device=engine.device, threads=engine.threads, options=options)
            opened.callback(separator.close)
        session, jobs = _Session(request, form, transcriber, separator), Jobs(request.jobs)
        detail_engine(report, request)

        def work(item: Item, title: str) -> TextResult:
            with Meter(title, quiet=quiet, jobs=jobs) as meter:
                source = sources.path(item)
                report.detail(f"{item.label}: {described(probe(source, request.excerpt))}")
                return _transcribe(item.label, source, outputs[item], session, meter)

        process(collected, failed, work, report, sources, quiet=quiet, jobs=jobs)


def _transcriber(request: TranscriptionRequest) -> Transcriber:
    return Transcriber(
        request.model,
        device=request.engine.device,
        threads=request.engine.threads,
        beams=request.beams,
        long_model=request.long_model,
        long_seconds=request.long_seconds,
        whisper=request.whisper,
    )


class _Position:
    """Passes progress on to a meter and keeps the seconds of audio read: the length in a header may be wrong."""

    def __init__(self, meter: Meter):
        self._meter, self.seconds = meter, 0.0

    def __call__(self, done: float, total: float | None) -> None:
        self.seconds = done
        self._meter(done, total)


def _transcribe(label: str, source: Path, output: Path | None, session: _Session, meter: Meter) -> TextResult:
    """Transcribe one recording to its file, to the terminal, or into the result for JSON."""
    request, form, started, position = session.request, session.form, time.monotonic(), _Position(meter)
    info = probe(source, request.excerpt)  # errors before anything is written
    runs: list[Diagnostics] = []  # the last one names the model that reads the texts
    lines, transcript = _lines(source, session, position, runs), None
    first = list(itertools.islice(lines, 1))
    lines, model = itertools.chain(first, lines), runs[-1].model
    if request.as_json and output is None:
        transcript = [as_data(line) for line in lines]
    elif output is None:
        text = "".join(formatted(lines, form, model)).rstrip("\n")
        meter.stop()
        if text:
            say(*text.split("\n"))
    else:
        with (
            written(output, replace=request.overwrite) as hidden,
            hidden.open("w", encoding="utf-8", newline="\n") as file,
        ):
            file.writelines(formatted(lines, form, model))
    found = None if isinstance(request.speakers, int) else runs[0].voices_found
    counted = None if found is None else f"{found} voices found" if found > 1 else "1 voice found"
    remarks = [runs[-1].notice, counted, None if first else "no words were heard in it"]
    return TextResult(
        label,
        "done",
        notices=runs[0].notices,
        seconds=position.seconds,
        elapsed_seconds=time.monotonic() - started,
        start_seconds=max(0.0, info.start_seconds - request.excerpt.start),
        output=output,
        transcript=transcript,
        model=model,
        notice="; ".join(filter(None, remarks)) or None,
    )


def _lines(source: Path, session: _Session, progress: Progress, runs: list[Diagnostics]) -> Iterator[Line]:
    """The lines of a recording, or of each of its voices, in the order in which they begin.

    The runs are the one that reads the recording, and one for each voice.
    """
    excerpt, transcriber, separator = session.request.excerpt, session.transcriber, session.separator
    if separator is None:
        words = transcriber.run(source, excerpt, channels=session.request.channels, progress=progress)
        runs.append(words.diagnostics)
        yield from lines_of(words)
        return
    blocks = separator.run(source, excerpt, progress)
    runs.append(blocks.diagnostics)
    rate = separator.output_rate(probe(source, excerpt).sample_rate)
    with _voices(blocks, rate) as voices:
        texts = {voice: transcriber.run(file) for voice, file in voices.items()}
        runs += [words.diagnostics for words in texts.values()]
        lines = [lines_of((word.after(excerpt.start) for word in words), voice) for voice, words in texts.items()]
        yield from heapq.merge(*lines, key=lambda line: line.start)


@contextmanager
def _voices(blocks: Iterable[dict[str, Audio]], rate: int) -> Iterator[dict[str, Path]]:
    """The voices of a recording as temporary files."""
    with temporary_folder() as folder:
        with ExitStack() as opened:
            writers: dict[str, Writer] = {}
            files: dict[str, Path] = {}
            for stems in blocks:
                for stem, block in stems.items():
                    if stem not in writers:
                        files[stem] = folder / f"{stem}.wav"
                        writers[stem] = opened.enter_context(open_writer(files[stem], rate, block.shape[0], _FLOAT))
                    writers[stem].write(block)
        yield files


def whisper_options(
    language: str | None, task: Job, *, word_times: bool, prompt: str, vad: bool
) -> WhisperOptions | None:
    """The options for a Whisper; None where nothing was asked for, as of every other model."""
    options = WhisperOptions(language=language, task=task, word_times=word_times, prompt=prompt, vad=vad)
    return None if options == WhisperOptions() else options


def voices_model(*, separate: bool, speakers: int | tuple[int, int] | None, channels: Channels = "mix") -> str | None:
    """The model that separates voices before they are transcribed, if that was requested.

    Raises:
        UsageError: a number of speakers without it, or for which there is no model; or channels are apart already.
        ModelNotFound: there is no model for so many speakers on this machine.
    """
    if not separate and speakers is not None:
        raise UsageError("--speakers says how many voices --separate pulls apart; give both, or neither.")
    if separate and channels == "apart":
        raise UsageError("--separate pulls voices apart that share a channel, --channels apart hears each; give one.")
    return choose_model(None, speakers) if separate else None
