"""SpeechT5Synthesizer: text to speech in the voice that a vector describes.

    with SpeechT5Synthesizer("microsoft/speecht5_tts", speaker=vector) as synthesizer:
        audio = synthesizer("Good morning.")        # (1, T) float32, at .sample_rate

The text is read character by character, as it is written. A long one is synthesised sentence by sentence, with pauses
between, in constant memory. The same sentence always gives the same samples (see decoding/speecht5_frames.py).
"""

from collections.abc import Generator
from pathlib import Path
from typing import Self

import numpy as np

from unbraid.dsp.arrays import FloatArray
from unbraid.errors import UsageError
from unbraid.hub.defaults import DEFAULTS
from unbraid.hub.spec import ModelSpec
from unbraid.hub.vocabulary import END, Vocabulary
from unbraid.models.speecht5.config import SpeechT5Config
from unbraid.runtime import Engine, Executor
from unbraid.tasks.decoding.speecht5_frames import Spoken, write_frames
from unbraid.tasks.loading import Loaded, LoadedModel, load
from unbraid.tasks.results import Diagnostics, Run
from unbraid.tasks.synthesis.characters import BLANK, sentences_of
from unbraid.tasks.synthesis.speaker_vector import checked_vector
from unbraid.tasks.vocoder import HifiganVocoder, Vocoder, vocoder_for

VOCODER = DEFAULTS["vocoder"]
PAUSE_SECONDS = 0.2  # between sentences
FRAMES_A_SYMBOL = 20  # at most


class SpeechT5Synthesizer(LoadedModel):
    """Loaded models; use it as often as you like. `close()`, or a `with` statement, frees their memory."""

    def __init__(
        self,
        model: str | Path | Loaded,
        *,
        speaker: FloatArray,
        vocoder: str | Path | Vocoder = VOCODER,
        device: str = "auto",
        threads: int | None = None,
    ):
        """Load a voice and its vocoder by name or folder; `speaker` (S,) describes who speaks.

        Raises:
            ModelError: there is no such model, or its folder is damaged.
            RuntimeUnavailable: the device is not there.
            UsageError: a model does another task, the vocoder takes other spectrograms, or the speaker is another
                vector.
        """
        voice = load(model, _sizes, Engine(device, threads=threads))
        super().__init__(voice.spec, *voice.executors)
        self._encoder, *self._writing = voice.executors
        self._sizes, spec = _sizes(voice.spec), voice.spec
        self.speaker = checked_vector(speaker, self._sizes.speaker, spec.name)
        vocoder = vocoder_for(spec, vocoder, device=device, threads=threads)
        self._networks.append(vocoder)
        assert spec.vocabularies is not None
        self._symbols, self._vocoder = Vocabulary(spec.vocabularies.source), vocoder
        self.sample_rate = spec.sample_rate

    @classmethod
    def over(
        cls, executors: tuple[Executor, ...], spec: ModelSpec, speaker: FloatArray, vocoder: HifiganVocoder
    ) -> Self:
        """A synthesizer over executors of one's own: another engine, or fakes in a test."""
        return cls(Loaded(spec, executors), speaker=speaker, vocoder=vocoder)

    def __call__(self, text: str) -> FloatArray:
        """Synthesize a text: (1, T), at most 1 in magnitude.

        Raises:
            UsageError: the text is empty, or has signs that the model does not know.
        """
        return np.concatenate(list(self.blocks(text)), axis=1)

    def blocks(self, text: str) -> Run[FloatArray]:
        """Synthesize sentence by sentence: each (1, n). The whole text is checked before the first.

        The run's `diagnostics.notice` names the first sentence that the model did not end, if any.

        Raises:
            UsageError: the text is empty, or has signs that the model does not know.
        """
        sentences = sentences_of(text, self._symbols, self.spec.name)
        diagnostics = Diagnostics(self.spec.name)
        return Run(self._synthesized(sentences, diagnostics), diagnostics)

    def speak(self, sentence: str, *, dropout: bool = True) -> Spoken:
        """The spectrogram of one sentence, without an end if it takes too long; `dropout` is that of the pre-net.

        Raises:
            UsageError: the sentence is empty, or has symbols that the model does not know.
        """
        text = BLANK + sentence.replace(" ", BLANK)
        if not sentence.strip() or self._symbols.unknown(text):
            raise UsageError(f"{self.spec.name} cannot read {sentence!r}.")
        numbers = np.array([[*self._symbols.encode(text), END]], np.int64)
        memory = self._encoder.run({"symbols": numbers})
        most = numbers.size * FRAMES_A_SYMBOL // self._sizes.stride
        return write_frames(self._writing, self._sizes, memory, self.speaker, most, dropout=dropout)

    def _synthesized(self, sentences: list[str], diagnostics: Diagnostics) -> Generator[FloatArray, None, None]:
        pause = np.zeros((1, round(PAUSE_SECONDS * self.sample_rate)), np.float32)
        for n, sentence in enumerate(sentences):
            spoken = self.speak(sentence)
            if not spoken.ended and diagnostics.notice is None:
                seconds = len(spoken.log_mel) * self._hop / self.sample_rate
                diagnostics.note(f"{self.spec.name} found no end of {sentence!r}; it was cut off after {seconds:.1f} s")
            if n:
                yield pause
            yield self._vocoder(spoken.log_mel)[None]

    @property
    def _hop(self) -> int:
        assert self.spec.mel is not None
        return self.spec.mel.hop_samples


def _sizes(spec: ModelSpec) -> SpeechT5Config:
    if not isinstance(spec.geometry, SpeechT5Config) or spec.task != "acoustic model":
        raise UsageError(
            f"{spec.name} is no SpeechT5 that speaks, so that its voice cannot be chosen; leave the voice out, or "
            "choose microsoft/speecht5_tts."
        )
    return spec.geometry
