"""`unbraid separate`: from the options to a request, and from what became of it to words and an exit code."""

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from unbraid.cli import options as opt
from unbraid.cli.console import carried_out, notice, say, tell_run

if TYPE_CHECKING:
    from unbraid.cli.report import Report, Result
    from unbraid.cli.request import Request


def separate(
    inputs: opt.Inputs,
    model: opt.Model = None,
    output: opt.Output = ".",
    stems: opt.Stems = None,
    remove: opt.Remove = None,
    report: opt.Report = False,
    format: opt.Format = "wav",
    subtype: opt.Subtype = None,
    bitrate: opt.Bitrate = None,
    template: opt.Template = "{track}/{stem}.{ext}",
    resample: opt.Resample = False,
    overwrite: opt.Overwrite = False,
    resume: opt.Resume = False,
    recursive: opt.Recursive = False,
    start: opt.Start = 0.0,
    duration: opt.Duration = None,
    track: opt.AudioTrack = "0",
    input_format: opt.InputFormat = None,
    strict: opt.Strict = False,
    skip_damage: opt.SkipDamage = False,
    speakers: opt.Speakers = None,
    wiener: opt.Wiener = False,
    wiener_iterations: opt.WienerIterations = None,
    mask_exponent: opt.MaskExponent = None,
    residual: opt.Residual = False,
    high_band: opt.HighBand = "share",
    raw: opt.Raw = False,
    force: opt.Force = False,
    precision: opt.Precision = "float32",
    device: opt.Device = "auto",
    threads: opt.Threads = None,
    as_json: opt.AsJson = False,
    quiet: opt.Quiet = False,
) -> None:
    """Pull recordings apart: the voices of people who talk at once, or the stems of a song.

    Each input becomes a folder with a file per stem: interview.m4a gives interview/voice1.wav and interview/voice2.wav.
    """

    def request() -> "Request":
        from unbraid.cli.request import Coding, Engine, Request, check_json_alone, choose_model, cut_of, split_stems
        from unbraid.tasks.separation.options import Options

        check_json_alone(as_json=as_json, output=output)
        wanted, removed = split_stems(stems), split_stems(remove, "--remove", "to remove none") or ()
        return Request(
            inputs=tuple(inputs),
            model=choose_model(model, speakers),
            root=None if output == "-" else Path(output),
            template=template,
            stems=wanted,
            coding=Coding(format.removeprefix(".").lower(), subtype, bitrate, resample),
            cut=cut_of((start, duration), track, input_format, strict=strict, skip_damage=skip_damage),
            engine=Engine(device, precision, threads),
            options=Options(
                wiener=int(wiener) if wiener_iterations is None else wiener_iterations,
                raw=raw,
                residual=residual or "residual" in (*(wanted or ()), *removed),
                high_band=high_band,
                mask_exponent=mask_exponent,
                remove=removed,
                force=force,
            ),
            recursive=recursive,
            resume=resume,
            overwrite=overwrite,
            report=report,
        )

    carry_out(request, as_json=as_json, quiet=quiet, tell=notice if output == "-" else say)


def carry_out(
    request: Callable[[], "Request"], *, as_json: bool, quiet: bool, tell: Callable[[str], None] = say
) -> NoReturn:
    """Make the request and do what it asks for, tell what became of it, and end the program with its exit code."""
    tell_run(lambda: _report(request, quiet=quiet or as_json), summary, as_json=as_json, quiet=quiet, tell=tell)


def _report(request: Callable[[], "Request"], *, quiet: bool) -> tuple["Report", int]:
    """What became of the request, whatever happens, and the exit code."""
    from unbraid.cli.report import Report

    report = Report()

    def work() -> None:
        asked = request()
        report.model = asked.model
        from unbraid.cli.runner import run

        run(asked, report, quiet=quiet)

    return report, carried_out(work, report, "track")


def summary(report: "Report") -> list[str]:
    """What to tell people at the end: where the files are, how fast it went, and on what."""
    lines = [line for result in report.results if result.status in ("done", "skipped") for line in _lines(result)]
    if any(result.status == "done" for result in report.results):
        lines.append(f"{report.model} on {report.device} ({report.device_reason})")
    if report.failed and len(report.results) > 1:
        failed = sum(result.status == "failed" for result in report.results)
        lines.append(f"{failed} of {len(report.results)} inputs failed")
    return lines


def _lines(result: "Result") -> list[str]:
    where = " ".join(shlex.quote(str(path)) for path in result.outputs.values()) or "standard output"
    page = [f"  report: {shlex.quote(str(result.report))}"] if result.report else []
    if result.status == "skipped":
        return [f"{result.input} was done already: {where}", *page]
    assert result.seconds is not None and result.elapsed is not None
    speed = result.seconds / max(result.elapsed, 1e-9)
    lines = [f"{result.input} -> {where} ({result.seconds:.1f} s in {result.elapsed:.1f} s, {speed:.1f} x real time)"]
    if result.gain_db:
        amount = f"{-result.gain_db:.1f} dB" if result.gain_db < -0.05 else "less than 0.1 dB"
        lines.append(f"  stems turned down by {amount} so that none clips")
    if result.agreement_db is not None:
        lines.append(f"  neighbouring windows agree to {result.agreement_db:.0f} dB (median) where they overlap")
    return [*lines, *page]
