"""Transcriber: speech recognition on audio of any length, with the times of words.

    transcript = Transcriber("digits")(audio, sample_rate)         # .text, .words
    for word in Transcriber("digits").stream("eight_hours.flac"):  # the same in constant memory
        print(word.start, word.text, word.confidence)

Channels are mixed with regard to their phases (`dsp/downmix.py`), or transcribed apart with `channels="apart"`, as for
a call with one party on each channel. DC offset and rumble are removed, and the audio is resampled to the model's rate.
A network attends to a whole window at once, so longer audio is cut into overlapping windows, which are stitched
together where they agree (`stitching.py`); those of a Whisper begin where its last phrase ended (`whisper/`). Silent
windows are skipped.

A network that reads waveforms is slow on long audio. Above `long_seconds` a second model takes its place, one that
reads spectrograms, and the notice of the run says so: the one that is named, or one on this machine that writes with
the same symbols.
"""

import dataclasses
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self, get_args

from unbraid.audio import (
    ArrayLike,
    Excerpt,
    ReadOptions,
    Source,
    TrackChoice,
    as_audio,
    checked_rate,
)
from unbraid.dsp.downmix import Downmix
from unbraid.dsp.rumble import without_rumble
from unbraid.errors import UsageError
from unbraid.hub.defaults import DEFAULTS
from unbraid.hub.names import resolve
from unbraid.runtime.executor import Engine, Precision
from unbraid.tasks.decoding.generator import Generator
from unbraid.tasks.loading import LoadedModel, check_task, find_model
from unbraid.tasks.results import Diagnostics, Run
from unbraid.tasks.separation.separator import Separator
from unbraid.tasks.separation.stream import PassProgress, Progress, Track, resampled
from unbraid.tasks.transcription.channels import Channels, channels_of
from unbraid.tasks.transcription.confidence import checked_digits
from unbraid.tasks.transcription.ctc_recognizer import CtcRecognizer
from unbraid.tasks.transcription.decoder_recognizer import CachedEncoder, DecoderRecognizer
from unbraid.tasks.transcription.people import words_of_people
from unbraid.tasks.transcription.recognizer import Note, Recognizer, find_reader
from unbraid.tasks.transcription.result import Transcript
from unbraid.tasks.transcription.speecht5_recognizer import SpeechT5Recognizer
from unbraid.tasks.transcription.subtitles import merged
from unbraid.tasks.transcription.transcript import Word
from unbraid.tasks.transcription.whisper.options import WhisperOptions
from unbraid.tasks.transcription.whisper.recognizer import WhisperRecognizer

LONG_SECONDS = 120.0
UNLIKE = 'its channels differ, as in a call, and were mixed; --channels apart (channels="apart") transcribes each'


@dataclass(frozen=True)
class _Hearing:
    """How a recording is heard: its channels, and its people, all or only one."""

    channels: Channels
    separator: Separator | None
    only: str | None
    progress: Progress | None


class Transcriber(LoadedModel):
    """A loaded model; use it as often as you like. `close()`, or a `with` statement, frees its memory."""

    def __init__(
        self,
        model: str | Path | Recognizer = DEFAULTS["transcription"],
        *,
        device: str = "auto",
        precision: Precision = "float32",
        threads: int | None = None,
        beams: int | None = None,
        long_model: str | Path | Recognizer | None = None,
        long_seconds: float = LONG_SECONDS,
        whisper: WhisperOptions | None = None,
        force: bool = False,
    ):
        """Load a model by name or folder.

        `beams`: the width of the beam search; by default 1 without a decoder, else 4, of a Whisper 5. `long_model`
        replaces a model that reads waveforms where audio is longer than `long_seconds`, or of unknown length; it is
        loaded when it is needed. By default it is one on this machine with the same target vocabulary, if there is any.
        `whisper` holds the language, task and limits of a Whisper. With `force`, a recogniser of digits gives those of
        a recording that does not sound like digits, too. "int8" is a `precision` for Whispers: faster and slightly less
        accurate. See `runtime.open_executor` for `device` and `threads`.

        Raises:
            ModelError: there is no such model, or its folder is damaged.
            RuntimeUnavailable: the device is not there.
            UsageError: a model is not a speech recogniser, or a value is out of range.
        """
        _check(beams, long_seconds)
        if not isinstance(long_model, Recognizer | None):
            resolve(long_model)  # reports a wrong name now, not after two minutes of audio

        self._open = functools.partial(open_recognizer, engine=Engine(device, precision, threads), whisper=whisper)
        self._recognizer = self._open(model)
        super().__init__(self._recognizer.spec, self._recognizer)
        self._find_long = long_model is None and not isinstance(model, Recognizer)
        self._long_model = long_model
        self._beams, self._long_seconds, self._force = beams, long_seconds, force
        self._long: Recognizer | None = None  # once it is needed

    @classmethod
    def over(
        cls,
        recognizer: Recognizer,
        *,
        beams: int | None = None,
        long: Recognizer | None = None,
        long_seconds: float = LONG_SECONDS,
        force: bool = False,
    ) -> Self:
        """A transcriber over recognizers of one's own."""
        return cls(recognizer, beams=beams, long_model=long, long_seconds=long_seconds, force=force)

    def __call__(
        self,
        audio: ArrayLike,
        sample_rate: int,
        *,
        channels: Channels = "mix",
        separator: Separator | None = None,
        progress: Progress | None = None,
    ) -> Transcript:
        """Transcribe an array (C, T), see `Separator.__call__` and `stream`.

        Raises:
            AudioError: it is not an array of real numbers (C, T), is empty, or holds NaN or infinity; or a recogniser
                of digits has heard none.
            UsageError: `channels` is something else, or the separator does not follow people.
        """
        track = Track.of(as_audio(audio), checked_rate(sample_rate))
        return self._transcript(track, _Hearing(channels, separator, None, progress))

    def of_track(self, track: Track) -> Transcript:
        """Transcribe audio that is read in blocks, its channels mixed; raises what calling it with an array does."""
        return self._transcript(track, _Hearing("mix", None, None, None))

    def _transcript(self, track: Track, how: "_Hearing") -> Transcript:
        diagnostics = Diagnostics(self.spec.name)
        return Transcript.of(self._transcribed(track, how, diagnostics), diagnostics)

    def stream(
        self,
        source: Source,
        *,
        start: float = 0.0,
        duration: float | None = None,
        track: TrackChoice = 0,
        reading: ReadOptions = ReadOptions(),
        channels: Channels = "mix",
        separator: Separator | None = None,
        progress: Progress | None = None,
    ) -> Run[Word]:
        """Transcribe a file (or a binary file object) word by word, in constant memory; times are the file's.

        `start` and `duration` are in seconds; `track` is the number of an audio track, from 0, or "auto" for the first
        that is not silent. The run's `diagnostics` name the model, and afterwards warnings about the file. Channels are
        mixed, or with "apart" transcribed separately: then every word has its channel as its `voice`, and lines come in
        the order of time. With a `separator` that follows people, such as `Separator()`, everybody is transcribed alone
        where they speak: words have the person as their `voice`, and come sentence by sentence, in the order in which
        these begin, once the whole file is separated; who speaks when is in `diagnostics.conversation`.
        `progress(done_seconds, total_seconds or None)` is called as the file is read; raise `Cancelled` in it to stop.

        Raises:
            AudioError: the file cannot be read, or a recogniser of digits has heard none.
            UsageError: `channels` is something else, or the separator does not follow people.
        """
        excerpt = Excerpt(start, duration, track, reading)
        return self.run(source, excerpt, channels=channels, separator=separator, progress=progress)

    def run(
        self,
        source: Source,
        excerpt: Excerpt = Excerpt(),
        *,
        channels: Channels = "mix",
        separator: Separator | None = None,
        only: str | None = None,
        progress: Progress | None = None,
    ) -> Run[Word]:
        """Transcribe an excerpt of a file, as `stream` does; of people who are separated, `only` the one of this name.

        Raises:
            AudioError, UsageError: as `stream`; or nobody of this name is found.
        """
        diagnostics, how = Diagnostics(self.spec.name), _Hearing(channels, separator, only, progress)

        def results(track: Track) -> Iterator[Word]:
            return (word.after(excerpt.start) for word in self._transcribed(track, how, diagnostics))

        return Run.over_file(source, excerpt, results, diagnostics)

    def _chosen(self, track: Track, diagnostics: Diagnostics) -> Recognizer:
        """The recognizer for a track."""
        first = self._recognizer
        if not first.hears_samples:
            return first
        if track.frames is not None and track.frames <= self._long_seconds * track.sample_rate:
            return first
        if self._long is None:
            model = find_reader(self.spec) if self._find_long else self._long_model
            if model is None:
                return first
            self._long = self._open(model)
            self._networks.append(self._long)
        if self._long.hears_samples:
            raise UsageError(
                f"{self._long.spec.name} reads waveforms, as {first.spec.name} does; for long audio choose a model "
                "that reads spectrograms."
            )
        known = "of unknown length" if track.frames is None else f"longer than {self._long_seconds:g} s"
        diagnostics.model = self._long.spec.name
        diagnostics.note(f"audio {known} is read by {diagnostics.model}, as a spectrogram, not by {first.spec.name}")
        return self._long

    def _transcribed(self, track: Track, how: "_Hearing", diagnostics: Diagnostics) -> Iterator[Word]:
        """The words of a track, of its channels mixed or apart, or of its people, unless nobody said them."""
        if how.channels not in get_args(Channels):
            raise UsageError(f"channels is one of {', '.join(get_args(Channels))}, not {how.channels!r}.")
        if how.separator and how.channels == "apart":
            raise UsageError(
                "A separator pulls voices apart that share a channel, channels='apart' hears each; give one."
            )
        recognizer = self._chosen(track, diagnostics)
        if how.separator:
            listener = recognizer.for_stretches()
            ears = listener.spec.sample_rate, lambda blocks, note: listener.words(blocks, self._beams, note)
            words = words_of_people(track, how.separator, how.only, ears, how.progress, diagnostics)
        elif how.channels == "mix":
            words = self._words(recognizer, track, how.progress, diagnostics)
        else:
            parts = enumerate(channels_of(track, how.progress), 1)
            heard = {f"channel {n}": list(self._recognized(recognizer, part, diagnostics.note)) for n, part in parts}
            words = merged(heard)
        return words if self._force else checked_digits(words, recognizer.spec)

    def _words(
        self, recognizer: Recognizer, track: Track, progress: Progress | None, diagnostics: Diagnostics
    ) -> Iterator[Word]:
        """The words of all channels mixed."""
        downmix, once = Downmix(track.sample_rate), PassProgress(progress, 1, track)
        mixed = dataclasses.replace(track, channels=1, blocks=lambda: downmix.blocks(once.reported(track.blocks())))
        yield from self._recognized(recognizer, mixed, diagnostics.note)
        if downmix.is_unlike:
            diagnostics.note(UNLIKE)

    def _recognized(self, recognizer: Recognizer, track: Track, note: Note) -> Iterator[Word]:
        """The words of a track of one channel."""
        clean = without_rumble(track.blocks(), track.sample_rate)
        audio = resampled(clean, track.sample_rate, recognizer.spec.sample_rate)
        return recognizer.words(audio, self._beams, note)


def open_recognizer(
    model: str | Path | Recognizer, engine: Engine = Engine(), whisper: WhisperOptions | None = None
) -> Recognizer:
    """Load a model by name or folder; one that is loaded already is taken as it is.

    Raises:
        ModelError: there is no such model, or its folder is damaged.
        RuntimeUnavailable: the device is not there.
        UsageError: the model is not a speech recogniser, or `whisper` does not suit it.
    """
    if isinstance(model, Recognizer):
        return model
    folder = find_model(model, lambda spec: check_task(spec, "transcription"), engine)
    spec = folder.spec
    if spec.tokens:
        return WhisperRecognizer.open(folder, whisper or WhisperOptions())
    if whisper:
        raise UsageError(
            f"{spec.name} is no Whisper: it has no language, task, prompt, batch or kind of times to choose; leave "
            "these out."
        )
    if spec.family == "speecht5":
        return SpeechT5Recognizer(folder.open(*spec.geometry.graphs), spec)
    network, *others = folder.open(*spec.geometry.graphs)
    if not others:
        return CtcRecognizer(network, spec)
    return DecoderRecognizer(Generator.over(CachedEncoder(network), others[0], spec))


def _check(beams: int | None, long_seconds: float) -> None:
    if beams is not None and beams < 1:
        raise UsageError(f"At least one beam is needed, got {beams}.")
    if not long_seconds > 0:
        raise UsageError(f"long_seconds is a number above 0, not {long_seconds:g}.")
