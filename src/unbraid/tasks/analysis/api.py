"""The melody and the notes of a recording, or of one of its stems: separation, then a tracker, in constant memory.

Nothing is heard in spoken word unless that is forced: a voice that talks has pitches, but no melody.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, TypeVar, cast

from unbraid.audio import ArrayLike, Excerpt, ReadOptions, Source, TrackChoice, as_audio, check_rate_given, is_array
from unbraid.dsp.arrays import FloatArray
from unbraid.hub.defaults import DEFAULTS, PITCHED
from unbraid.tasks.analysis.melody import Melody
from unbraid.tasks.analysis.melody_tracker import MODEL as PITCH_TRACKER
from unbraid.tasks.analysis.melody_tracker import MelodyTracker
from unbraid.tasks.analysis.notes import Notes
from unbraid.tasks.analysis.notes_transcriber import NoteTranscriber
from unbraid.tasks.analysis.singers import Singers
from unbraid.tasks.results import Diagnostics, Run
from unbraid.tasks.separation.content import content_of, content_of_file
from unbraid.tasks.separation.options import check_stem
from unbraid.tasks.separation.separator import Separator
from unbraid.tasks.separation.stream import PassProgress, Progress, Track

VOCALS = "vocals"
SEPARATOR = PITCHED
SPOKEN = "it sounds like speech, which has no {}; use --force (force=True) if it is music"

Result_co = TypeVar("Result_co", covariant=True)
Found = TypeVar("Found", Melody, Notes, Singers)


class Tracker(Protocol[Result_co]):
    """Takes blocks, and gives a result at the end."""

    def push(self, stem: FloatArray, recording: FloatArray | None = None) -> None:
        """Take a block (C, n) of a stem, and the same samples of its recording."""

    def finish(self) -> Result_co:
        """The result of all blocks."""


@dataclass(frozen=True)
class Listening:
    """How a recording is heard: through a stem or as it is, speech included or not."""

    separator: Separator | None = None
    stem: str | None = None  # of the separator
    force: bool = False  # also in speech
    threads: int | None = None
    progress: Progress | None = None

    def __post_init__(self) -> None:
        if self.separator is not None:
            check_stem(self.stem or "", self.separator.stems(), self.separator.spec.name)

    def heard(self, track: Track, tracker: Tracker[Result_co], diagnostics: Diagnostics) -> Iterator[Result_co]:
        """The only result: of a tracker that has taken all of a track."""
        if self.separator is None:
            for block in PassProgress(self.progress, 1, track).reported(track.blocks()):
                tracker.push(block)
        else:
            for stems in self.separator.separated(track, self.progress, diagnostics):
                tracker.push(stems[cast(str, self.stem)], sum(stems.values()))  # type: ignore[arg-type]
        yield tracker.finish()


def melody_of_file(source: Source, excerpt: Excerpt = Excerpt(), listening: Listening = Listening()) -> Melody:
    """The melody of a voice in an excerpt of a file; times are the file's.

    Raises:
        AudioError: the file cannot be read.
        RuntimeUnavailable: swift-f0 is not installed.
    """
    if not listening.force and content_of_file(source, excerpt).kind == "speech":
        return _spoken_melody()
    return found_in_file(source, excerpt, listening, lambda rate: MelodyTracker(rate, threads=listening.threads))


def notes_of_file(
    source: Source, transcriber: NoteTranscriber, excerpt: Excerpt = Excerpt(), listening: Listening = Listening()
) -> Notes:
    """The notes in an excerpt of a file; times are the file's.

    Raises:
        AudioError: the file cannot be read.
    """
    if not listening.force and content_of_file(source, excerpt).kind == "speech":
        return _spoken_notes(transcriber)
    return found_in_file(source, excerpt, listening, lambda rate: transcriber.tracker(rate, listening.stem))


def melody(
    recording: Source | ArrayLike,
    model: str | Path = SEPARATOR,
    *,
    sample_rate: int | None = None,
    track: TrackChoice = 0,
    reading: ReadOptions = ReadOptions(),
    separate: bool = True,
    force: bool = False,
    device: str = "auto",
) -> Melody:
    """The melody of the voice of a song: `.times`, `.hz`, `.confidence`, and `.notes`, the same as a line of notes.

    `model` separates the vocals first; with `separate=False` the recording is one voice already. Needs the extra
    `analysis`. A recording in which nobody sings has an empty melody with a `reason`, and so has speech, unless
    `force` is set. For `recording`, `track` and `reading` see `unbraid.separate`.

    Raises:
        AudioError: the recording cannot be read or separated as it is.
        ModelError: there is no such model, or its folder is damaged.
        RuntimeUnavailable: swift-f0 is not installed.
        UsageError: the model has no stem vocals, or an array came without its sample rate, or a file with one.
    """
    check_rate_given("melody", recording, sample_rate)
    with ExitStack() as opened:
        separator = opened.enter_context(Separator(model, device=device)) if separate else None
        listening = Listening(separator, VOCALS if separate else None, force or not separate)
        if not is_array(recording):
            return melody_of_file(recording, Excerpt(track=track, reading=reading), listening)
        rate = cast(int, sample_rate)
        if not listening.force and content_of(recording, rate).kind == "speech":
            return _spoken_melody()
        return found_in_array(recording, rate, listening, MelodyTracker(rate))


def notes(
    recording: Source | ArrayLike,
    stem: str | None = None,
    model: str | Path = DEFAULTS["notes"],
    *,
    separator: str | Path = SEPARATOR,
    sample_rate: int | None = None,
    track: TrackChoice = 0,
    reading: ReadOptions = ReadOptions(),
    force: bool = False,
    device: str = "auto",
) -> Notes:
    """The notes of a recording as it is, or of a `stem` of it: piano, bass, other or vocals.

    The result saves itself as MIDI, CSV, JSON or a layer for Sonic Visualiser. `model` hears the notes; get it with
    `unbraid models pull basic-pitch`. `separator` is the model that separates the stem. Where there is no note, the
    result is empty and has a `reason`; so it is for speech, unless `force` is set. For `recording`, `track` and
    `reading` see `unbraid.separate`.

    Raises:
        AudioError: the recording cannot be read or separated as it is.
        ModelError: there is no such model, or its folder is damaged.
        UsageError: the model hears no notes, the separator lacks the stem, or an array came without its sample rate, or
            a file with one.
    """
    check_rate_given("notes", recording, sample_rate)
    with ExitStack() as opened:
        transcriber = opened.enter_context(NoteTranscriber(model, device=device))
        listening = Listening(force=force)
        if stem is not None:
            listening = Listening(opened.enter_context(Separator(separator, device=device)), stem, force)
        if not is_array(recording):
            return notes_of_file(recording, transcriber, Excerpt(track=track, reading=reading), listening)
        rate = cast(int, sample_rate)
        if not force and content_of(recording, rate).kind == "speech":
            return _spoken_notes(transcriber)
        return found_in_array(recording, rate, listening, transcriber.tracker(rate, stem))


def found_in_file(
    source: Source, excerpt: Excerpt, listening: Listening, open_tracker: Callable[[int], Tracker[Found]]
) -> Found:
    """The result for an excerpt of a file, in the times of the file."""
    diagnostics = _diagnostics(listening)
    run = Run.over_file(
        source, excerpt, lambda track: listening.heard(track, open_tracker(track.sample_rate), diagnostics), diagnostics
    )
    (found,) = run
    return _told(found.after(excerpt.start) if excerpt.start else found, listening, diagnostics)


def found_in_array(audio: ArrayLike, sample_rate: int, listening: Listening, tracker: Tracker[Found]) -> Found:
    """The result for an array (C, T)."""
    diagnostics = _diagnostics(listening)
    (found,) = listening.heard(Track.of(as_audio(audio), sample_rate), tracker, diagnostics)
    return _told(found, listening, diagnostics)


def _diagnostics(listening: Listening) -> Diagnostics:
    return Diagnostics(listening.separator.spec.name if listening.separator else PITCH_TRACKER)


def _told(found: Found, listening: Listening, diagnostics: Diagnostics) -> Found:
    """A result that says which stem of which model it is of."""
    separator = listening.separator.spec.name if listening.separator else None
    found = replace(found, stem=listening.stem, separator=separator, notices=diagnostics.notices)
    if isinstance(found, Melody):
        return replace(found, notes=replace(found.notes, stem=listening.stem, separator=separator))
    return found


def _spoken_melody() -> Melody:
    reason = SPOKEN.format("melody")
    return Melody(PITCH_TRACKER, notes=Notes((), PITCH_TRACKER, reason=reason), reason=reason)


def _spoken_notes(transcriber: NoteTranscriber) -> Notes:
    return Notes((), transcriber.spec.name, reason=SPOKEN.format("notes"))
