"""A song analysed: melody, notes, drums, key, chords, sung passages and singers, out of one separation; with a
recogniser, lyrics.

    tracker = SongTracker(sample_rate, separator.spec.name, SingerSearch(embedder))
    for stems in separator.blocks("song.mp3"):
        tracker.push(stems)
    song = tracker.finish()

Each part says which model and stems it came from, and is empty, with the reason, where nothing of it is heard. Memory
grows by about 20 kB for a second of the song.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from unbraid.dsp.arrays import FloatArray
from unbraid.dsp.stretches import stretches
from unbraid.errors import RuntimeUnavailable
from unbraid.tasks.analysis.beats import beats_of
from unbraid.tasks.analysis.chords import Chords, chords_of
from unbraid.tasks.analysis.drums import DrumTracker
from unbraid.tasks.analysis.key import Key, key_of
from unbraid.tasks.analysis.levels import Mono, Powers, heard
from unbraid.tasks.analysis.lyrics import NO_LYRICS, Lyrics
from unbraid.tasks.analysis.melody import Melody
from unbraid.tasks.analysis.melody_tracker import MODEL as PITCH_TRACKER
from unbraid.tasks.analysis.melody_tracker import MelodyTracker
from unbraid.tasks.analysis.music_features import MusicFeatureStream
from unbraid.tasks.analysis.notes import Notes
from unbraid.tasks.analysis.notes_transcriber import NoteTracker, NoteTranscriber
from unbraid.tasks.analysis.singer_search import SingerSearch
from unbraid.tasks.analysis.singers import Singers

VOCALS, DRUMS = "vocals", "drums"
SPOKEN = "it sounds like speech; use --force (force=True) if it is music"
NO_TRANSCRIBER = "no model of notes is on this machine; get one with `unbraid models pull basic-pitch`"
_RATE, _HOP = 16000, 1600  # of the levels of passages: ten a second
_PAUSE, _LEAST = 10, 5  # tenths of a second: shorter rests belong to a passage, shorter passages are none


@dataclass(frozen=True, eq=False)
class Song:
    """Everything that was found in a song."""

    melody: Melody
    notes: dict[str, Notes]  # of each stem that has pitches
    key: Key
    chords: Chords
    sung: tuple[tuple[float, float], ...]  # (start, end) of the passages in which a voice is heard, in seconds
    drums: Notes  # kick, snare and hi-hat
    singers: Singers  # who sings when
    lyrics: Lyrics
    separator: str  # the model that separated the stems
    seconds: float
    notices: tuple[str, ...] = ()  # warnings about the file


def spoken(song: Song) -> Song:
    """The result for a recording that sounds like speech: whatever was heard in it, there is no music."""
    reason = SPOKEN
    unheard = Notes((), song.melody.notes.model, VOCALS, song.separator, song.seconds, reason)
    return replace(
        song,
        melody=Melody(song.melody.model, notes=unheard, stem=VOCALS, separator=song.separator, reason=reason),
        notes={stem: replace(notes, notes=(), reason=reason) for stem, notes in song.notes.items()},
        key=Key(None, separator=song.separator, reason=reason),
        chords=Chords((), separator=song.separator, seconds=song.seconds, reason=reason),
        sung=(),
        drums=replace(song.drums, notes=(), reason=reason),
        singers=replace(song.singers, passages=(), reason=reason),
        lyrics=replace(song.lyrics, lines=(), reason=reason),
    )


class SongTracker:
    """Takes the blocks of a song's stems, and gives all that is found in them at the end."""

    def __init__(
        self,
        sample_rate: int,
        separator: str,
        search: SingerSearch,
        *,
        transcriber: NoteTranscriber | None = None,
        threads: int | None = None,
        voice_taker: Callable[[FloatArray, FloatArray], None] = lambda vocals, recording: None,
    ) -> None:
        """For the stems of a model of this name; without a transcriber, notes are left out.

        `voice_taker` is given the vocals and the recording, each mixed to one channel, in blocks (n,) at 16 kHz.
        """
        self._take_voice = voice_taker
        self._singers, self._drums = search.tracker(sample_rate), DrumTracker(sample_rate)
        self._rate, self._separator = sample_rate, separator
        self._transcriber, self._notes = transcriber, dict[str, NoteTracker]()
        self._music = MusicFeatureStream(sample_rate)
        self._vocals, self._recording = (Mono(sample_rate, _RATE, _HOP) for _ in range(2))
        self._melody: MelodyTracker | None = None
        self._no_melody: str | None = None
        try:
            self._melody = MelodyTracker(sample_rate, threads=threads)
        except RuntimeUnavailable as error:
            self._no_melody = str(error)

    def push(self, stems: Mapping[str, FloatArray]) -> None:
        """Take a block (C, n) of each stem; they add up to the recording.

        Raises:
            UsageError: they are not the stems of a song.
        """
        self._music.push(stems)
        recording = np.sum(list(stems.values()), axis=0)
        self._take_voice(self._vocals(stems[VOCALS]), self._recording(recording))
        self._singers.push(stems[VOCALS], recording)
        self._drums.push(stems[DRUMS], recording)
        if self._melody is not None:
            self._melody.push(stems[VOCALS], recording)
        for stem, block in stems.items():
            if self._transcriber is not None and stem not in (DRUMS, VOCALS):
                if stem not in self._notes:
                    self._notes[stem] = self._transcriber.tracker(self._rate, stem)
                self._notes[stem].push(block, recording)

    def finish(self) -> Song:
        """All that was found."""
        features = self._music.finish()
        beats, key = beats_of(features), key_of(features)
        by = self._separator
        return Song(
            melody=self._found_melody(),
            notes={stem: replace(tracker.finish(), separator=by) for stem, tracker in self._notes.items()},
            key=replace(key, separator=by),
            chords=replace(chords_of(features, beats.times, flats=key.has_flats), separator=by),
            sung=self._sung(),
            drums=replace(self._drums.finish(), separator=by),
            singers=replace(self._singers.finish(), stem=VOCALS, separator=by),
            lyrics=Lyrics(stem=VOCALS, separator=by, reason=NO_LYRICS),
            separator=by,
            seconds=features.seconds,
        )

    def _found_melody(self) -> Melody:
        if self._melody is None:
            return Melody(PITCH_TRACKER, stem=VOCALS, separator=self._separator, reason=self._no_melody)
        melody = self._melody.finish()
        notes = replace(melody.notes, stem=VOCALS, separator=self._separator)
        return replace(melody, notes=notes, stem=VOCALS, separator=self._separator)

    def _sung(self) -> tuple[tuple[float, float], ...]:
        """The passages in which the vocals are heard beside the recording."""
        self._take_voice(self._vocals.finish(), self._recording.finish())
        frames = -(-self._vocals.samples // _HOP)
        seconds = self._vocals.samples / _RATE
        found = passages_of(self._vocals.powers(frames), self._recording.powers(frames))
        return tuple((start, min(seconds, end)) for start, end in found)


def passages_of(vocals: Powers, recording: Powers) -> list[tuple[float, float]]:
    """The passages in which vocals are heard beside the recording, of their powers (N,) ten times a second."""
    active = heard(vocals, recording, _RATE / _HOP)
    return [
        (start * _HOP / _RATE, end * _HOP / _RATE) for start, end in stretches(active, _PAUSE) if end - start >= _LEAST
    ]
