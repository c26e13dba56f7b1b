"""Stand-ins for networks that hear: each digit is a tone, and they write down which tones there are."""

import numpy as np

from unbraid.hub.spec import Mel, ModelSpec, Vocabularies, Windows
from unbraid.hub.vocabulary import SPECIAL
from unbraid.models.audio_transformer.config import AudioTransformerConfig, SpectrogramSide, TextSide, WaveSide
from unbraid.models.wav2vec2.config import Wav2Vec2Config
from unbraid.tasks.decoding.generator import Generator
from unbraid.tasks.decoding.search import Hypothesis, log_softmax
from unbraid.tasks.transcription.ctc_recognizer import CtcRecognizer
from unbraid.tasks.transcription.decoder_recognizer import DecoderRecognizer

RATE = 8000  # Hz
STEP = 160  # samples
DIGITS = (*SPECIAL, *"0123456789")
LETTERS = (*SPECIAL, " ", *"abcdefghi")
SURE = 12.0  # logit of what is heard


def hertz(tone: int) -> float:
    """Of the tones 0 to 9: whole periods in a step."""
    return RATE / STEP * (4 + 3 * tone)


def say(
    *tones: int | None, seconds: float = 0.2, rest: float = 0.1, rate: int = RATE, level: float = 0.3
) -> np.ndarray:
    """Audio (1, T) of tones with rests behind them; None is a rest alone."""
    time = np.arange(round(seconds * rate)) / rate
    quiet = np.zeros(round(rest * rate))
    said = [part for tone in tones for part in (_tone(tone, time, level), quiet)]
    return np.concatenate(said or [quiet])[None].astype(np.float32)


def _tone(tone: int | None, time: np.ndarray, level: float) -> np.ndarray:
    return np.zeros(len(time)) if tone is None else level * np.sin(2 * np.pi * hertz(tone) * time)


def heard(waveform: np.ndarray) -> np.ndarray:
    """A waveform (T,) in whole steps -> logits (N, V): the symbol of each step's loudest tone, else a blank."""
    steps = waveform.reshape(-1, STEP)
    power = np.abs(np.fft.rfft(steps))[:, [4 + 3 * tone for tone in range(10)]]  # (N, 10)
    symbols = np.where(power.max(1) > 1.0, len(SPECIAL) + power.argmax(1), 0)
    return SURE * np.eye(len(DIGITS))[symbols]


class FakeEars:
    """An executor as a Wav2Vec2 has, which keeps how long its windows were."""

    device, reason = "fake", "a test asked for it"

    def __init__(self) -> None:
        self.lengths: list[int] = []
        self.closed = False

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        (waveform,) = inputs["waveform"]
        assert inputs["waveform"].dtype == np.float32
        self.lengths.append(len(waveform))
        whole = waveform[: len(waveform) // STEP * STEP]
        return {"logits": heard(whole)[None].astype(np.float32)}

    def close(self) -> None:
        self.closed = True


class FakeWriter(Generator):
    """A Generator that has no network: it writes each tone once, and offers worse texts besides."""

    device, device_reason = "fake", "a test asked for it"

    def __init__(self, spec: ModelSpec, *, best_first: bool = True):
        self.spec, self.best_first, self.closed = spec, best_first, False
        self.lengths: list[int] = []

    def ctc(self, item: np.ndarray) -> np.ndarray:
        return log_softmax(self._logits(item))

    def generate(self, items: list[np.ndarray], *, beams: int, most_symbols: int) -> list[list[Hypothesis]]:
        self.lengths += [len(item) for item in items]
        said = [self._logits(item).argmax(1) for item in items]
        texts = [tuple(int(a) for a, b in zip(row, [0, *row], strict=False) if a and a != b) for row in said]
        return [self._beams(text[:most_symbols])[:beams] for text in texts]

    def score(self, item: np.ndarray, symbols: tuple[int, ...]) -> Hypothesis:
        return Hypothesis(symbols, (-0.3,) * (len(symbols) + 1), -0.3 * (len(symbols) + 1))

    def _beams(self, text: tuple[int, ...]) -> list[Hypothesis]:
        """The text, and one that says its end twice; which of them the decoder likes better was said."""
        logs = [-0.1, -0.11] if self.best_first else [-0.2, -0.1]
        texts = [text, text + text[-1:]]
        found = [Hypothesis(t, (log,) * (len(t) + 1), log * (len(t) + 1)) for t, log in zip(texts, logs, strict=True)]
        return sorted(found, key=lambda hypothesis: -hypothesis.score)

    def _logits(self, item: np.ndarray) -> np.ndarray:
        if item.ndim == 1:
            return heard(item)
        loud = item.reshape(-1, 2, item.shape[1]).mean(1)  # (N, F): two frames are a step
        tones = [round(64 * _mel(hertz(tone)) / _mel(RATE / 2)) for tone in range(10)]
        near = np.abs(loud.argmax(1)[:, None] - tones).argmin(1)
        symbols = np.where(loud.max(1) > 0.3, len(SPECIAL) + near, 0)
        return SURE * np.eye(len(DIGITS))[symbols]

    def close(self) -> None:
        self.closed = True


def _mel(hz: float) -> float:
    return float(np.log10(1 + hz / 700))


def ctc_spec(
    symbols: tuple[str, ...] = DIGITS, windows: Windows = Windows(4.0, 1.0), name: str = "tiny-ears"
) -> ModelSpec:
    """A Wav2Vec2 of one convolution, so that a step is a step."""
    sizes = Wav2Vec2Config(
        len(symbols), 4, 1, 4, 1, (2,), (STEP,), (STEP,), position_kernel=2, position_groups=1, normalized=False
    )
    vocabularies = Vocabularies((), symbols)
    return ModelSpec(name, "wav2vec2", RATE, 1, (), sizes, "MIT", "a test", windows=windows, vocabularies=vocabularies)


def writer_spec(
    source: str = "waveform", *, ctc: bool = True, windows: Windows = Windows(4.0, 1.0), name: str = "tiny-writer"
) -> ModelSpec:
    """An audio Transformer with a decoder."""
    side = WaveSide((STEP,), (STEP,), 4) if source == "waveform" else SpectrogramSide(64, (2,))
    sizes = AudioTransformerConfig(side, TextSide(len(DIGITS)), 4, 1, 4, 1, 1, ctc=ctc)
    mel = None if source == "waveform" else Mel()
    return ModelSpec(
        name, "audio_transformer", RATE, 1, (), sizes, "MIT", "a test",
        windows=windows, vocabularies=Vocabularies((), DIGITS), mel=mel,
    )  # fmt: skip


def ears(**spec) -> CtcRecognizer:
    """A recognizer that reads its texts off the steps."""
    return CtcRecognizer(FakeEars(), ctc_spec(**spec))


def writer(source: str = "waveform", *, best_first: bool = True, **spec) -> DecoderRecognizer:
    """A recognizer with a decoder."""
    return DecoderRecognizer(FakeWriter(writer_spec(source, **spec), best_first=best_first))
