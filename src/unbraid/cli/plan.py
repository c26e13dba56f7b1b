"""From a request to tracks: every input is probed and given its place before any work starts."""

import dataclasses
import itertools
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from unbraid.audio import AudioInfo, check_format, choose_format, nearest_rate, probe
from unbraid.cli.console import explain
from unbraid.cli.pipes import Place, naming
from unbraid.cli.request import Request
from unbraid.errors import UsageError
from unbraid.jobs import Item, Layout, refuse_collisions, refuse_links
from unbraid.receipt import Making, claims
from unbraid.separator import Separator
from unbraid.tracks import Signal, Track


@dataclass(frozen=True)
class Job:
    """An input and what is to be done with it, or why nothing can be."""

    item: Item
    track: Track | None = None
    error: str | None = None


def make_jobs(
    request: Request, items: Sequence[Item], separator: Separator, stems: Sequence[str], place: Place
) -> list[Job]:
    """One job per input, in order. `place` says where an input is to be read.

    Raises:
        UsageError: the request as a whole cannot be met: two stems in one place, outputs that exist already, …
    """
    layout = Layout(request.root or Path(), request.template, request.coding.format, separator.spec.name)
    places = {item: {stem: layout.stem_path(item, stem) for stem in stems} for item in items}
    pages = {item: _page(layout, item) for item in items if request.report}
    if request.root is not None:
        files = {
            item: [*outputs.values(), *([pages[item]] if item in pages else [])] for item, outputs in places.items()
        }
        refuse_collisions(files)
        refuse_links(request.root, itertools.chain(*files.values()))
        for item, paths in files.items():
            _refuse_existing(paths, layout.receipt_path(item), request)
    jobs = []
    for item, outputs in places.items():
        source = None
        try:
            source = place(item)
            track = _track(request, source, outputs, layout.receipt_path(item), separator)
            jobs.append(Job(item, dataclasses.replace(track, name=item.name, report=pages.get(item))))
        except UsageError:
            raise
        except Exception as error:
            jobs.append(Job(item, error=naming(item, explain(error), source)))
    return jobs


def _page(layout: Layout, item: Item) -> Path:
    """Where the page about an input's stems goes: as a stem's file would, but it is called report and ends in .html."""
    template = layout.template.rpartition(".")[0] + ".{ext}"
    return dataclasses.replace(layout, template=template, ext="html").stem_path(item, "report")


def _track(request: Request, source: Path, outputs: dict[str, Path], receipt: Path, separator: Separator) -> Track:
    info = probe(source, request.cut.track)
    coding = request.coding
    rate, channels = separator.output_rate(info.sample_rate), separator.output_channels(info.channels)
    fmt = choose_format(coding.format, info, subtype=coding.subtype, bitrate=coding.bitrate)
    written_rate = nearest_rate(fmt.name, rate) if coding.resample and request.root is not None else rate
    check_format(fmt, written_rate, channels)
    about = os.stat(source)
    spec = separator.spec
    frames = _frames(info, request)
    return Track(
        source=source,
        cut=request.cut,
        signal=Signal(rate, channels, written_rate, frames and frames * rate // info.sample_rate),
        outputs=outputs,
        fmt=fmt,
        receipt=receipt,
        making=Making(about.st_size, about.st_mtime_ns, spec.name, spec.files, request.making_options()),
        replace=request.overwrite,
        replace_ours=request.resume,
        root=request.root,
        tags=info.tags,
    )


def _frames(info: AudioInfo, request: Request) -> int | None:
    """How many there are in the cut."""
    if info.frames is None:
        return None
    left = max(0, info.frames - round(request.cut.start * info.sample_rate))
    wanted = request.cut.duration
    return left if wanted is None else min(left, round(wanted * info.sample_rate))


def _refuse_existing(outputs: Sequence[Path], receipt: Path, request: Request) -> None:
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
