"""One track, from an input to its stems on disk: all of it appears at once, or not at all.

Stems are written block by block into one hidden folder beside their destination (so on the same disk). Where the
format would clip, they are first kept as float32; if their peak passes 1, one common gain for all stems is applied
while they are encoded. A page about them, where one is wanted, is made of the same floats. Then all of it takes its
place (see `journal`).
"""

import contextlib
import itertools
import math
import os
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np

from unbraid import __version__
from unbraid.audio import (
    Audio,
    OutputFormat,
    Reader,
    Resampler,
    StreamWriter,
    Writer,
    check_format,
    open_writer,
)
from unbraid.cli.files.journal import Arrival, Destination, arrive
from unbraid.cli.files.plan import TrackPlan
from unbraid.cli.files.sizes import peak_bytes, size
from unbraid.cli.files.stem_file import keep_recording, write_together
from unbraid.corpora.rttm import to_rttm
from unbraid.errors import AudioError
from unbraid.files.printable import printable_page
from unbraid.files.record import Provenance, StemRecord
from unbraid.files.workdir import claimed, disk_errors, sweep, working_folder
from unbraid.hub.folder import sha256
from unbraid.tasks.conversation.conversation import Conversation
from unbraid.tasks.pages import Gathering, RunFacts, report_page
from unbraid.tasks.results import Diagnostics, Run
from unbraid.tasks.separation.separator import Separator
from unbraid.tasks.separation.stream import Progress

_FLOAT = OutputFormat("wav", "32f")


@dataclass(frozen=True)
class WriteResult:
    """The result of writing a track."""

    seconds: float  # of audio
    elapsed_seconds: float  # of separating and encoding
    gain_db: float  # 0 unless it would have clipped
    diagnostics: Diagnostics
    outputs: dict[str, Path]  # that were written


def claim(track: TrackPlan) -> contextlib.AbstractContextManager[bool]:
    """Whether no other process is working on a track; until the block ends, it is ours."""
    root = _root(track, _home(track))
    return claimed(root, "work on " + os.path.relpath(track.receipt, root))


def write_track(
    separator: Separator, track: TrackPlan, progress: Progress | None = None, encoding: Progress | None = None
) -> WriteResult:
    """Separate one input and put its stems and their record in place.

    `progress(done, total)` is called while it is separated, and `encoding` (the same function, if none is given) while
    the stems, one after the other, are brought into their format; both in seconds of audio.

    Raises:
        AudioError: it cannot be read or written; nothing of it is left behind.
        Cancelled, KeyboardInterrupt: by way of these; nothing of it is left behind.
    """
    signal = track.signal
    check_format(track.fmt, signal.written_rate, signal.channels)
    gathering = Gathering(signal.sample_rate, signal.channels) if track.page is not None else None
    tap = None if gathering is None else gathering.hear
    sweep(home := _home(track))
    with (
        working_folder(_root(track, home)) as work,
        contextlib.closing(separator.run(track.source, track.excerpt, progress, tap)) as blocks,
    ):
        _check_room(work, track, 1 if track.voices else track.signals)
        run = _Begun.of(blocks)
        track = track.found(_speakers(blocks.diagnostics))
        _check_room(work, track, track.signals)
        fresh, kept = _Hidden(work / "track", home, track), _Hidden(work / "float", home, track)
        with disk_errors(home):
            for path in (*fresh.files, fresh.folder / os.path.relpath(track.receipt, home), *kept.files):
                path.parent.mkdir(parents=True, exist_ok=True)
        try:
            written = _write_stems(run, track, (fresh, kept), gathering, encoding or progress)
        except AudioError as error:
            raise AudioError(kept.unhidden(fresh.unhidden(str(error)))) from error
        with disk_errors(home):
            _settle(fresh, home, track, written)
        return written


def write_stream(
    separator: Separator, track: TrackPlan, stream: BinaryIO, progress: Progress | None = None
) -> WriteResult:
    """Separate one input and write its only stem as float32 WAV while it comes, never scaled."""
    (stem,) = track.outputs
    with contextlib.closing(separator.run(track.source, track.excerpt, progress)) as blocks:
        run = _Begun.of(blocks)
        track.found(_speakers(run.diagnostics))
        with StreamWriter(stream, track.signal.sample_rate, track.signal.channels, tags=track.tags) as writer:
            for block in run.blocks:
                writer.write(block[stem])
            elapsed = time.monotonic() - run.started
            return WriteResult(writer.frames / track.signal.sample_rate, elapsed, 0.0, run.diagnostics, {})


@dataclass(frozen=True)
class _Begun:
    """A run that has come to its first block, by which voices are counted."""

    blocks: Iterable[dict[str, Audio]]
    diagnostics: Diagnostics
    started: float  # by the monotonic clock

    @classmethod
    def of(cls, run: Run[dict[str, Audio]]) -> Self:
        started, first = time.monotonic(), list(itertools.islice(run, 1))
        return cls(itertools.chain(first, run), run.diagnostics, started)


class _Hidden:
    """The hidden files of a track, in a folder laid out as its final one."""

    def __init__(self, folder: Path, home: Path, track: TrackPlan) -> None:
        self.folder, self.home = folder, home
        self.files = [folder / os.path.relpath(path, home) for path, _ in track.files]
        self.stems = dict(zip(track.outputs, self.files, strict=False))  # turns and page come last

    def unhidden(self, message: str) -> str:
        """A message with the final paths instead of the hidden ones."""
        return message.replace(str(self.folder), str(self.home))


def _write_stems(
    run: _Begun,
    track: TrackPlan,
    hidden: tuple[_Hidden, _Hidden],
    gathering: Gathering | None,
    encoding: Progress | None,
) -> WriteResult:
    """Write the files of a track into the first hidden folder; the second is for floats that are encoded later."""
    fresh, kept = hidden
    floats = (kept if track.fmt.clips else fresh).stems
    mix = kept.files[0].with_name("recording.wav")  # of a stem file
    if track.together:
        floats = {stem: mix.with_name(f"{number}.wav") for number, stem in enumerate(track.together)}
    seconds, peak = _separate(run.blocks, track, floats, gathering)
    if track.together:
        peak = max(peak, keep_recording(track, mix))
    gain = 1.0 / max(peak, 1.0)
    gain_db = 20 * math.log10(gain) if track.fmt.clips else 0.0
    conversation = run.diagnostics.conversation if track.voices else None
    if track.turns is not None and run.diagnostics.conversation is not None:
        _write_turns(fresh.files[len(track.outputs)], track, run.diagnostics.conversation)
    encoded = list(fresh.stems.items()) if track.fmt.clips else []
    for index, (stem, path) in enumerate(encoded):
        report = _part(encoding, index, len(encoded), seconds)
        if track.together:
            write_together(track, path, mix, floats, gain, report)
        else:
            _encode(floats[stem], path, track, gain, report)
            floats[stem].unlink()
    gathered = gathering.finish(gain) if gathering else None
    elapsed = time.monotonic() - run.started
    if gathered is not None:  # last, since it says how long all of it took
        facts = RunFacts(track.name, track.making.model, elapsed, gain_db, conversation)
        with disk_errors(fresh.files[-1].parent):
            fresh.files[-1].write_text(printable_page(report_page(gathered, facts)), encoding="utf-8")
    return WriteResult(seconds, elapsed, gain_db, run.diagnostics, track.outputs)


def _speakers(diagnostics: Diagnostics) -> list[str] | None:
    """Whom a run has found, if it looked for people."""
    return None if diagnostics.conversation is None else list(diagnostics.conversation.speakers)


def _write_turns(path: Path, track: TrackPlan, conversation: Conversation) -> None:
    """Write who speaks when; of times and people, all, whichever stems are written."""
    with disk_errors(path.parent):
        path.write_text(to_rttm(conversation.segments, Path(track.name).stem), encoding="utf-8")


def _separate(
    blocks: Iterable[dict[str, Audio]], track: TrackPlan, paths: Mapping[str, Path], gathering: Gathering | None
) -> tuple[float, float]:
    """Write the stems to these paths as floats; returns seconds and the peak over all stems."""
    signal = track.signal
    with contextlib.ExitStack() as stack:
        writers: dict[str, Writer] = {
            stem: stack.enter_context(open_writer(path, signal.written_rate, signal.channels, _FLOAT, tags=track.tags))
            for stem, path in paths.items()
        }
        resamplers = {stem: Resampler(signal.sample_rate, signal.written_rate, signal.channels) for stem in paths}
        for block in blocks:
            for stem, writer in writers.items():
                writer.write(resamplers[stem](block[stem]))
            if gathering:
                gathering.add({stem: block[stem] for stem in paths})
        for stem, writer in writers.items():
            writer.write(resamplers[stem].finish())
    peak = max(writer.peak for writer in writers.values())
    return next(iter(writers.values())).frames / signal.written_rate, peak


def _part(progress: Progress | None, index: int, parts: int, seconds: float) -> Callable[[float], None]:
    """Progress in one of several equal parts, as progress in all of them."""
    return lambda done: progress(index * seconds + done, parts * seconds) if progress else None


def _encode(source: Path, destination: Path, track: TrackPlan, gain: float, report: Callable[[float], None]) -> None:
    """Second pass over a float file: turned down, in the format asked for."""
    signal, factor = track.signal, np.float32(gain)
    with (
        Reader(source) as reader,
        open_writer(
            destination, signal.written_rate, signal.channels, track.fmt, tags=track.tags, frames=reader.frames
        ) as writer,
    ):
        for block in reader.blocks():  # (C, n)
            writer.write(block if gain == 1.0 else block * factor)
            report(writer.frames / signal.written_rate)


def _settle(fresh: _Hidden, home: Path, track: TrackPlan, written: WriteResult) -> None:
    """Move the files to their places, and add them to the record of the track."""
    found = _speakers(written.diagnostics) if track.voices else None
    arrivals = [
        Arrival(hidden, path, _record(hidden, written.gain_db, track, making, found))
        for hidden, (path, making) in zip(fresh.files, track.files, strict=True)
    ]
    arrive(arrivals, fresh.folder, Destination(home, track.receipt, track.replace, track.replace_equal))


def _record(
    hidden: Path, gain_db: float, track: TrackPlan, making: Provenance, speakers: list[str] | None
) -> StemRecord:
    return StemRecord(sha256(hidden), gain_db, track.name, __version__, making, speakers, track.licence)


def _home(track: TrackPlan) -> Path:
    """The folder that all files of a track are in."""
    places = (*(path for path, _ in track.files), track.receipt)
    return Path(os.path.commonpath([os.path.abspath(path.parent) for path in places]))


def _root(track: TrackPlan, home: Path) -> Path:
    """Where the hidden folder goes: where the run writes to, if that is on the disk of the track's own folder."""
    above = next(folder for folder in (home, *home.parents) if os.path.isdir(folder))
    if track.root is None or (track.root.is_dir() and track.root.stat().st_dev != above.stat().st_dev):
        return above
    return track.root


def _check_room(work: Path, track: TrackPlan, stems: int) -> None:
    """Refuse at once where the disk has too little space, rather than after an hour."""
    needed, free = peak_bytes(track, stems), shutil.disk_usage(work).free
    if needed > free:
        raise AudioError(
            f"The disk of {work.parent} has {size(free)} free, but the stems need {size(needed)} "
            "while they are written. Free some space, or choose another folder with -o."
        )
