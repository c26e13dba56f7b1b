"""Analysis of a song from a file or an array: separation, and everything that is found in its stems, in one pass."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from unbraid.audio import ArrayLike, Excerpt, ReadOptions, Source, TrackChoice, as_audio, check_rate_given, is_array
from unbraid.dsp.arrays import FloatArray
from unbraid.errors import ModelNotFound
from unbraid.hub.defaults import DEFAULTS, MUSIC
from unbraid.tasks.analysis.music_features import check_stems
from unbraid.tasks.analysis.notes import Notes
from unbraid.tasks.analysis.notes_transcriber import NoteTranscriber
from unbraid.tasks.analysis.song import DRUMS, NO_TRANSCRIBER, VOCALS, Song, SongTracker, spoken
from unbraid.tasks.results import Diagnostics, Run
from unbraid.tasks.separation.content import content_of, content_of_file
from unbraid.tasks.separation.separator import Separator
from unbraid.tasks.separation.stream import Progress, Tap, Track

Taker = Callable[[Mapping[str, FloatArray]], None]


@dataclass(frozen=True)
class SongListening:
    """How a song is analysed; `taker` takes the stems of each block as well, and its blocks pass through `tap`."""

    separator: Separator
    transcriber: NoteTranscriber | None = None  # None: no notes
    force: bool = False  # also in speech
    threads: int | None = None
    progress: Progress | None = None
    taker: Taker = lambda stems: None
    tap: Tap | None = None

    def __post_init__(self) -> None:
        check_stems(self.separator.stems())

    def heard(self, track: Track, diagnostics: Diagnostics) -> Iterator[Song]:
        """The only result: the song of a track."""
        name = self.separator.spec.name
        tracker = SongTracker(track.sample_rate, name, transcriber=self.transcriber, threads=self.threads)
        track = track.tapped(self.tap, on_pass=self.separator.passes)
        for stems in self.separator.separated(track, self.progress, diagnostics):
            tracker.push(stems)
            self.taker(stems)
        song = tracker.finish()
        if self.transcriber is None:
            pitched = (stem for stem in self.separator.stems() if stem not in (DRUMS, VOCALS))
            absent = {stem: Notes((), DEFAULTS["notes"], stem, name, reason=NO_TRANSCRIBER) for stem in pitched}
            song = replace(song, notes=absent)
        yield song


def song_of_file(source: Source, listening: SongListening, excerpt: Excerpt = Excerpt()) -> Song:
    """Everything that is found in an excerpt of a file; times count from its start.

    Raises:
        AudioError: the file cannot be read.
    """
    diagnostics = Diagnostics(listening.separator.spec.name)
    run = Run.over_file(source, excerpt, lambda track: listening.heard(track, diagnostics), diagnostics)
    (song,) = run
    is_spoken = not listening.force and content_of_file(source, excerpt).kind == "speech"
    return replace(spoken(song) if is_spoken else song, notices=diagnostics.notices)


def open_transcriber(*, device: str = "auto", threads: int | None = None) -> NoteTranscriber | None:
    """The model of notes, if it is on this machine."""
    try:
        return NoteTranscriber(DEFAULTS["notes"], device=device, threads=threads)
    except ModelNotFound:
        return None


def analyse(
    recording: Source | ArrayLike,
    model: str | Path = MUSIC,
    *,
    sample_rate: int | None = None,
    track: TrackChoice = 0,
    reading: ReadOptions = ReadOptions(),
    force: bool = False,
    device: str = "auto",
) -> Song:
    """The melody, notes, key, chords and sung passages of a song.

        song = unbraid.analyse("song.mp3")
        song.key.name, song.melody.hz, song.notes["bass"]
        [(chord.start, chord.name) for chord in song.chords]

    `model` separates the song first, in one pass and constant memory; it must have the stems vocals, drums and bass.
    Each part says which model and stems it came from; where nothing of it is heard, it is empty and has a `reason`. The
    melody needs the extra `analysis`, and notes the model basic-pitch: without them these parts are empty too. All of a
    recording that sounds like speech is empty, unless `force` is set. For `recording`, `track` and `reading` see
    `unbraid.separate`.

    Raises:
        AudioError: the recording cannot be read or separated as it is.
        ModelError: there is no such model, or its folder is damaged.
        UsageError: the model lacks a stem, or an array came without its sample rate, or a file with one.
    """
    check_rate_given("analyse", recording, sample_rate)
    with ExitStack() as opened:
        separator = opened.enter_context(Separator(model, device=device))
        check_stems(separator.stems())
        transcriber = open_transcriber(device=device)
        if transcriber is not None:
            opened.enter_context(transcriber)
        listening = SongListening(separator, transcriber, force)
        if not is_array(recording):
            return song_of_file(recording, listening, Excerpt(track=track, reading=reading))
        rate = cast(int, sample_rate)
        (song,) = listening.heard(Track.of(as_audio(recording), rate), Diagnostics(separator.spec.name))
        return spoken(song) if not force and content_of(recording, rate).kind == "speech" else song
