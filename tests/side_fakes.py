"""A small audio Transformer for every combination of sides."""

import dataclasses

import numpy as np

from unbraid.hub.spec import Mel, ModelSpec, Vocabularies, Windows
from unbraid.hub.vocabulary import SPECIAL
from unbraid.models.audio_transformer.config import (
    AudioTransformerConfig,
    PretrainedSide,
    Side,
    SpectrogramSide,
    TextSide,
    WaveSide,
)
from unbraid.models.audio_transformer.padding import size_of
from unbraid.models.wav2vec2.config import Wav2Vec2Config

MEL = Mel(frame_samples=20, hop_samples=4, bins=6)
LETTERS, CAPITALS = TextSide(9), TextSide(11)
FRAMES, PAIRS = SpectrogramSide(6, (2, 2)), SpectrogramSide(6, (2,))  # a step: 16 samples, 8 samples
WAVE, DEEP = WaveSide((12,), (8,), 10), WaveSide((4, 6), (2, 4), 7)  # a step: 8 samples
BASE = Wav2Vec2Config(5, 12, 3, 20, 2, (4, 6), (6, 3), (4, 2), position_kernel=6, position_groups=2)  # 8, reach 14
LARGE = dataclasses.replace(BASE, filter_norm="layer", filter_bias=True, pre_norm=True, position_kernel=5)
BARE = dataclasses.replace(BASE, project_norm=False, normalized=False)


def sizes(source: Side, target: Side, decoder_layers: int = 0, ctc: bool = False) -> AudioTransformerConfig:
    """A small network between two sides."""
    positions = "rotary" if isinstance(source, SpectrogramSide) else "sinusoidal"
    return AudioTransformerConfig(source, target, 24, 3, 40, 2, decoder_layers, positions, ctc)


WRITERS = {  # of text
    "text to text": sizes(LETTERS, CAPITALS, 2),
    "spectrogram to text": sizes(FRAMES, CAPITALS, 1, ctc=True),
    "waveform to text": sizes(WAVE, CAPITALS, 2, ctc=True),
    "deep waveform to text": sizes(DEEP, CAPITALS, 1),
    "pretrained to text": sizes(PretrainedSide(BASE), CAPITALS, 1, ctc=True),
    "pretrained and large to text": sizes(PretrainedSide(LARGE), CAPITALS, 1),
    "pretrained and bare to text": sizes(PretrainedSide(BARE), CAPITALS, 1, ctc=True),
}
SPEAKERS = {  # frame by frame
    "text to spectrogram": sizes(LETTERS, PAIRS, 2),
    "spectrogram to other spectrogram": sizes(FRAMES, PAIRS, 1),
    "waveform to other spectrogram": sizes(DEEP, SpectrogramSide(6), 1),
}
CONVERTERS = {  # aligned
    "spectrogram to spectrogram": sizes(PAIRS, PAIRS),
    "spectrogram to spectrogram in its own way": sizes(FRAMES, SpectrogramSide(6, (4,))),
    "waveform to waveform": sizes(WAVE, WAVE),
    "waveform to waveform in its own way": sizes(DEEP, WAVE),
    "waveform to spectrogram": sizes(DEEP, PAIRS),
    "spectrogram to waveform": sizes(PAIRS, WAVE),
}
EVERY = WRITERS | SPEAKERS | CONVERTERS


def side_spec(geometry: AudioTransformerConfig) -> ModelSpec:
    """A model between any two sides."""
    sides = (geometry.source, geometry.target)
    symbols = [
        (*SPECIAL, *(chr(ord(first) + i) for i in range(side.symbols - len(SPECIAL))))
        if isinstance(side, TextSide)
        else ()
        for first, side in zip("aA", sides, strict=True)
    ]
    text = all(isinstance(side, TextSide) for side in sides)
    return ModelSpec(
        "tiny-sides",
        "audio_transformer",
        0 if text else 8000,
        0 if text else 1,
        ("speech",) if all(isinstance(side, WaveSide) for side in sides) else (),
        geometry,
        "MIT",
        "a test",
        windows=None if isinstance(geometry.source, TextSide) else Windows(0.1, 0.025),
        vocabularies=Vocabularies(*symbols) if any(symbols) else None,
        mel=MEL if any(isinstance(side, SpectrogramSide) for side in sides) else None,
    )


def items(source: Side, steps: list[int], seed: int = 0) -> list[np.ndarray]:
    """Sources of so many steps: symbols (N,), log-mel (N·stride, F), or samples (N·stride,) or as pretrained."""
    random = np.random.default_rng(seed)
    if isinstance(source, TextSide):
        return [random.integers(1, source.symbols, n) for n in steps]
    width = (source.bins,) if isinstance(source, SpectrogramSide) else ()
    return [random.uniform(-1, 1, (size_of(source, n), *width)).astype(np.float32) for n in steps]
