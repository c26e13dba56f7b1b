"""The plan of each input of `unbraid separate`: probed and placed before any work."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from unbraid.audio import AudioInfo, check_format, nearest_rate, probe
from unbraid.audio.formats import STEM_FILE
from unbraid.cli.console import explain
from unbraid.cli.files.conflict import refuse_existing
from unbraid.cli.files.inputs import Item, OutputLayout, placed, refuse_collisions
from unbraid.cli.files.plan import Signal, TrackPlan
from unbraid.cli.files.stem_file import stems_of_file
from unbraid.cli.pipes import Sources
from unbraid.cli.request import SeparationRequest, select_stems
from unbraid.cli.run import described
from unbraid.errors import UsageError
from unbraid.files.record import Provenance
from unbraid.hub.catalogue import licence_line
from unbraid.tasks.separation.options import possible_names
from unbraid.tasks.separation.separator import Separator

Plans = dict[Item, TrackPlan]
Failed = dict[Item, str]


def plan(request: SeparationRequest, separators: Mapping[Item, Separator], sources: Sources) -> tuple[Plans, Failed]:
    """The plan of each input, and the errors of those that cannot be read or placed.

    Raises:
        UsageError: the request as a whole cannot be met: two stems in one place, outputs that exist already, …
    """
    stems = {item: stems_of(request, separator) for item, separator in separators.items()}
    failed: Failed = {}
    if request.root is None:
        files = {item: [*map(Path, stems[item]), Path()] for item in separators}
    else:
        files, failed = placed(
            request.root, separators, lambda item: _files(item, stems[item], request, separators[item])
        )
        refuse_collisions({item: paths[:-1] for item, paths in files.items()})
        for *paths, receipt in files.values():
            refuse_existing(paths, receipt, overwrite=request.overwrite, resume=request.resume)
    plans: Plans = {}
    for item, (*paths, receipt) in files.items():
        separator = separators[item]
        try:
            together = stems[item] if request.coding.format == STEM_FILE else ()
            outputs = dict(zip(("stems",) if together else stems[item], paths, strict=False))
            track = _plan_track(request, sources.path(item), outputs, receipt, separator)
            page = paths.pop() if request.report else None
            turns = paths.pop() if separator.follows_people and request.root is not None else None
            plans[item] = replace(track, name=item.name, page=page, turns=turns, together=together)
        except UsageError:
            raise
        except Exception as error:
            failed[item] = explain(error)
    return plans, failed


def stems_of(request: SeparationRequest, separator: Separator) -> tuple[str, ...]:
    """The stems that a request asks of a model.

    Raises:
        UsageError: the model lacks one, or has not the four of a stem file.
    """
    if request.coding.format == STEM_FILE:
        return stems_of_file(separator)
    return select_stems(request.stems, separator.stems(), separator.spec.name)


def _files(item: Item, stems: Sequence[str], request: SeparationRequest, separator: Separator) -> list[Path]:
    """The files of an input: its stems, who speaks when, the page of --report, and the record."""
    layout = OutputLayout(request.root or Path(), request.template, request.coding.format, separator.spec.name)
    names = [Path(item.name).stem] if request.coding.format == STEM_FILE else stems
    turns = [_beside(layout, item, "speakers", "rttm")] if separator.follows_people else []
    page = [_beside(layout, item, "report", "html")] if request.report else []
    return [*(layout.stem_path(item, stem) for stem in names), *turns, *page, layout.receipt_path(item)]


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
    fmt = coding.chosen(info)
    written_rate = nearest_rate(fmt.name, rate) if coding.resample and request.root is not None else rate
    check_format(fmt, written_rate, channels)
    about, making = os.stat(source), replace(request, options=separator.options).making_options()
    frames = _frames(info, about.st_size, request)
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
        replace_equal=request.resume,
        root=request.root,
        tags=info.tags,
        about=described(info),
        licence=licence_line(spec.name, spec.licence),
        voices=possible_names(separator.options) if separator.follows_people else (),
    )


def _frames(info: AudioInfo, size: int, request: SeparationRequest) -> int | None:
    """The frames of the excerpt, as far as the header of an input of SIZE bytes tells; no more than can be in it."""
    if info.frames is None:
        return None
    frames = info.frames
    if info.bits and info.codec.startswith("pcm"):  # headers of cut files state what there was
        frames = min(frames, 8 * size // (info.bits * info.channels))
    left = max(0, frames - round(request.excerpt.start * info.sample_rate))
    wanted = request.excerpt.duration
    return left if wanted is None else min(left, round(wanted * info.sample_rate))
