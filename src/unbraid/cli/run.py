"""A run over input files, shared by all commands that read audio: one input after another, each with its outcome.

An input that fails is reported at once and does not stop the others.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from unbraid.audio import AudioInfo
from unbraid.cli.console import explain, notice, report_error, warn
from unbraid.cli.files.inputs import Collected, Item, collect
from unbraid.cli.jobs import Jobs
from unbraid.cli.pipes import Sources
from unbraid.cli.progress import Meter, clock
from unbraid.cli.report import AnyResult, Report
from unbraid.cli.request import Request
from unbraid.errors import AudioError, Cancelled, UsageError
from unbraid.files.atomic import appearing
from unbraid.files.workdir import disk_errors
from unbraid.hub.names import resolve

WAIT_SECONDS = 0.5  # between two looks at the inputs that other runs are working on
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


def detail_engine(report: Report[AnyResult], request: Request) -> None:
    """Print, with --verbose, where the model is and how it runs."""
    if report.verbose:
        engine, folder = request.engine, resolve(request.model)
        threads = "1 thread" if engine.threads == 1 else f"{engine.threads or 'all'} threads"
        report.detail(f"model: {folder}", f"runs in {engine.precision} on {report.device}, {threads}")


def described(info: AudioInfo) -> str:
    """The format of an input, for people."""
    bits = [f"{info.bits} bit"] if info.bits else []
    length = [] if info.duration is None else [clock(info.duration)]
    channels = "1 channel" if info.channels == 1 else f"{info.channels} channels"
    return ", ".join([f"{info.container} ({info.codec})", *bits, f"{channels} at {info.sample_rate} Hz", *length])


def process(
    collected: Collected,
    failed: Mapping[Item, str],
    work: Callable[[Item, str], AnyResult | None],
    report: Report[AnyResult],
    sources: Sources,
    *,
    quiet: bool,
    jobs: Jobs,
) -> None:
    """Call `work(item, title)` for each input and add its result to the report; an exception is a failed result.

    Inputs in FAILED failed before, with these messages. Several jobs share one bar, which counts inputs. An input for
    which `work` returns None is another run's, and is looked at again until it is done, or free.
    """
    count = len(collected.items)
    for folder, reason in collected.refused.items():
        _add(report, report.kind(str(folder), "failed", error=reason), quiet=quiet)

    def outcome(numbered: tuple[int, Item]) -> AnyResult | None:
        number, item = numbered
        error = failed.get(item)
        if error is None:
            try:
                return work(item, f"[{number}/{count}] {item.name}" if count > 1 else item.name)
            except (KeyboardInterrupt, Cancelled, BrokenPipeError):
                raise
            except Exception as raised:
                error = explain(raised)
        return report.kind(item.label, "failed", error=sources.naming(item, error))

    left, told, numbers = list(enumerate(collected.items, 1)), list[tuple[int, Item]](), list[int]()
    others = len(report.results)
    with Meter(f"{count} inputs", quiet=quiet or jobs.count == 1) as meter:
        while left:
            elsewhere = []
            for numbered, result in zip(left, jobs.map(outcome, left), strict=True):
                if result is None:
                    elsewhere.append(numbered)
                    continue
                _add(report, result, quiet=quiet)
                numbers.append(numbered[0])
                meter(len(numbers), count)
            if elsewhere and elsewhere == left:  # nothing to do but wait
                if told != left and not quiet:
                    notice(f"another run is working on {_names([item for _, item in left])}; waiting for it")
                told = left
                time.sleep(WAIT_SECONDS)
            left = elsewhere
    report.results[others:] = [report.results[others + at] for at in sorted(range(count), key=numbers.__getitem__)]


def once(
    item: Item,
    claim: AbstractContextManager[bool],
    known: Callable[[bool], AnyResult | None],
    work: Callable[[], AnyResult],
    elsewhere: set[Item] | None,
) -> AnyResult | None:
    """The outcome of an input that a resumed run works on: its known one, or that of the work.

    None while another run works on it; it is then in ELSEWHERE, and `known` is told so later. Where ELSEWHERE is None,
    nothing is resumed, and the work is done whatever is known.
    """
    with claim as ours:
        if elsewhere is None:
            return work()
        if not ours:
            elsewhere.add(item)
            return None
        return known(item in elsewhere) or work()


def _add(report: Report[AnyResult], result: AnyResult, *, quiet: bool) -> None:
    report.results.append(result)
    if result.error:
        report_error(result.error)
    if not quiet:
        warn(result.input, result.notices)
        notice(*result.remarks())


def _names(items: list[Item]) -> str:
    more = f" and {len(items) - 3} more" if len(items) > 3 else ""
    return ", ".join(item.name for item in items[:3]) + more


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
