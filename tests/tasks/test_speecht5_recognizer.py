"""A SpeechT5 that writes text, over fake networks: pieces, times, the end of a text, silence."""

from itertools import pairwise

import numpy as np
import pytest

from unbraid.hub.spec import ModelSpec, Vocabularies, Windows
from unbraid.hub.vocabulary import END, SPECIAL
from unbraid.models.speecht5.config import SpeechT5Config
from unbraid.tasks.transcription.speecht5_recognizer import SpeechT5Recognizer

RATE = 16000
SYMBOLS = (*SPECIAL, *"▁abc", "<8>")
SIZES = SpeechT5Config(
    len(SYMBOLS), 8, 2, 8, 1, 1, 4, source="waveform", target="text", filters=(4, 4), kernels=(10, 64), strides=(5, 64),
    position_groups=2,
)  # fmt: skip
SPEC = ModelSpec(
    "asr", "speecht5", RATE, 1, (), SIZES, "MIT", "a test", windows=Windows(2.0, 0.0),
    vocabularies=Vocabularies((), SYMBOLS),
)  # fmt: skip


class Encoder:
    """Remembers what it was given."""

    device, reason = "fake", "a test asked for it"

    def __init__(self) -> None:
        self.heard: list[int] = []

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        self.heard.append(inputs["waveform"].shape[1])
        return dict.fromkeys(("cross_keys", "cross_values"), np.zeros((1, 1, 2, 7, 4), np.float32))

    def close(self) -> None:
        pass


class Decoder(Encoder):
    """Writes a text, whatever it is given; the symbol that is no character is always the likeliest."""

    def __init__(self, text: str, ends: bool = True):
        super().__init__()
        self._text, self._ends = [SYMBOLS.index(symbol) for symbol in text], ends

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        rows, n = len(inputs["symbols"]), inputs["self_keys"].shape[3]
        assert n or (inputs["symbols"] == END).all()  # what a text begins with
        follows = self._text[n % len(self._text)] if n < len(self._text) or not self._ends else END
        logits = np.zeros((rows, len(SYMBOLS)), np.float32)
        logits[:, follows], logits[:, len(SYMBOLS) - 1] = 5.0, 9.0
        kept = np.zeros((1, rows, 2, n + 1, 4), np.float32)
        return {"logits": logits, "new_self_keys": kept, "new_self_values": kept}


def talk(seconds: float) -> np.ndarray:
    """Noise in syllables, (1, T)."""
    time = np.arange(round(seconds * RATE)) / RATE
    noise = np.random.default_rng(0).normal(0, 0.1, len(time))
    return (noise * (np.sin(2 * np.pi * 3 * time) > 0)).astype(np.float32)[None]


@pytest.mark.parametrize("beams", [1, 4])
def test_pieces_become_words_that_share_their_time_by_letters(beams: int) -> None:
    """Two pieces with a long silence between them."""
    audio = np.concatenate((talk(1.5), np.zeros((1, 4 * RATE), np.float32), talk(1.5)), axis=1)
    encoder = Encoder()
    with SpeechT5Recognizer((encoder, Decoder("▁ab▁c")), SPEC) as recognizer:
        words = list(recognizer.words(iter([audio]), beams))
    assert [word.text for word in words] == ["ab", "c", "ab", "c"]
    assert len(encoder.heard) == 2
    assert words[0].start == pytest.approx(0, abs=0.01) and words[2].start == pytest.approx(5.5, abs=0.4)
    assert words[0].end == pytest.approx(words[1].start, abs=0.01)
    assert words[0].end - words[0].start == pytest.approx(1.5 * (words[1].end - words[1].start), rel=0.02)
    assert all(0.9 < word.confidence < 1 for word in words)  # the barred symbol has no share


def test_a_long_recording_is_read_in_pieces_without_a_gap() -> None:
    encoder = Encoder()
    with SpeechT5Recognizer((encoder, Decoder("▁a")), SPEC) as recognizer:
        words = list(recognizer.words(iter([talk(11.0)])))
    assert sum(encoder.heard) == 11 * RATE and max(encoder.heard) <= 2 * RATE
    assert [word.text for word in words] == ["a"] * len(encoder.heard)
    assert all(a.end == pytest.approx(b.start) for a, b in pairwise(words))


def test_a_text_without_an_end_is_cut_off_and_noted() -> None:
    told: list[str] = []
    with SpeechT5Recognizer((Encoder(), Decoder("▁a", ends=False)), SPEC) as recognizer:
        words = list(recognizer.words(iter([talk(4.0)]), 1, told.append))
    assert told == ["asr found no end of the text at 0 s"]
    assert len(words) <= 4 * 25 / 2


def test_silence_and_steady_noise_have_no_words() -> None:
    encoder = Encoder()
    hiss = np.random.default_rng(1).normal(0, 0.1, (1, 5 * RATE)).astype(np.float32)
    with SpeechT5Recognizer((encoder, Decoder("▁a")), SPEC) as recognizer:
        assert not list(recognizer.words(iter([np.zeros((1, 5 * RATE), np.float32)])))
        assert not list(recognizer.words(iter([hiss])))
        assert not list(recognizer.words(iter([])))
    assert not encoder.heard


def test_audio_shorter_than_a_step_is_read() -> None:
    encoder = Encoder()
    with SpeechT5Recognizer((encoder, Decoder("▁a")), SPEC) as recognizer:
        list(recognizer.words(iter([talk(0.01)])))
    assert encoder.heard == [SIZES.least_samples]
