"""A run of `unbraid analyse`: one folder for each song, which appears when all of it is there."""

import contextlib
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from unbraid.audio import AudioInfo, OutputFormat, Writer, open_writer, probe
from unbraid.cli.analysis_results import AnalysisResult, Found
from unbraid.cli.files.inputs import Collected, Item, OutputLayout, placed, refuse_collisions
from unbraid.cli.jobs import Jobs
from unbraid.cli.pipes import Sources
from unbraid.cli.progress import Meter
from unbraid.cli.report import Report
from unbraid.cli.request import Request
from unbraid.cli.run import described, detail_engine, find_inputs, process, written
from unbraid.dsp.arrays import FloatArray
from unbraid.errors import UsageError
from unbraid.files.printable import printable_page
from unbraid.files.workdir import disk_errors, swept
from unbraid.hub.defaults import DEFAULTS
from unbraid.tasks.analysis.notes_transcriber import NoteTranscriber
from unbraid.tasks.analysis.singer_search import SingerSearch
from unbraid.tasks.analysis.singers_api import enrolled_singers
from unbraid.tasks.analysis.song import Song
from unbraid.tasks.analysis.song_api import SongListening, open_lyrics, open_transcriber, song_of_file
from unbraid.tasks.analysis.song_formats import song_files, song_json
from unbraid.tasks.conversation.embedder import SpeakerEmbedder
from unbraid.tasks.pages import Gathering, RunFacts, report_page
from unbraid.tasks.pages.gather import Gathered
from unbraid.tasks.pages.song_plot import Form, check_plots, song_plot
from unbraid.tasks.separation.separator import Separator

TEMPLATE = "{track}/{stem}.{ext}"
PAGE, FACTS = "index.html", "song.json"
_FLOAT = OutputFormat("wav", "32f")


@dataclass(frozen=True)
class AnalysisRequest(Request):
    """The options of `unbraid analyse`, whose `model` separates the stems."""

    output: str | None = None  # the folder; of several inputs, of their folders; None: named as the inputs are
    stems: bool = True  # are kept
    enrol: tuple[tuple[str, str], ...] = ()  # names, and files or folders of their voices
    embedder: str = DEFAULTS["speaker embedding"]
    lyrics: str | None = None  # the text, which is aligned
    lyrics_model: str | None = None  # that aligns or, without a text, transcribes
    plots: Form | None = None  # of a picture
    force: bool = False  # also in speech


def run(request: AnalysisRequest, report: Report[AnalysisResult], *, quiet: bool = False) -> None:
    """Analyse all inputs of a request, filling the report song by song.

    Raises:
        UsageError: the request cannot be met; nothing was done.
        UnbraidError: the model or the device is not there; nothing was done.
    """
    if request.plots is not None:
        check_plots()
    collected = find_inputs(request, quiet=quiet)
    if request.lyrics is not None and len(collected.items) + len(collected.refused) != 1:
        raise UsageError("--lyrics is the text of one song, not of several; name one file.")
    places, failed = song_places(request, collected)
    engine = request.engine
    with ExitStack() as opened, Sources(quiet=quiet) as sources:
        separator = opened.enter_context(
            Separator(request.model, device=engine.device, precision=engine.precision, threads=engine.threads)
        )
        transcriber = open_transcriber(device=engine.device, threads=engine.threads)
        if transcriber is not None:
            opened.enter_context(transcriber)
        listening = _listening(request, separator, transcriber, opened)
        report.model = separator.spec.name
        report.device, report.device_reason = separator.device, separator.device_reason
        detail_engine(report, request)
        opened.enter_context(swept(*{place.parent for place in places.values() if place.parent.is_dir()}))

        def work(item: Item, title: str) -> AnalysisResult:
            source, started = sources.path(item), time.monotonic()
            info = probe(source, request.excerpt)
            report.detail(f"{item.label}: {described(info)}")
            place = places[item]
            with disk_errors(place.parent):
                place.parent.mkdir(parents=True, exist_ok=True)
            with (
                Meter(title, quiet=quiet) as meter,
                written(place, replace=request.overwrite) as hidden,
            ):
                with disk_errors(place.parent):
                    hidden.mkdir()
                song, gathering = _separated(source, info, hidden, replace(listening, progress=meter), request)
                elapsed = time.monotonic() - started
                with disk_errors(place.parent):
                    facts = RunFacts(item.name, song.separator, elapsed, song=song, stems_kept=request.stems)
                    _write(song, facts, gathering.finish(), hidden, request.plots)
                    names = tuple(sorted(path.name for path in hidden.iterdir()))
            return AnalysisResult(
                item.label,
                "done",
                notices=song.notices,
                seconds=song.seconds,
                elapsed_seconds=time.monotonic() - started,
                start_seconds=max(0.0, info.start_seconds - request.excerpt.start),
                model=separator.spec.name,
                output=place,
                files=names,
                found=Found.of(json.loads(song_json(song, item.name))),
            )

        process(collected, failed, work, report, sources, quiet=quiet, jobs=Jobs(1))


def _write(song: Song, facts: RunFacts, gathered: Gathered, folder: Path, plots: Form | None) -> None:
    """Write everything but the stems into the folder."""
    for file, content in song_files(song, facts.name).items():
        (folder / file).write_bytes(content)
    if plots is not None and (drawn := song_plot(song, plots)) is not None:
        (folder / f"song.{plots}").write_bytes(drawn)
    (folder / PAGE).write_text(printable_page(report_page(gathered, facts)), encoding="utf-8")


def _listening(
    request: AnalysisRequest, separator: Separator, transcriber: NoteTranscriber | None, opened: ExitStack
) -> SongListening:
    """How songs are analysed; its models are closed with `opened`."""
    engine = request.engine
    embedder = opened.enter_context(SpeakerEmbedder(request.embedder, device=engine.device, threads=engine.threads))
    search = SingerSearch(embedder, enrolled_singers(request.enrol, embedder, separator) or None)
    lyrics = open_lyrics(request.lyrics, request.lyrics_model, opened, device=engine.device, threads=engine.threads)
    return SongListening(separator, search, transcriber, lyrics, request.force, engine.threads)


def song_places(request: AnalysisRequest, collected: Collected) -> tuple[dict[Item, Path], dict[Item, str]]:
    """The folder of each input, and the errors of inputs that can have none.

    Raises:
        UsageError: two go to one folder, something else is in its place, or standard output is asked for.
    """
    if request.output == "-":  # elsewhere that is standard output; a folder of this name would surprise
        raise UsageError("An analysis is a folder of files; name one with -o instead of -.")
    root = Path(request.output or "")
    alone = len(request.inputs) == 1 and len(collected.items) == 1 and not collected.refused
    layout = OutputLayout(root, TEMPLATE, "json", request.model)

    def folder(item: Item) -> Path:
        named = alone and request.output is not None and (item.path is None or item.path == Path(request.inputs[0]))
        return root if named else layout.stem_path(item, "song").parent

    found, failed = placed(root, collected.items, lambda item: [folder(item) / FACTS])
    refuse_collisions(found)
    places = {item: path.parent for item, (path,) in found.items()}
    for place in places.values():
        _refuse_other(place, overwrite=request.overwrite)
    return places, failed


def _refuse_other(place: Path, *, overwrite: bool) -> None:
    """Refuse a folder that exists; with --overwrite only one that is not an earlier analysis, since all of it goes.

    Raises:
        UsageError: it exists.
    """
    if not place.exists() and not place.is_symlink():
        return
    if place.is_dir() and not place.is_symlink() and not any(place.iterdir()):
        place.rmdir()
        return
    if not overwrite:
        raise UsageError(f"{place} exists already; choose another folder with -o, or use --overwrite.")
    if not _is_analysis(place):
        raise UsageError(
            f"{place} is not the folder of an earlier analysis, so --overwrite leaves it alone; choose another with -o."
        )


def _is_analysis(place: Path) -> bool:
    """Whether a folder was written by this command."""
    with contextlib.suppress(OSError), (place / FACTS).open("rb") as file:
        start = file.read(4096)
        return start.startswith(b'{\n "recording":') and b'"made_by":' in start
    return False


def _separated(
    source: Path, info: AudioInfo, folder: Path, listening: SongListening, request: AnalysisRequest
) -> tuple[Song, Gathering]:
    """The song, and the data of its page; stems that are kept are written as float32, which never clips."""
    separator = listening.separator
    rate, channels = separator.output_rate(info.sample_rate), separator.output_channels(info.channels)
    gathering = Gathering(rate, channels)
    kept = separator.stems() if request.stems else ()
    with _writers(folder, kept, rate, channels, info) as writers:

        def take(stems: Mapping[str, FloatArray]) -> None:
            for stem, writer in writers.items():
                writer.write(stems[stem])
            gathering.add(stems)

        return song_of_file(source, replace(listening, taker=take, tap=gathering.hear), request.excerpt), gathering


@contextlib.contextmanager
def _writers(
    folder: Path, stems: tuple[str, ...], rate: int, channels: int, info: AudioInfo
) -> Iterator[dict[str, Writer]]:
    with ExitStack() as stack:
        yield {
            stem: stack.enter_context(open_writer(folder / f"{stem}.wav", rate, channels, _FLOAT, tags=info.tags))
            for stem in stems
        }
