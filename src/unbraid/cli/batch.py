"""`unbraid batch`: archives of recordings, on this machine or a cluster, with a manifest."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from unbraid.cli import completion
from unbraid.cli import options as opt
from unbraid.cli.console import FAILED, guarded, json_text, notice, report_error, say
from unbraid.cli.progress import Meter, clock
from unbraid.errors import RuntimeUnavailable, UsageError

if TYPE_CHECKING:
    from unbraid.batch.estimate import Estimate
    from unbraid.batch.outcome import Outcome
    from unbraid.batch.run import Request, Result

_MOST_TOLD = 20  # failures that are told one by one

_Inputs = Annotated[
    list[str],
    typer.Argument(
        metavar="INPUT...",
        help="Files, folders, globs, lists (.txt, .csv, .jsonl, .parquet), or addresses such as s3://bucket/raw/.",
    ),
]
_Output = Annotated[
    str, typer.Option(*opt.OUT, metavar="DIR|ADDRESS", help="Where outputs go: a folder, or s3://bucket/stems.")
]
_Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        help="A name that `unbraid models` lists, or a model folder. (default: the task's; for music, music-4)",
        autocompletion=completion.models,
    ),
]
_Task = Annotated[Literal["separate", "enhance", "transcribe"], typer.Option(help="The task for each recording.")]
_run, _machine = opt.panel("Run"), opt.panel("Machine")
_Manifest = Annotated[
    str | None,
    _run(
        metavar="FILE",
        help="A Parquet file with a row for each recording; its journal (.jsonl) and page (.html) lie beside it. "
        "(default: manifest.parquet in the output folder)",
    ),
]
_Column = Annotated[str, _run(metavar="NAME", help="The column of CSV, JSON Lines and Parquet lists.")]
_Resume = Annotated[bool, _run("--resume", help="Go on with the run of this manifest; finished recordings are kept.")]
_Retry = Annotated[
    Literal["failed"] | None, _run(help="Like --resume, but try failed recordings again: --retry failed.")
]
_DryRun = Annotated[
    bool, _run("--dry-run", help="Write nothing: measure the speed on this machine and estimate the hours.")
]
_Engine = Annotated[
    Literal["local", "ray"], _machine(help="Processes of this machine, or Ray Data on a cluster (the extra `ray`).")
]
_Address = Annotated[str | None, _machine(metavar="HOST|auto", help="The Ray cluster. (default: this machine alone)")]
_Processes = Annotated[
    int | None,
    _machine(
        "--processes",
        "-p",
        metavar="N",
        min=1,
        max=1024,
        help="Worker processes. (default: as many as the cores allow)",
    ),
]
_Threads = Annotated[int, _machine(metavar="N", min=1, help="CPU threads of each worker.")]
_LimitMinutes = Annotated[
    float | None,
    _machine(metavar="N", min=0.01, help="Time for a file, after which its worker is ended. (default: none)"),
]
_Format = Annotated[
    str,
    opt.panel("Output")("--format", "-f", help="wav, flac, ogg, opus, mp3 or m4a.", autocompletion=completion.formats),
]
_Strength = Annotated[
    float, opt.panel("Separation")(metavar="X", help="The share of the noise that `enhance` removes, 0 to 1.")
]


def batch(
    inputs: _Inputs,
    output: _Output,
    model: _Model = None,
    task: _Task = "separate",
    format: _Format = "flac",
    speakers: opt.Speakers = None,
    stems: opt.Stems = None,
    residual: opt.Residual = False,
    strength: _Strength = 1.0,
    manifest: _Manifest = None,
    column: _Column = "path",
    resume: _Resume = False,
    retry: _Retry = None,
    dry_run: _DryRun = False,
    engine: _Engine = "local",
    address: _Address = None,
    processes: _Processes = None,
    threads: _Threads = 1,
    limit_minutes: _LimitMinutes = None,
    precision: opt.Precision = "float32",
    device: opt.Device = "auto",
    as_json: opt.AsJson = False,
    quiet: opt.Quiet = False,
) -> None:
    """Separate, enhance or transcribe an archive, with a manifest that survives any interruption.

    Each recording becomes a folder in the output folder: raw/a/song.mp3 gives stems/a/song/vocals.flac, …

    unbraid batch raw/ -o stems/ -m music-4;  unbraid batch list.csv -o s3://archive/stems --manifest run.parquet
    """
    with guarded(as_json=as_json):
        try:
            from unbraid.batch import run as running
            from unbraid.batch.addresses import is_remote
            from unbraid.batch.estimate import estimated
            from unbraid.batch.settings import Settings
        except ModuleNotFoundError as error:
            if (error.name or "").startswith("unbraid"):
                raise
            raise RuntimeUnavailable(
                f"`unbraid batch` needs {error.name}, which is not installed; "
                "get it with `pip install 'unbraid[batch]'`."
            ) from None
        from unbraid.cli.request import speakers_of, split_stems

        if address is not None and engine != "ray":
            raise UsageError("--address is that of a Ray cluster; add --engine ray, or leave it out.")
        settings = running.with_model_path(
            Settings(
                output if is_remote(output) else os.path.abspath(output),
                task,
                model,
                format.removeprefix(".").lower(),
                residual,
                speakers_of(speakers),
                strength,
                device,
                precision,
                threads,
                None if limit_minutes is None else 60 * limit_minutes,
                split_stems(stems),
            )
        )
        request = running.Request(
            inputs, settings, running.manifest_of(output, manifest), column, engine, processes, address, resume, retry
        )
        with running.prepared(request) as (journal, plan):
            if dry_run:
                tell_estimate(estimated(plan.left, settings, running.processes_of(request)), as_json=as_json)
                return
            if not quiet:
                notice(_described(len(plan.left), plan.done, plan.set_aside))
            with Meter(f"{len(plan.left)} recordings", quiet=quiet or as_json) as meter:
                told = _Telling(plan.total_seconds, {item.address: item.rough_seconds for item in plan.left}, meter)
                try:
                    result = running.run(request, journal, plan, told)
                except KeyboardInterrupt:
                    notice("finished recordings are kept; go on with --resume.")
                    raise
        _tell(result, request, as_json=as_json)
        if result.totals.failed or plan.set_aside:
            raise typer.Exit(FAILED)


class _Telling:
    """Tells of failures as they come, and moves the bar by the length of what is over."""

    def __init__(self, total: float, lengths: dict[str, float | None], meter: Meter) -> None:
        self._total, self._lengths, self._meter = total, lengths, meter
        self._over = 0.0

    def __call__(self, outcome: "Outcome", result: "Result") -> None:
        """Take note of an outcome."""
        if outcome.status == "failed" and result.totals.failed <= _MOST_TOLD:
            error = outcome.error or ""
            report_error(error if outcome.address in error else f"{outcome.address}: {error}")
        if outcome.status == "failed" and result.totals.failed == _MOST_TOLD:
            notice("further failures are in the manifest")
        if outcome.status != "again":
            self._over += self._lengths.get(outcome.address) or 0.0
        self._meter(self._over, self._total or None)


def _described(left: int, done: int, set_aside: int) -> str:
    """What there is to do."""
    parts = [f"{left:,} to do"]
    parts += [f"{done:,} done already"] if done else []
    parts += [f"{set_aside:,} failed before (--retry failed tries them again)"] if set_aside else []
    return ", ".join(parts)


def _tell(result: "Result", request: "Request", *, as_json: bool) -> None:
    totals, plan = result.totals, result.plan
    if as_json:
        values: dict[str, Any] = {
            "done": totals.done,
            "failed": totals.failed,
            "done_before": plan.done,
            "failed_before": plan.set_aside,
            "audio_seconds": round(totals.audio_seconds, 3),
            "worker_seconds": round(totals.elapsed_seconds, 3),
            "manifest": request.manifest,
            "journal": request.journal,
            "summary": request.summary,
        }
        say(json_text(values))
        return
    factor = f", {totals.realtime_factor:.1f} x real time a worker" if totals.realtime_factor else ""
    say(
        f"{totals.done:,} done, {totals.failed:,} failed ({clock(totals.audio_seconds)} of audio{factor})",
        f"  manifest: {_shown(request.manifest)}",
        f"  summary: {_shown(request.summary)}",
    )


def _shown(path: Path) -> str:
    """A path relative to the current folder, where it is below it."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative


def tell_estimate(estimate: "Estimate", *, as_json: bool) -> None:
    """Print what a run would take."""
    if as_json:
        values: dict[str, Any] = {
            "files": estimate.files,
            "audio_seconds": round(estimate.audio_seconds, 1),
            "files_probed": estimate.probed,
            "processes": estimate.processes,
            "realtime_factor": estimate.realtime_factor,
            "estimated_seconds": estimate.seconds,
        }
        say(json_text(values))
        return
    how = f"{estimate.probed:,} of them opened, the others by their size"
    files = "1 recording" if estimate.files == 1 else f"{estimate.files:,} recordings"
    lines = [f"{files} to do, about {_hours(estimate.audio_seconds)} of audio ({how})"]
    if estimate.seconds is None:
        reasons = {outcome.error for outcome in estimate.tried if outcome.error}
        lines.append("The speed could not be measured" + (f": {'; '.join(map(str, reasons))}" if reasons else "."))
    else:
        workers = "1 worker" if estimate.processes == 1 else f"{estimate.processes} workers at a time"
        lines.append(
            f"about {_hours(estimate.seconds)} here with {workers}, each {estimate.realtime_factor:.1f} x real time "
            f"(measured on up to 30 s of {len(estimate.tried)} of them; transfers not included)"
        )
    say(*lines)


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:,.1f} hours" if seconds >= 360 else f"{seconds / 60:.1f} minutes"
