"""A whole run of `unbraid transcribe`: one recording after another is written down.

A recording that fails is reported at once and does not stop the others; of its text nothing is kept.
"""

import heapq
import itertools
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from unbraid.audio import Audio, OutputFormat, Writer, open_writer, probe
from unbraid.cli.console import explain, notice, report_error, say, warn
from unbraid.cli.files.inputs import Item, collect
from unbraid.cli.pipes import Place, naming, places
from unbraid.cli.progress import Meter
from unbraid.cli.runner import passed_over
from unbraid.cli.transcripts import Asked, Report, Result, outputs_of, text_format
from unbraid.errors import Cancelled
from unbraid.files.atomic import appearing
from unbraid.files.workdir import disk_errors, swept, temporary_folder
from unbraid.tasks.results import Diagnostics
from unbraid.tasks.separation.separator import Separator
from unbraid.tasks.separation.stream import Progress
from unbraid.tasks.transcription.subtitles import Line, lines_of, written
from unbraid.tasks.transcription.transcriber import Transcriber

_FLOAT = OutputFormat("wav", "32f")


@dataclass(frozen=True)
class Engines:
    """The models of a run."""

    transcriber: Transcriber
    separator: Separator | None = None


def run(asked: Asked, report: Report, *, quiet: bool = False) -> None:
    """Do what was asked for; `report` is filled recording by recording.

    Raises:
        UsageError: the request cannot be met; nothing was done.
        UnbraidError: a model or the device is not there; nothing was done.
    """
    form = text_format(asked)
    collected = collect(asked.inputs, recursive=asked.recursive)
    if not quiet:
        notice(*passed_over(collected))
    outputs, failed = outputs_of(asked, collected, form)
    homes = {path.parent for path in outputs.values() if path is not None}
    with swept(*homes), _engines(asked) as engines, places(quiet=quiet) as place:
        report.device, report.device_reason = engines.transcriber.device, engines.transcriber.device_reason
        for folder, reason in collected.refused.items():
            report.results.append(Result(str(folder), "failed", error=reason))
            report_error(reason)
        for number, item in enumerate(collected.items, 1):
            several = len(collected.items) > 1
            title = f"[{number}/{len(collected.items)}] {item.name}" if several else item.name
            with Meter(title, quiet=quiet) as meter:
                if item in failed:
                    result = Result(item.label, "failed", error=naming(item, failed[item], None))
                else:
                    result = _Job(asked, form, engines, meter).do(item, outputs[item], place)
            report.results.append(result)
            if result.error:
                report_error(result.error)
            if not quiet:
                warn(result.input, result.notices)
            if result.notice and not quiet:
                notice(f"{result.input}: {result.notice}")


class _Heard:
    """The seconds of audio that were heard so far, which a meter shows; what a header says may be wrong or missing."""

    def __init__(self, meter: Meter):
        self._meter, self.seconds = meter, 0.0

    def __call__(self, done: float, total: float | None) -> None:
        self.seconds = done
        self._meter(done, total)


@dataclass(frozen=True)
class _Job:
    """How each recording is to be written down."""

    asked: Asked
    form: str
    engines: Engines
    meter: Meter

    def do(self, item: Item, output: Path | None, place: Place) -> Result:
        """One recording, with whatever goes wrong in it as a result."""
        started, source, heard = time.monotonic(), None, _Heard(self.meter)
        try:
            source = place(item)
            cut = self.asked.cut
            info = probe(source, cut.track, cut.reading)  # says what is wrong before anything is written
            runs: list[Diagnostics] = []  # the last one tells which model reads the texts, and why
            lines, told = self._lines(source, heard, runs), None
            first = list(itertools.islice(lines, 1))
            lines, by = itertools.chain(first, lines), runs[-1].model
            if self.asked.as_json and output is None:
                told = list(lines)
            elif output is None:
                text = "".join(written(lines, self.form, by)).rstrip("\n")
                self.meter.stop()
                if text:
                    say(*text.split("\n"))
            else:
                _write(written(lines, self.form, by), output, replace=self.asked.overwrite)
        except (KeyboardInterrupt, Cancelled, BrokenPipeError):
            raise
        except Exception as error:
            return Result(item.label, "failed", error=naming(item, explain(error), source))
        notices = [runs[-1].notice, None if first else "no words were heard in it"]
        return Result(
            item.label,
            "done",
            output,
            told,
            by,
            heard.seconds,
            time.monotonic() - started,
            "; ".join(filter(None, notices)) or None,
            notices=runs[0].notices,
            start_seconds=max(0.0, info.start_seconds - cut.start),
        )

    def _lines(self, source: Path, progress: Progress, runs: list[Diagnostics]) -> Iterator[Line]:
        """The lines of a recording, or of each of its voices, in the order in which they begin.

        The runs are the one that reads the recording, and one for each voice.
        """
        cut, transcriber = self.asked.cut, self.engines.transcriber
        if self.engines.separator is None:
            words = transcriber.run(source, cut, channels=self.asked.channels, progress=progress)
            runs.append(words.diagnostics)
            yield from lines_of(words)
            return
        blocks = self.engines.separator.run(source, cut, progress)
        runs.append(blocks.diagnostics)
        rate = self.engines.separator.output_rate(probe(source, cut.track, cut.reading).sample_rate)
        with _voices(blocks, rate) as voices:
            texts = {voice: transcriber.run(file) for voice, file in voices.items()}
            runs += [words.diagnostics for words in texts.values()]
            lines = [lines_of((word.after(cut.start) for word in words), voice) for voice, words in texts.items()]
            yield from heapq.merge(*lines, key=lambda line: line.start)


def _write(text: Iterator[str], path: Path, *, replace: bool) -> None:
    """Put a text in its place, whole, once it is there to its end."""
    with (
        disk_errors(path.parent),
        appearing(path, replace=replace) as hidden,
        hidden.open("w", encoding="utf-8", newline="\n") as file,
    ):
        file.writelines(text)


@contextmanager
def _engines(asked: Asked) -> Iterator[Engines]:
    with ExitStack() as opened:
        transcriber = opened.enter_context(
            Transcriber(
                asked.model,
                device=asked.device,
                threads=asked.threads,
                beams=asked.beams,
                long_model=asked.long_model,
                long_seconds=asked.long_seconds,
            )
        )
        if asked.voices is None:
            yield Engines(transcriber)
        else:
            separator = Separator(asked.voices, device=asked.device, threads=asked.threads)
            opened.callback(separator.close)
            yield Engines(transcriber, separator)


@contextmanager
def _voices(blocks: Iterable[dict[str, Audio]], rate: int) -> Iterator[dict[str, Path]]:
    """The voices of a recording as files, for as long as they are needed."""
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
