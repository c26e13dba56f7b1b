"""From a request to tracks: every input is probed and given its place before any work starts."""

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from unbraid.audio import AudioInfo, check_format, choose_format, nearest_rate, probe
from unbraid.cli.console import explain
from unbraid.cli.files.inputs import Item, Layout, placed, refuse_collisions
from unbraid.cli.files.outputs import Signal, Track
from unbraid.cli.files.record import Provenance, claims
from unbraid.cli.pipes import Place, naming
from unbraid.cli.request import Request
from unbraid.errors import AudioError, UsageError
from unbraid.tasks.separation.separator import Separator


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
    if request.root is None:
        files, failed = {item: [*map(Path, stems), Path()] for item in items}, dict[Item, str]()
    else:
        files, failed = placed(request.root, items, lambda item: _files(layout, item, stems, request))
        refuse_collisions({item: paths[:-1] for item, paths in files.items()})
        for *paths, receipt in files.values():
            _refuse_existing(paths, receipt, request)
    jobs = []
    for item in items:
        source: Path | None = None
        try:
            if item in failed:
                raise AudioError(failed[item])
            source, (*paths, receipt) = place(item), files[item]
            track = _track(request, source, dict(zip(stems, paths, strict=False)), receipt, separator)
            jobs.append(
                Job(item, dataclasses.replace(track, name=item.name, report=paths[-1] if request.report else None))
            )
        except UsageError:
            raise
        except Exception as error:
            jobs.append(Job(item, error=naming(item, explain(error), source)))
    return jobs


def _files(layout: Layout, item: Item, stems: Sequence[str], request: Request) -> list[Path]:
    """The files of an input: its stems, the page about them, and their record."""
    page = [_page(layout, item)] if request.report else []
    return [*(layout.stem_path(item, stem) for stem in stems), *page, layout.receipt_path(item)]


def _page(layout: Layout, item: Item) -> Path:
    """Where the page about an input's stems goes: as a stem's file would, but it is called report and ends in .html."""
    template = layout.template.rpartition(".")[0] + ".{ext}"
    return dataclasses.replace(layout, template=template, ext="html").stem_path(item, "report")


def _track(request: Request, source: Path, outputs: dict[str, Path], receipt: Path, separator: Separator) -> Track:
    info = probe(source, request.cut.track, request.cut.reading)
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
        signal=Signal(
            rate,
            channels,
            written_rate,
            frames and frames * rate // info.sample_rate,
            _silence(info, request.cut.start),
        ),
        outputs=outputs,
        fmt=fmt,
        receipt=receipt,
        making=Provenance(about.st_size, about.st_mtime_ns, spec.name, spec.files, request.making_options()),
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


def _silence(info: AudioInfo, start: float) -> float:
    """Seconds of silence at the start of a cut, for a track that starts later than its file."""
    return max(0.0, info.start_seconds - start)


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
