"""A run over input files, shared by all commands that read audio: one input after another, each with its outcome.

An input that fails is reported at once and does not stop the others.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from unbraid.cli.console import explain, notice, report_error, warn
from unbraid.cli.files.inputs import Collected, Item, collect
from unbraid.cli.pipes import Sources
from unbraid.cli.report import AnyResult, Report
from unbraid.cli.request import Request
from unbraid.errors import AudioError, Cancelled, UsageError
from unbraid.files.atomic import appearing
from unbraid.files.workdir import disk_errors

MOST_LISTED = 10  # skipped entries of folders that are listed one by one


def find_inputs(request: Request, *, quiet: bool) -> Collected:
    """The inputs that a request names; skipped entries of folders are listed.

    Raises:
        UsageError: there is no input.
    """
    collected = collect(request.inputs, recursive=request.recursive)
    if not quiet:
        notice(*skipped_entries(collected))
    return collected


def process(
    collected: Collected,
    failed: Mapping[Item, str],
    work: Callable[[Item, str], AnyResult],
    report: Report[AnyResult],
    sources: Sources,
    *,
    quiet: bool,
) -> None:
    """Call `work(item, title)` for each input and add its result to the report; an exception is a failed result.

    Inputs in FAILED failed before, with these messages.
    """
    several = len(collected.items) > 1
    for folder, reason in collected.refused.items():
        _add(report, report.kind(str(folder), "failed", error=reason), quiet=quiet)
    for number, item in enumerate(collected.items, 1):
        title = f"[{number}/{len(collected.items)}] {item.name}" if several else item.name
        error = failed.get(item)
        if error is None:
            try:
                result = work(item, title)
            except (KeyboardInterrupt, Cancelled, BrokenPipeError):
                raise
            except Exception as raised:
                error = explain(raised)
        if error is not None:
            result = report.kind(item.label, "failed", error=sources.naming(item, error))
        _add(report, result, quiet=quiet)


def _add(report: Report[AnyResult], result: AnyResult, *, quiet: bool) -> None:
    report.results.append(result)
    if result.error:
        report_error(result.error)
    if not quiet:
        warn(result.input, result.notices)
        notice(*result.remarks())


@contextmanager
def written(path: Path, *, replace: bool) -> Iterator[Path]:
    """A hidden path to write an output file to, which takes its place when it is complete.

    Raises:
        AudioError: a file is there and is not to be replaced, or the disk refuses.
    """
    with disk_errors(path.parent), appearing(path, replace=replace) as hidden:
        try:
            yield hidden
        except AudioError as error:
            raise AudioError(str(error).replace(str(hidden), str(path))) from error


def refuse_existing(path: Path, *, overwrite: bool) -> None:
    """Refuse an output that exists, before any work; a folder also where files may be overwritten.

    Raises:
        UsageError: it exists.
    """
    if os.path.lexists(path) and (not overwrite or path.is_dir()):
        raise UsageError(f"{path} exists already; choose another place with -o, or use --overwrite.")


def skipped_entries(collected: Collected) -> list[str]:
    """Lines about the entries of folders that were skipped."""
    lines = [f"skipped {path}: it {told}" for path, told in collected.passed_over.items()]
    if len(lines) > MOST_LISTED:
        lines[MOST_LISTED:] = [f"skipped {len(lines) - MOST_LISTED} more"]
    return [*lines, *([_not_audio(collected.skipped)] if collected.skipped else [])]


def _not_audio(paths: list[Path]) -> str:
    shown = ", ".join(path.name for path in paths[:3])
    more = ", …" if len(paths) > 3 else ""
    files = "1 file that is" if len(paths) == 1 else f"{len(paths)} files that are"
    return f"skipped {files} not audio by extension: {shown}{more}"
