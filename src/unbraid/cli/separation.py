"""A run of `unbraid separate`: every input is probed and its outputs are placed before any work, then each is done.

Where no model is named, each input is listened to first, and separated with the model for what it sounds like.
"""

import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, closing, nullcontext
from dataclasses import replace
from functools import cache
from pathlib import Path
from statistics import median

from unbraid.cli.console import notice
from unbraid.cli.files.inputs import Collected, Item, OutputLayout
from unbraid.cli.files.outputs import claim, write_stream, write_track
from unbraid.cli.files.plan import TrackPlan
from unbraid.cli.files.sizes import check_space
from unbraid.cli.files.stem_file import check_stem_file
from unbraid.cli.jobs import Jobs
from unbraid.cli.pipes import Sources
from unbraid.cli.planning import plan, stems_of
from unbraid.cli.progress import Meter
from unbraid.cli.report import Report, StemsResult
from unbraid.cli.request import SeparationRequest, check_stdout
from unbraid.cli.run import detail_engine, find_inputs, once, process
from unbraid.cli.streaming import IncomingWav, why_spooled, write_incoming
from unbraid.errors import UnbraidError
from unbraid.files.workdir import swept
from unbraid.hub.defaults import DEFAULTS
from unbraid.tasks.separation.content import Content, content_of_file
from unbraid.tasks.separation.ensemble import open_separator
from unbraid.tasks.separation.options import Options
from unbraid.tasks.separation.separator import Separator

Separators = dict[Item, Separator]


def run(request: SeparationRequest, report: Report[StemsResult], *, quiet: bool = False) -> None:
    """Separate all inputs of a request, filling the report track by track.

    Raises:
        UsageError: the request cannot be met; nothing was done.
        UnbraidError: the model or the device is not there; nothing was done.
    """
    report.model, coding, jobs = request.model, request.coding, Jobs(request.jobs)
    coding.chosen()  # refuses before anything is loaded
    check_stem_file(request)
    OutputLayout(request.root or Path(), request.template, coding.format, request.model)
    collected = find_inputs(request, quiet=quiet)
    roots = () if request.root is None else (request.root,)
    with swept(*roots), ExitStack() as opened, Sources(quiet=quiet) as sources:
        separator_for = _opening(request, report, opened)
        if request.model:
            separator = separator_for(request.model)  # a wrong name is told before pipes are read
            if _is_in_pipes(request, collected) and _pass_through(request, separator, sources, report, quiet=quiet):
                return
        elif _is_in_pipes(request, collected) and not quiet:
            notice("standard input is read to its end first: it is heard before a model is chosen; -m names one.")
        heard = {} if request.model else _heard(request, collected.items, sources, quiet=quiet)
        separators = {item: separator_for(_model(request, heard.get(item))) for item in collected.items}
        if request.root is None:
            check_stdout(request, _stems_of_all(request, separators), len(collected.items) + len(collected.refused))
        plans, failed = plan(request, separators, sources)
        if request.root is not None:
            left = [track for track in plans.values() if not (request.resume and track.seems_done())]
            told = check_space(left, request.root, request.jobs, all_stems=request.stems is None)
            if told and not quiet:
                notice(told)
        for item, track in plans.items():
            report.detail(f"{item.label}: {track.about}; stems are written as {track.fmt.words}")

        elsewhere: set[Item] = set()  # that another run was seen to work on

        def work(item: Item, title: str) -> StemsResult | None:
            track, content = plans[item], heard.get(item)

            def known(by_another_run: bool) -> StemsResult | None:
                there = _there(item.label, track, by_another_run=by_another_run)
                return there and replace(there, sounds_like=content.kind if content else None)

            def separated() -> StemsResult:
                if content and content.probability and not quiet:
                    notice(f"{item.label}: {content}")
                with (
                    Meter(title, quiet=quiet, jobs=jobs) as meter,
                    Meter(f"{title}, encoding", quiet=quiet, after=meter, jobs=jobs) as encoding,
                ):
                    return _separate(item.label, track, separators[item], request, (meter, encoding), content)

            ours = nullcontext(True) if request.root is None else claim(track)
            return once(item, ours, known, separated, elsewhere if request.resume else None)

        process(collected, failed, work, report, sources, quiet=quiet, jobs=jobs)


def _is_in_pipes(request: SeparationRequest, collected: Collected) -> bool:
    """Whether a run goes from standard input to standard output."""
    return request.root is None and [item.path for item in collected.items] == [None] and not collected.refused


def _pass_through(
    request: SeparationRequest, separator: Separator, sources: Sources, report: Report[StemsResult], *, quiet: bool
) -> bool:
    """Separate standard input while it comes; False where all of it must be there first, which is said."""
    check_stdout(request, stems := stems_of(request, separator), 1)
    wav = None
    if (reason := why_spooled(request, separator)) is None:
        wav = IncomingWav.of(sources.stdin)
        reason = "it is no WAV of 16, 32 or float bits" if wav is None else None
    if wav is None:
        if not quiet:
            notice(f"standard input is read to its end first: {reason}.")
        return False

    def work(item: Item, title: str) -> StemsResult:
        with Meter(title, quiet=quiet) as meter:
            return write_incoming(separator, stems[0], item.label, wav, sys.stdout.buffer, meter)

    process(Collected([Item(None)], [], {}, {}), {}, work, report, sources, quiet=quiet, jobs=Jobs())
    return True


def _opening(request: SeparationRequest, report: Report[StemsResult], opened: ExitStack) -> Callable[[str], Separator]:
    """A function that opens a model of this run, once, and names it in the report."""
    engine, options = request.engine, request.options

    def opened_one(model: str | Path, options: Options) -> Separator:
        return Separator(
            model, device=engine.device, precision=engine.precision, threads=engine.threads, options=options
        )

    @cache
    def separator_for(model: str) -> Separator:
        if model not in (names := report.model.split(", ")):
            report.model = ", ".join(filter(None, (*names, model)))
        separator = open_separator(model, opened_one, options)
        opened.enter_context(closing(separator))
        report.device, report.device_reason = separator.device, separator.device_reason
        detail_engine(report, replace(request, model=model))
        return separator

    return separator_for


def _heard(request: SeparationRequest, items: Iterable[Item], sources: Sources, *, quiet: bool) -> dict[Item, Content]:
    """What each input sounds like; one that cannot be opened fails later, with the reason."""
    heard: dict[Item, Content] = {}
    for item in items:
        try:
            path = sources.path(item)
        except UnbraidError:
            continue
        with Meter(f"listening to {item.name}", quiet=quiet):
            heard[item] = content_of_file(path, request.excerpt)
    return heard


def _model(request: SeparationRequest, content: Content | None) -> str:
    """The model for an input."""
    return request.model or (content.model if content else DEFAULTS["separation"])


def _stems_of_all(request: SeparationRequest, separators: Separators) -> tuple[str, ...]:
    """The stems that a request asks of its first input, the only one where stems go to standard output."""
    return next((stems_of(request, separator) for separator in separators.values()), ())


def _there(label: str, track: TrackPlan, *, by_another_run: bool) -> StemsResult | None:
    """The outcome of an input whose outputs are complete, or would replace others; None where there is work to do."""
    model = track.making.model
    if (known := track.as_recorded()).is_done():
        known.complete_record()
        return StemsResult(
            label, "skipped", outputs=known.outputs, report=known.page, model=model, by_another_run=by_another_run
        )
    if told := track.conflict():
        return StemsResult(label, "kept", error=f"{label}: {told}", model=model)
    return None


def _separate(
    label: str,
    track: TrackPlan,
    separator: Separator,
    request: SeparationRequest,
    meters: tuple[Meter, Meter],
    content: Content | None,
) -> StemsResult:
    """Separate one input."""
    if request.root is None:
        result = write_stream(separator, track, sys.stdout.buffer, meters[0])
    else:
        result = write_track(separator, track, *meters)
    agreement_db = result.diagnostics.agreement_db
    return StemsResult(
        label,
        "done",
        notices=(*result.diagnostics.notices, *_left_behind(track, result.outputs)),
        seconds=result.seconds,
        elapsed_seconds=result.elapsed_seconds,
        start_seconds=track.signal.start_seconds,
        model=separator.spec.name,
        sounds_like=content.kind if content else None,
        outputs=result.outputs,
        gain_db=result.gain_db,
        window_agreement_db=median(agreement_db) if agreement_db else None,
        report=track.page,
        conversation=result.diagnostics.conversation if track.voices else None,
        turns=track.turns,
    )


def _left_behind(track: TrackPlan, written: Mapping[str, Path]) -> list[str]:
    """Warnings about tracks of an earlier run that has found more people."""
    left = [path for stem, path in track.outputs.items() if written and stem not in written and path.exists()]
    return [f"{path} is left from an earlier run that found more people; delete it." for path in left]
