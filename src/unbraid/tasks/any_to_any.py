"""Run any audio Transformer: text, spectrogram or waveform in, text, spectrogram or waveform out.

    with AnyToAny("g2p") as model:
        model.text("cat")                  # "K AE T"
    with AnyToAny("denoise") as model:
        model.sound("noisy.wav")           # blocks (n,) at model.spec.sample_rate

A source is a text, or a file: a recording, of which the channels are mixed, or for models that read spectrograms also
a spectrogram of NumPy. What some of these models can do besides, such as the times of words, is in their own tasks.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from unbraid.audio import Excerpt, Reader
from unbraid.audio.spectrogram_files import checked_levels, is_spectrogram, open_spectrogram
from unbraid.dsp.arrays import FloatArray
from unbraid.dsp.downmix import Downmix
from unbraid.dsp.griffin_lim import MOMENTUM, griffin_lim
from unbraid.dsp.mel_blocks import mel_blocks
from unbraid.errors import UsageError
from unbraid.hub.spec import Mel, ModelSpec
from unbraid.hub.vocabulary import END, Vocabulary
from unbraid.models.audio_transformer.config import as_audio_transformer
from unbraid.runtime import Engine
from unbraid.tasks.audio_to_audio import AudioToAudio
from unbraid.tasks.decoding.acoustic_model import AcousticModel
from unbraid.tasks.decoding.generator import Generator
from unbraid.tasks.decoding.symbols import numbers_of, text_of
from unbraid.tasks.loading import LoadedModel, find_model
from unbraid.tasks.separation.stream import resampled
from unbraid.tasks.synthesis.phonemizer import Phonemizer
from unbraid.tasks.synthesis.synthesizer import LEVELS
from unbraid.tasks.synthesis.text_frontend import phonemes_of, sentences_of, vocabulary_of
from unbraid.tasks.transcription.transcriber import Transcriber
from unbraid.tasks.vocoder import open_vocoder

BEAMS = 4
MOST_SECONDS = 120.0  # of a stored spectrogram that is transcribed, as a whole
MOST_WRITTEN = 1000  # symbols of a text that is written from a text or a stored spectrogram
BLOCK_FRAMES = 1024  # of a stored spectrogram


class AnyToAny(LoadedModel):
    """A loaded model; use it as often as you like. `close()`, or a `with` statement, frees its memory."""

    def __init__(
        self, model: str | Path, *, vocoder: str | Path | None = None, device: str = "auto", threads: int | None = None
    ):
        """Load a model by name or folder; `vocoder` turns spectrograms that it writes into waveforms.

        Raises:
            ModelError: there is no such model, or its folder is damaged.
            RuntimeUnavailable: the device is not there.
            UsageError: the model is not an audio Transformer, or the vocoder is none for its spectrograms.
        """
        spec = find_model(model, _check, Engine(device, threads=threads)).spec
        sizes = as_audio_transformer(spec.geometry)
        self.reads, self.writes = sizes.reads, sizes.writes
        if vocoder is not None and self.writes != "spectrogram":
            raise UsageError(f"{spec.name} writes {self.writes}, which needs no vocoder; leave it out.")
        self._task: Generator | Transcriber | AcousticModel | AudioToAudio
        if sizes.writes == "text":
            reads_sound = sizes.reads != "text"
            self._task = (Transcriber if reads_sound else Generator)(model, device=device, threads=threads)
        else:
            self._task = (AudioToAudio if sizes.is_aligned else AcousticModel)(model, device=device, threads=threads)
        self._vocoder = None if vocoder is None else open_vocoder(vocoder, spec, device=device, threads=threads)
        super().__init__(spec, *filter(None, (self._task, self._vocoder)))
        self._model, self._device, self._threads = model, device, threads

    def text(self, source: str | Path) -> str:
        """The text for a source, of a model that writes texts.

        Raises:
            AudioError: the file cannot be read.
            UsageError: the model writes something else, or the source is not what it reads.
        """
        if isinstance(self._task, Transcriber):
            if is_spectrogram(Path(source)):
                return self._read(open_spectrogram(Path(source), self._mel.bins), source)
            return " ".join(" ".join(word.text for word in self._task.run(self._recording(source))).split())
        if not isinstance(self._task, Generator):
            raise UsageError(f"{self.spec.name} writes no text, but a {self.writes}.")
        ((best, *_),) = self._task.generate([self._symbols(str(source))], beams=BEAMS, most_symbols=MOST_WRITTEN)
        return text_of(best.symbols, self._vocabulary("target"))

    def made(self, source: str | Path) -> Iterator[FloatArray]:
        """The model's own output block by block: a waveform (n,) or log-mel levels (n, F).

        Raises:
            AudioError: the file cannot be read.
            UsageError: the model writes text, or the source is not what it reads.
        """
        if isinstance(self._task, AcousticModel):
            yield from self._spoken(self._task, str(source))
        elif isinstance(self._task, AudioToAudio):
            yield from self._task.blocks(self._heard(source))
        else:
            raise UsageError(f"{self.spec.name} writes text, and no sound.")

    def sound(self, source: str | Path) -> Iterator[FloatArray]:
        """A waveform (n,) block by block: the model's own, or by the vocoder or Griffin & Lim of its spectrogram.

        Raises:
            AudioError: the file cannot be read.
            UsageError: the model writes text, or the source is not what it reads.
        """
        made = self.made(source)
        if self.writes == "waveform":
            yield from made
        elif self._vocoder is not None:
            yield from self._vocoder.blocks(levels.clip(*LEVELS) for levels in made)
        else:
            levels = np.concatenate(list(made)).clip(*LEVELS)
            yield griffin_lim(levels, self._mel, self.spec.sample_rate, momentum=MOMENTUM)

    def _heard(self, source: str | Path) -> Iterator[FloatArray]:
        """What a model that reads sound takes: samples (n,) or levels (n, F)."""
        path = Path(source)
        if is_spectrogram(path):
            levels = open_spectrogram(path, self._mel.bins)
            for first in range(0, len(levels), BLOCK_FRAMES):
                yield checked_levels(levels[first : first + BLOCK_FRAMES], path)
            return
        with Reader(self._recording(path), Excerpt()) as reader:
            rate = reader.info.sample_rate
            mono = resampled(Downmix(rate).blocks(reader.blocks()), rate, self.spec.sample_rate)
            samples = (block[0] for block in mono)
            is_read = self.reads == "spectrogram"
            yield from mel_blocks(samples, self._mel, self.spec.sample_rate) if is_read else samples

    def _recording(self, source: str | Path) -> Path:
        """A source as a recording.

        Raises:
            UsageError: it is a spectrogram, and the model reads waveforms.
        """
        if is_spectrogram(path := Path(source)):
            raise UsageError(f"{self.spec.name} reads waveforms, and {path} is a spectrogram; name a recording.")
        return path

    def _read(self, levels: FloatArray, source: str | Path) -> str:
        """The text of a stored spectrogram (N, F)."""
        seconds = len(levels) * self._mel.hop_samples / self.spec.sample_rate
        if seconds > MOST_SECONDS:
            raise UsageError(
                f"{source} lasts {seconds:.0f} s, and spectrograms are transcribed up to {MOST_SECONDS:g} s; "
                "name the recording, which may be of any length."
            )
        with Generator(self._model, device=self._device, threads=self._threads) as generator:
            item = checked_levels(levels, source)
            ((best, *_),) = generator.generate([item], beams=BEAMS, most_symbols=MOST_WRITTEN)
        return text_of(best.symbols, self._vocabulary("target"))

    def _spoken(self, model: AcousticModel, text: str) -> Iterator[FloatArray]:
        """The levels (N, F) of a text, or of each of its sentences."""
        for symbols in self._sentences(text):
            (spoken,) = model.speak([symbols])
            yield spoken.log_mel

    def _sentences(self, text: str) -> Iterator[list[int]]:
        """A text in symbols; of a voice that was trained on phonemes, each sentence in phonemes."""
        vocabulary = self._vocabulary("source")
        with Phonemizer(device=self._device, threads=self._threads) as phonemizer:
            if vocabulary != vocabulary_of(phonemizer):
                yield self._symbols(text)
                return
            for sentence in sentences_of(text):
                phonemes = phonemes_of(sentence.words, phonemizer)
                yield [*vocabulary.encode(sentence.symbols(phonemes)), END]

    def _symbols(self, text: str) -> list[int]:
        """A text in symbols, its end included.

        Raises:
            UsageError: it is empty, or has symbols that the model does not know.
        """
        numbers = numbers_of(text, self._vocabulary("source"), f"{self.spec.name} cannot read")
        if not numbers:
            raise UsageError(f"There is nothing to read; give {self.spec.name} a text.")
        return [*numbers, END]

    def _vocabulary(self, side: str) -> Vocabulary:
        assert self.spec.vocabularies is not None
        return Vocabulary(getattr(self.spec.vocabularies, side))

    @property
    def _mel(self) -> Mel:
        """The spectrogram of the model.

        Raises:
            UsageError: it knows none.
        """
        if self.spec.mel is None or self.spec.tokens:
            raise UsageError(f"{self.spec.name} takes no spectrograms from files; name a recording.")
        return self.spec.mel


def _check(spec: ModelSpec) -> None:
    if spec.family != "audio_transformer":
        raise UsageError(f"{spec.name} is no audio Transformer, but of the family {spec.family}; choose another model.")
