"""Stand-ins for a model that speaks: each symbol is a band that is loud for a while, so that what was said is seen."""

from collections.abc import Sequence

import numpy as np

from text_fakes import LETTERS, speller
from unbraid.hub.spec import Mel, ModelSpec, Vocabularies, Windows
from unbraid.hub.vocabulary import Vocabulary
from unbraid.models.audio_transformer.config import AudioTransformerConfig, SpectrogramSide, TextSide, WaveSide
from unbraid.tasks.audio_to_audio import AudioToAudio
from unbraid.tasks.decoding.acoustic_model import AcousticModel, Spoken
from unbraid.tasks.synthesis.phonemizer import Phonemizer
from unbraid.tasks.synthesis.synthesizer import Synthesizer
from unbraid.tasks.synthesis.text_frontend import vocabulary_of

RATE = 8000  # Hz
MEL = Mel(64, 40, 40)
FRAMES = 4  # of each symbol, its end included
SYMBOLS = Vocabulary.of([LETTERS.upper(), " ,."]).symbols


def voice_spec(name: str = "voice", symbols: tuple[str, ...] = SYMBOLS) -> ModelSpec:
    """A model from phonemes to a spectrogram."""
    sizes = AudioTransformerConfig(TextSide(len(symbols)), SpectrogramSide(MEL.bins, (2,)), 4, 1, 4, 1, 1)
    return ModelSpec(
        name, "audio_transformer", RATE, 1, (), sizes, "MIT", "a test", vocabularies=Vocabularies(symbols, ()), mel=MEL
    )


def vocoder_spec(mel: Mel = MEL, rate: int = RATE) -> ModelSpec:
    """A model from a spectrogram to a waveform."""
    sides = SpectrogramSide(mel.bins), WaveSide((mel.hop_samples,), (mel.hop_samples,), 4)
    sizes = AudioTransformerConfig(*sides, 4, 1, 4, 1, 0)
    return ModelSpec(
        "vocoder", "audio_transformer", rate, 1, (), sizes, "MIT", "a test", windows=Windows(1.0, 0.25), mel=mel
    )


class FakeSpeaker(AcousticModel):
    """An acoustic model without a network; it never ends a sentence with an X in it."""

    device, device_reason = "fake", "a test asked for it"

    def __init__(self, spec: ModelSpec | None = None) -> None:
        self.spec = spec or voice_spec()
        self.batches: list[int] = []
        self.closed = False

    def speak(self, items: Sequence[Sequence[int]], *, most_frames: Sequence[int]) -> list[Spoken]:
        self.batches.append(len(items))
        return [self._spoken(list(item), most) for item, most in zip(items, most_frames, strict=True)]

    def close(self) -> None:
        self.closed = True

    def _spoken(self, item: list[int], most_frames: int) -> Spoken:
        assert self.spec.mel is not None
        endless = SYMBOLS.index("X") in item
        symbols = np.resize(item, most_frames // FRAMES) if endless else np.array(item)
        levels = np.full((len(symbols), self.spec.mel.bins), -3.0, np.float32)  # lower than there is
        levels[np.arange(len(symbols)), symbols] = 0.5
        return Spoken(levels.repeat(FRAMES, 0), not endless)


class FakeVocoder(AudioToAudio):
    """A vocoder without a network: each frame becomes samples of its loudest band's number."""

    def __init__(self, spec: ModelSpec | None = None, gain: float = 0.01) -> None:
        self.spec, self.gain, self.closed = spec or vocoder_spec(), gain, False

    def __call__(self, levels: np.ndarray) -> np.ndarray:
        assert levels.dtype == np.float32
        assert np.abs(levels).max() <= 1
        return (levels.argmax(1) * self.gain).astype(np.float32).repeat(MEL.hop_samples)

    def close(self) -> None:
        self.closed = True


def synthesizer(vocoder: FakeVocoder | None = None, speaker: FakeSpeaker | None = None) -> Synthesizer:
    """Over stand-ins that speak as they spell."""
    phonemizer = Phonemizer.over(speller())
    assert vocabulary_of(phonemizer).symbols == SYMBOLS
    return Synthesizer.over(speaker or FakeSpeaker(), phonemizer, vocoder)
