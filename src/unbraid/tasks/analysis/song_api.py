"""Analysis of a song from a file or an array: separation, and everything that is found in its stems, in one pass."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from unbraid.audio import ArrayLike, Excerpt, ReadOptions, Source, TrackChoice, as_audio, check_rate_given, is_array
from unbraid.dsp.arrays import FloatArray
from unbraid.errors import ModelNotFound
from unbraid.hub.defaults import DEFAULTS, MUSIC
from unbraid.hub.names import resolve
from unbraid.hub.spec import read_spec
from unbraid.tasks.alignment.aligner import Aligner
from unbraid.tasks.alignment.models import model_for
from unbraid.tasks.alignment.texts import lines_in, read_text
from unbraid.tasks.analysis.lyrics_reading import Reader, aligning, kept_vocals, transcribing
from unbraid.tasks.analysis.music_features import check_stems
from unbraid.tasks.analysis.notes import Notes
from unbraid.tasks.analysis.notes_transcriber import NoteTranscriber
from unbraid.tasks.analysis.singer_search import SingerSearch
from unbraid.tasks.analysis.singers_api import enrolled_singers
from unbraid.tasks.analysis.song import DRUMS, NO_TRANSCRIBER, VOCALS, Song, SongTracker, spoken
from unbraid.tasks.conversation.embedder import SpeakerEmbedder
from unbraid.tasks.conversation.enrolment import enrolled_people
from unbraid.tasks.results import Diagnostics, Run
from unbraid.tasks.separation.content import content_of, content_of_file
from unbraid.tasks.separation.separator import Separator
from unbraid.tasks.separation.stream import Progress, Tap, Track
from unbraid.tasks.transcription.transcriber import Transcriber
from unbraid.tasks.transcription.whisper.options import WhisperOptions

Taker = Callable[[Mapping[str, FloatArray]], None]


@dataclass(frozen=True)
class SongListening:
    """How a song is analysed; `taker` takes the stems of each block as well, and its blocks pass through `tap`."""

    separator: Separator
    search: SingerSearch
    transcriber: NoteTranscriber | None = None  # None: no notes
    lyrics: Reader | None = None  # None: no lyrics
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
        with kept_vocals() if self.lyrics else nullcontext() as kept:
            tracker = SongTracker(
                track.sample_rate,
                name,
                self.search,
                transcriber=self.transcriber,
                threads=self.threads,
                voice_taker=kept.push if kept else lambda vocals, recording: None,
            )
            track = track.tapped(self.tap, on_pass=self.separator.passes)
            for stems in self.separator.separated(track, self.progress, diagnostics):
                tracker.push(stems)
                self.taker(stems)
            song = tracker.finish()
            if kept and self.lyrics:
                lyrics = kept.lyrics(song.sung, self.lyrics)
                song = replace(song, lyrics=replace(lyrics, stem=VOCALS, separator=name, seconds=song.seconds))
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


def open_lyrics(
    text: str | None, model: str | Path | None, opened: ExitStack, *, device: str = "auto", threads: int | None = None
) -> Reader | None:
    """How lyrics are read: a given text is aligned, else a model that is named transcribes; it is closed with `opened`.

    Raises:
        ModelError: there is no such model, or none on this machine has the letters of the text.
        UsageError: the model is no recogniser, or cannot align; or the text has no words.
    """
    if text is not None:
        lines_in(text)
        return aligning(opened.enter_context(Aligner(model or model_for(text), device=device, threads=threads)), text)
    if model is None:
        return None
    whisper = WhisperOptions(word_times=True) if read_spec(resolve(model)).tokens else None
    return transcribing(opened.enter_context(Transcriber(model, device=device, threads=threads, whisper=whisper)))


def analyse(
    recording: Source | ArrayLike,
    model: str | Path = MUSIC,
    *,
    sample_rate: int | None = None,
    track: TrackChoice = 0,
    reading: ReadOptions = ReadOptions(),
    enrol: Mapping[str, str | Path] | None = None,
    embedder: str | Path = DEFAULTS["speaker embedding"],
    lyrics: str | os.PathLike[str] | None = None,
    lyrics_model: str | Path | None = None,
    force: bool = False,
    device: str = "auto",
) -> Song:
    """The melody, notes, key, chords, singers and lyrics of a song.

        song = unbraid.analyse("song.mp3")
        song.key.name, song.melody.hz, song.notes["bass"]
        [(chord.start, chord.name) for chord in song.chords]
        song.singers.passages, song.lyrics.to_lrc()

    `model` separates the song first, in one pass and constant memory; it must have the stems vocals, drums and bass.
    Each part says which model and stems it came from; where nothing of it is heard, it is empty and has a `reason`. The
    melody needs the extra `analysis`, and notes the model basic-pitch: without them these parts are empty too. `enrol`
    and `embedder` are those of `unbraid.singers`. `lyrics`, a text or its file, gets its times as by `unbraid.align`;
    without it, `lyrics_model` writes down what is sung, such as openai/whisper-base. All of a recording that sounds
    like speech is empty, unless `force` is set. For `recording`, `track` and `reading` see `unbraid.separate`.

    Raises:
        AudioError: the recording cannot be read or separated as it is.
        ModelError: there is no such model, or its folder is damaged.
        UsageError: the model lacks a stem; a file to enrol somebody holds no voice, or several; the text has no words,
            or the model for it cannot align; or an array came without its sample rate, or a file with one.
    """
    check_rate_given("analyse", recording, sample_rate)
    people, text = enrolled_people(enrol), None if lyrics is None else read_text(lyrics)
    with ExitStack() as opened:
        separator = opened.enter_context(Separator(model, device=device))
        check_stems(separator.stems())
        transcriber = open_transcriber(device=device)
        if transcriber is not None:
            opened.enter_context(transcriber)
        voice = opened.enter_context(SpeakerEmbedder(embedder, device=device))
        enrolled = enrolled_singers(people, voice, separator) if people else None
        reader = open_lyrics(text, lyrics_model, opened, device=device)
        listening = SongListening(separator, SingerSearch(voice, enrolled), transcriber, reader, force)
        if not is_array(recording):
            return song_of_file(recording, listening, Excerpt(track=track, reading=reading))
        rate = cast(int, sample_rate)
        (song,) = listening.heard(Track.of(as_audio(recording), rate), Diagnostics(separator.spec.name))
        return spoken(song) if not force and content_of(recording, rate).kind == "speech" else song
