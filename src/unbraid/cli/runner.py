"""A whole run of `unbraid separate`: plan, one track after another, and what became of each.

A track that fails is reported at once and does not stop the others.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from unbraid.audio import choose_format
from unbraid.cli.console import explain, hush_stdout, notice, report_error, warn
from unbraid.cli.files.inputs import Collected, Layout, collect
from unbraid.cli.files.outputs import write_stream, write_track
from unbraid.cli.pipes import naming, places
from unbraid.cli.plan import Job, make_jobs
from unbraid.cli.progress import Meter
from unbraid.cli.report import Report, Result
from unbraid.cli.request import Request, check_stdout, select_stems
from unbraid.errors import Cancelled
from unbraid.files.workdir import swept
from unbraid.tasks.separation.separator import Separator

MOST_TOLD = 10  # skipped places that are listed one by one


def run(request: Request, report: Report, *, quiet: bool = False) -> None:
    """Do what was asked for; `report` is filled track by track.

    Raises:
        UsageError: the request cannot be met; nothing was done.
        UnbraidError: the model or the device is not there; nothing was done.
    """
    coding = request.coding
    choose_format(coding.format, subtype=coding.subtype, bitrate=coding.bitrate)  # refuses before anything is loaded
    Layout(request.root or Path(), request.template, coding.format, request.model)
    collected = collect(request.inputs, recursive=request.recursive)
    if not quiet:
        notice(*passed_over(collected))
    roots = () if request.root is None else (request.root,)
    with swept(*roots), _separator(request) as separator, places(quiet=quiet) as place:
        report.device, report.device_reason = separator.device, separator.device_reason
        stems = select_stems(request.stems, separator.stems(), separator.spec.name)
        if request.root is None:
            check_stdout(request, stems, len(collected.items) + len(collected.refused))
        jobs = make_jobs(request, collected.items, separator, stems, place)
        for folder, reason in collected.refused.items():
            report.results.append(Result(str(folder), "failed", error=reason))
            report_error(reason)
        for number, job in enumerate(jobs, 1):
            title = f"[{number}/{len(jobs)}] {job.item.name}" if len(jobs) > 1 else job.item.name
            with Meter(title, quiet=quiet) as meter, Meter(f"{title}, encoding", quiet=quiet, after=meter) as encoding:
                result = _do(job, request, separator, (meter, encoding))
            report.results.append(result)
            if result.error:
                report_error(result.error)
            if not quiet:
                warn(result.input, result.notices)


def _do(job: Job, request: Request, separator: Separator, meters: tuple[Meter, Meter]) -> Result:
    """One job, with whatever goes wrong in it as a result."""
    label = job.item.label
    if job.track is None:
        return Result(label, "failed", error=job.error)
    track, started = job.track, time.monotonic()
    try:
        if request.resume and track.is_done():
            track.complete_record()
            return Result(label, "skipped", track.outputs, report=track.report)
        if request.root is None:
            written = write_stream(separator, track, sys.stdout.buffer, meters[0])
        else:
            written = write_track(separator, track, *meters)
    except (KeyboardInterrupt, Cancelled):
        raise
    except BrokenPipeError:
        hush_stdout()
        return Result(label, "failed")
    except Exception as error:
        return Result(label, "failed", error=naming(job.item, explain(error), track.source))
    elapsed = time.monotonic() - started
    outputs = track.outputs if request.root is not None else {}
    agreement_db, notices = written.diagnostics.agreement_db, written.diagnostics.notices
    return Result(
        label,
        "done",
        outputs,
        written.seconds,
        elapsed,
        written.gain_db,
        median(agreement_db) if agreement_db else None,
        track.report,
        notices=notices,
        start_seconds=track.signal.start_seconds,
    )


@contextmanager
def _separator(request: Request) -> Iterator[Separator]:
    engine = request.engine
    separator = Separator(
        request.model,
        device=engine.device,
        precision=engine.precision,
        threads=engine.threads,
        options=request.options,
    )
    try:
        yield separator
    finally:
        separator.close()


def passed_over(collected: Collected) -> list[str]:
    """Lines about the entries of folders that were skipped."""
    lines = [f"skipped {path}: it {told}" for path, told in collected.passed_over.items()]
    if len(lines) > MOST_TOLD:
        lines[MOST_TOLD:] = [f"skipped {len(lines) - MOST_TOLD} more"]
    return [*lines, *([_skipped(collected.skipped)] if collected.skipped else [])]


def _skipped(paths: list[Path]) -> str:
    shown = ", ".join(path.name for path in paths[:3])
    more = ", …" if len(paths) > 3 else ""
    files = "1 file that is" if len(paths) == 1 else f"{len(paths)} files that are"
    return f"skipped {files} not audio by extension: {shown}{more}"
