"""Synthesizer: text to speech in one voice.

    audio = Synthesizer("speak")("Room 305, please.")   # (1, T) float32, at .sample_rate

The text front end turns words into phonemes (see text_frontend.py), the acoustic model phonemes into a log-mel
spectrogram, frame by frame (see decoding/acoustic_model.py), and a vocoder, or without one Griffin & Lim's algorithm,
the spectrogram into a waveform. A long text is synthesised sentence by sentence, with pauses between, in constant
memory.
"""

from collections.abc import Generator
from pathlib import Path
from typing import Self

import numpy as np

from unbraid.dsp.arrays import FloatArray
from unbraid.dsp.griffin_lim import MOMENTUM, griffin_lim
from unbraid.errors import ModelError, ModelNotFound, UsageError
from unbraid.hub.defaults import DEFAULTS
from unbraid.hub.vocabulary import END, Vocabulary
from unbraid.tasks.decoding.acoustic_model import AcousticModel
from unbraid.tasks.loading import LoadedModel, check_task
from unbraid.tasks.results import Diagnostics, Run
from unbraid.tasks.synthesis.phonemizer import Phonemizer
from unbraid.tasks.synthesis.text_frontend import Sentence, most_seconds, phonemes_of, sentences_of
from unbraid.tasks.vocoder import HifiganVocoder, Vocoder, vocoder_for

MODEL = DEFAULTS["acoustic model"]
PAUSE_SECONDS = 0.2  # between sentences
SENTENCES = 8  # in a batch
LEVELS = (-1.0, 1.0)  # valid range of a log-mel spectrogram


class Synthesizer(LoadedModel):
    """Loaded models; use them as often as you like. `close()`, or a `with` statement, frees their memory."""

    def __init__(
        self,
        model: str | Path | AcousticModel = MODEL,
        *,
        vocoder: str | Path | Vocoder | None = None,
        phonemizer: str | Path | Phonemizer = DEFAULTS["phonemes"],
        device: str = "auto",
        threads: int | None = None,
    ):
        """Load a voice, a vocoder if one is named, and the phonemizer of the voice's training; by name or folder.

        Raises:
            ModelError: there is no such model, its folder is damaged, or the phonemizer is not that of the training.
            RuntimeUnavailable: the device is not there.
            UsageError: a model does another task, or the vocoder takes other spectrograms.
        """
        voice = model if isinstance(model, LoadedModel) else _voice(model, device, threads)
        check_task(voice.spec, "acoustic model")
        if vocoder is not None:
            vocoder = vocoder_for(voice.spec, vocoder, device=device, threads=threads)
        if not isinstance(phonemizer, LoadedModel):
            phonemizer = Phonemizer(phonemizer, device=device, threads=threads)
        super().__init__(voice.spec, *filter(None, (voice, phonemizer, vocoder)))
        if isinstance(vocoder, HifiganVocoder) and vocoder.reads != self.spec.mel:
            raise UsageError(f"{vocoder.spec.name} was opened for another spectrogram; open it with that of the voice.")
        assert self.spec.vocabularies is not None and self.spec.mel is not None
        self._voice, self._phonemizer, self._vocoder = voice, phonemizer, vocoder
        self._mel, self.sample_rate = self.spec.mel, self.spec.sample_rate
        self._symbols = Vocabulary(self.spec.vocabularies.source)
        if unknown := self._symbols.unknown(phonemizer.phonemes):
            raise ModelError(
                f"{self.spec.name} does not know {', '.join(unknown[:5])}, which {phonemizer.spec.name} writes; "
                "name the phonemizer that it was trained with."
            )

    @classmethod
    def over(cls, voice: AcousticModel, phonemizer: Phonemizer, vocoder: Vocoder | None = None) -> Self:
        """A synthesizer over models of one's own."""
        return cls(voice, vocoder=vocoder, phonemizer=phonemizer)

    def __call__(self, text: str) -> FloatArray:
        """Synthesize a text: (1, T), at most 1 in magnitude.

        Raises:
            UsageError: the text is empty, or has signs that cannot be pronounced.
        """
        return np.concatenate(list(self.blocks(text)), axis=1)

    def blocks(self, text: str) -> Run[FloatArray]:
        """Synthesize sentence by sentence: each (1, n). The whole text is checked before the first.

        The run's `diagnostics.notice` names the first sentence that the model did not end, if any.

        Raises:
            UsageError: the text is empty, or has signs that cannot be pronounced.
        """
        sentences = list(sentences_of(text))
        if not sentences:
            raise UsageError("There are no words in this text; give at least one.")
        for word in {word for sentence in sentences for word in sentence.words}:
            self._phonemizer.words(word)  # refuses unknown letters
        diagnostics = Diagnostics(self.spec.name)
        return Run(self._synthesized(sentences, diagnostics), diagnostics)

    def _levels(self, sentences: list[Sentence], diagnostics: Diagnostics) -> list[FloatArray]:
        """Sentences as log-mel spectrograms, (N, F) each."""
        phonemes = phonemes_of((word for sentence in sentences for word in sentence.words), self._phonemizer)
        items = [[*self._symbols.encode(sentence.symbols(phonemes)), END] for sentence in sentences]
        seconds = [most_seconds(len(item)) for item in items]
        most = [round(length * self.sample_rate / self._mel.hop_samples) for length in seconds]
        spoken = self._voice.speak(items, most_frames=most)
        endless = [n for n, found in enumerate(spoken) if not found.ended]
        if endless and diagnostics.notice is None:
            text, length = sentences[endless[0]].text, seconds[endless[0]]
            diagnostics.note(f"{self.spec.name} found no end of {text!r}; it was cut off after {length:.1f} s")
        return [np.clip(found.log_mel, *LEVELS) for found in spoken]

    def _waveform(self, levels: FloatArray) -> FloatArray:
        """A spectrogram (N, F) as a waveform (T,), at most 1 in magnitude."""
        mel, rate = self._mel, self.sample_rate
        audio = self._vocoder(levels) if self._vocoder else griffin_lim(levels, mel, rate, momentum=MOMENTUM)
        loudest = np.float32(np.abs(audio).max(initial=1.0))
        return audio / loudest

    def _synthesized(self, sentences: list[Sentence], diagnostics: Diagnostics) -> Generator[FloatArray, None, None]:
        pause = np.zeros((1, round(PAUSE_SECONDS * self.sample_rate)), np.float32)
        for first in range(0, len(sentences), SENTENCES):
            for n, levels in enumerate(self._levels(sentences[first : first + SENTENCES], diagnostics), first):
                if n:
                    yield pause
                yield self._waveform(levels)[None]


def _voice(model: str | Path, device: str, threads: int | None) -> AcousticModel:
    """The voice of a name or folder; the package has none of its own."""
    try:
        return AcousticModel(model, device=device, threads=threads)
    except ModelNotFound:
        if model != MODEL:
            raise
        raise ModelNotFound(
            f"No voice is inside the package or published, and none on this machine is called {MODEL!r}. Make speech "
            "with `unbraid data speak --phrases`, train on it in ten minutes with `unbraid train speak`, and name the "
            "new folder with -m."
        ) from None
