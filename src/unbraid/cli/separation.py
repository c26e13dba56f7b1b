"""A run of `unbraid separate`: every input is probed and its outputs are placed before any work, then each is done.

Where no model is named, each input is listened to first, and separated with the model for what it sounds like.
"""

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import cache
from pathlib import Path
from statistics import median

from unbraid.audio import AudioInfo, check_format, choose_format, nearest_rate, probe
from unbraid.cli.console import explain, notice
from unbraid.cli.files.inputs import Collected, Item, OutputLayout, placed, refuse_collisions
from unbraid.cli.files.outputs import write_stream, write_track
from unbraid.cli.files.plan import Signal, TrackPlan
from unbraid.cli.files.record import Provenance, claims
from unbraid.cli.jobs import Jobs
from unbraid.cli.pipes import Sources
from unbraid.cli.progress import Meter
from unbraid.cli.report import Report, StemsResult
from unbraid.cli.request import SeparationRequest, check_stdout, select_stems
from unbraid.cli.run import described, detail_engine, find_inputs, process
from unbraid.cli.streaming import IncomingWav, why_spooled, write_incoming
from unbraid.errors import UnbraidError, UsageError
from unbraid.files.workdir import swept
from unbraid.hub.defaults import DEFAULTS
from unbraid.tasks.separation.content import Content, content_of_file
from unbraid.tasks.separation.options import possible_names
from unbraid.tasks.separation.separator import Separator

Plans = dict[Item, TrackPlan]
Failed = dict[Item, str]
Separators = dict[Item, Separator]


def run(request: SeparationRequest, report: Report[StemsResult], *, quiet: bool = False) -> None:
    """Separate all inputs of a request, filling the report track by track.

    Raises:
        UsageError: the request cannot be met; nothing was done.
        UnbraidError: the model or the device is not there; nothing was done.
    """
    report.model, coding, jobs = request.model, request.coding, Jobs(request.jobs)
    choose_format(coding.format, subtype=coding.subtype, bitrate=coding.bitrate)  # refuses before anything is loaded
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
        for item, track in plans.items():
            report.detail(f"{item.label}: {track.about}; stems are written as {track.fmt.words}")

        def work(item: Item, title: str) -> StemsResult:
            content = heard.get(item)
            if content and content.probability and not quiet:
                notice(f"{item.label}: {content}")
            with (
                Meter(title, quiet=quiet, jobs=jobs) as meter,
                Meter(f"{title}, encoding", quiet=quiet, after=meter, jobs=jobs) as encoding,
            ):
                return _separate(item.label, plans[item], separators[item], request, (meter, encoding), content)

        process(collected, failed, work, report, sources, quiet=quiet, jobs=jobs)


def _is_in_pipes(request: SeparationRequest, collected: Collected) -> bool:
    """Whether a run goes from standard input to standard output."""
    return request.root is None and [item.path for item in collected.items] == [None] and not collected.refused


def _pass_through(
    request: SeparationRequest, separator: Separator, sources: Sources, report: Report[StemsResult], *, quiet: bool
) -> bool:
    """Separate standard input while it comes; False where all of it must be there first, which is said."""
    check_stdout(request, stems := _stems(request, separator), 1)
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

    @cache
    def separator_for(model: str) -> Separator:
        if model not in (names := report.model.split(", ")):
            report.model = ", ".join(filter(None, (*names, model)))
        separator = Separator(
            model, device=engine.device, precision=engine.precision, threads=engine.threads, options=options
        )
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
    return next((_stems(request, separator) for separator in separators.values()), ())


def _stems(request: SeparationRequest, separator: Separator) -> tuple[str, ...]:
    return select_stems(request.stems, separator.stems(), separator.spec.name)


def _separate(
    label: str,
    track: TrackPlan,
    separator: Separator,
    request: SeparationRequest,
    meters: tuple[Meter, Meter],
    content: Content | None,
) -> StemsResult:
    """Separate one input, or skip one whose outputs are complete."""
    model = separator.spec.name
    sounds_like = content.kind if content else None
    if request.resume and (known := track.as_recorded()).is_done():
        known.complete_record()
        return StemsResult(
            label, "skipped", outputs=known.outputs, report=known.page, model=model, sounds_like=sounds_like
        )
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
        model=model,
        sounds_like=sounds_like,
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


def plan(request: SeparationRequest, separators: Separators, sources: Sources) -> tuple[Plans, Failed]:
    """The plan of each input, and the errors of those that cannot be read or placed.

    Raises:
        UsageError: the request as a whole cannot be met: two stems in one place, outputs that exist already, …
    """
    stems = {item: _stems(request, separator) for item, separator in separators.items()}
    failed: Failed = {}
    if request.root is None:
        files = {item: [*map(Path, stems[item]), Path()] for item in separators}
    else:
        files, failed = placed(
            request.root, separators, lambda item: _files(item, stems[item], request, separators[item])
        )
        refuse_collisions({item: paths[:-1] for item, paths in files.items()})
        for *paths, receipt in files.values():
            _refuse_existing(paths, receipt, request)
    plans: Plans = {}
    for item, (*paths, receipt) in files.items():
        separator = separators[item]
        try:
            outputs = dict(zip(stems[item], paths, strict=False))
            track = _plan_track(request, sources.path(item), outputs, receipt, separator)
            page = paths.pop() if request.report else None
            turns = paths.pop() if separator.follows_people and request.root is not None else None
            plans[item] = replace(track, name=item.name, page=page, turns=turns)
        except UsageError:
            raise
        except Exception as error:
            failed[item] = explain(error)
    return plans, failed


def _files(item: Item, stems: Sequence[str], request: SeparationRequest, separator: Separator) -> list[Path]:
    """The files of an input: its stems, who speaks when, the page of --report, and the record."""
    layout = OutputLayout(request.root or Path(), request.template, request.coding.format, separator.spec.name)
    turns = [_beside(layout, item, "speakers", "rttm")] if separator.follows_people else []
    page = [_beside(layout, item, "report", "html")] if request.report else []
    return [*(layout.stem_path(item, stem) for stem in stems), *turns, *page, layout.receipt_path(item)]


def _beside(layout: OutputLayout, item: Item, name: str, ext: str) -> Path:
    """The path of a file beside the stems: that of a stem of this name, but with another ending."""
    template = layout.template.rpartition(".")[0] + ".{ext}"
    return replace(layout, template=template, ext=ext).stem_path(item, name)


def _plan_track(
    request: SeparationRequest, source: Path, outputs: dict[str, Path], receipt: Path, separator: Separator
) -> TrackPlan:
    excerpt, coding, spec = request.excerpt, request.coding, separator.spec
    info = probe(source, excerpt)
    rate, channels = separator.output_rate(info.sample_rate), separator.output_channels(info.channels)
    fmt = choose_format(coding.format, info, subtype=coding.subtype, bitrate=coding.bitrate)
    written_rate = nearest_rate(fmt.name, rate) if coding.resample and request.root is not None else rate
    check_format(fmt, written_rate, channels)
    about, making = os.stat(source), replace(request, options=separator.options).making_options()
    frames = _frames(info, request)
    silence = max(0.0, info.start_seconds - excerpt.start)
    return TrackPlan(
        source=source,
        excerpt=excerpt,
        signal=Signal(rate, channels, written_rate, frames and frames * rate // info.sample_rate, silence),
        outputs=outputs,
        fmt=fmt,
        receipt=receipt,
        making=Provenance(about.st_size, about.st_mtime_ns, spec.name, spec.files, making),
        replace=request.overwrite,
        replace_ours=request.resume,
        root=request.root,
        tags=info.tags,
        about=described(info),
        voices=possible_names(separator.options) if separator.follows_people else (),
    )


def _frames(info: AudioInfo, request: SeparationRequest) -> int | None:
    """The frames of the excerpt, as far as the input's header tells."""
    if info.frames is None:
        return None
    left = max(0, info.frames - round(request.excerpt.start * info.sample_rate))
    wanted = request.excerpt.duration
    return left if wanted is None else min(left, round(wanted * info.sample_rate))


def _refuse_existing(outputs: Sequence[Path], receipt: Path, request: SeparationRequest) -> None:
    if request.overwrite:
        return
    there = [path for path in outputs if os.path.lexists(path)]
    if request.resume:
        ours = claims(receipt)
        there = [path for path in there if Path(os.path.abspath(path)) not in ours]
        if there:
            raise UsageError(
                f"{there[0]} exists, and no record says that unbraid made it; use --overwrite to replace it."
            )
    elif there:
        raise UsageError(
            f"{there[0]} exists already; use --overwrite to replace it, or --resume to go on where a run stopped."
        )
