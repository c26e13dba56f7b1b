"""Sound made of sound, step for step: any length, windows that do not show, and bad input in words."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine_fakes import speech_spec
from side_fakes import CONVERTERS, MEL, WRITERS, side_spec
from speaking_fakes import vocoder_spec
from unbraid.dsp.mel import mel_levels
from unbraid.errors import AudioError, UsageError
from unbraid.hub.spec import Mel
from unbraid.tasks.audio_to_audio import AudioToAudio, EnhancerExecutor


class Aligned:
    """A network that keeps what it reads, as the loudness of it or a sound of that loudness: step for step."""

    device, reason = "fake", "a test asked for it"

    def __init__(self, kind: str):
        self.source, self.target = kind.split(" to ")
        self.closed = False

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        name = "waveform" if self.source == "waveform" else "log_mel"
        sound, lengths = inputs[name], inputs["lengths"]
        stride = 8 if self.source == "waveform" else 2
        assert sound.dtype == np.float32
        assert lengths.tolist() == [sound.shape[1] // stride] * len(sound)
        assert sound.shape[1] % stride == 0
        if self.source == self.target:
            made = sound / 2
        elif self.target == "spectrogram":  # 4 samples to a frame
            made = np.repeat(sound.reshape(len(sound), -1, 4).mean(2)[:, :, None], 6, 2)
        else:
            made = np.repeat(sound.mean(2), 4, 1)
        return {"waveform_out" if self.target == "waveform" else "log_mel_out": made}

    def close(self) -> None:
        self.closed = True


KINDS = [kind for kind in CONVERTERS if "own way" not in kind]


@pytest.mark.parametrize("kind", KINDS)
@given(length=st.integers(1, 3000), cut=st.integers(1, 700))
def test_any_length_whole_or_in_blocks_is_what_the_network_makes_of_it(kind: str, length: int, cut: int) -> None:
    converter = AudioToAudio.over(Aligned(kind), side_spec(CONVERTERS[kind]), rounds=0)
    source, target = kind.split(" to ")
    shape = (length,) if source == "waveform" else (length, 6)
    sound = np.random.default_rng(0).uniform(-0.9, 0.9, shape).astype(np.float32)
    made = converter(sound)
    if source == target:
        np.testing.assert_allclose(made, sound / 2, atol=1e-6)
    elif target == "spectrogram":
        assert made.shape == (-(-length // 4), 6)
        padded = np.pad(sound, (0, -length % 4)).reshape(-1, 4).mean(1)
        np.testing.assert_allclose(made[:, 0], padded, atol=1e-6)
    else:
        np.testing.assert_allclose(made, np.repeat(sound.mean(1), 4), atol=1e-6)
    pieces = list(converter.blocks(sound[i : i + cut] for i in range(0, length, cut)))
    np.testing.assert_allclose(np.concatenate(pieces), made, atol=1e-6)


PERIOD = 2 * (CONVERTERS["spectrogram to waveform"].target.filters - 1)  # samples after which all tones come again


class Humming(Aligned):
    """A vocoder that hums the tone of one filter, begun anew at each window's first step."""

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        samples = int(inputs["lengths"][0]) * 8
        return {"waveform_out": np.cos(2 * np.pi * 3 / PERIOD * np.arange(samples, dtype=np.float32))[None]}


def test_the_tones_of_a_vocoder_go_on_from_window_to_window() -> None:
    """Windows begin where all tones are where they were at first, however much there is to say."""
    spec = side_spec(CONVERTERS["spectrogram to waveform"])
    converter = AudioToAudio.over(Humming("spectrogram to waveform"), spec, rounds=0)
    for frames in (5, 700, 2001, 3003):
        hummed = converter(np.zeros((frames, 6), np.float32))
        assert hummed.shape == (4 * frames,)
        np.testing.assert_allclose(hummed, np.cos(2 * np.pi * 3 / PERIOD * np.arange(4 * frames)), atol=1e-3)


class Hoarse:
    """A vocoder that knows a voice, and says it with a noise of its own."""

    device, reason = "fake", "a test asked for it"

    def __init__(self, voice: np.ndarray):
        self.voice = voice

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        noise = np.random.default_rng(0).normal(0, 0.05, self.voice.shape)
        return {"waveform_out": (self.voice + noise).astype(np.float32)[None]}

    def close(self) -> None:
        """It holds nothing."""


def test_a_vocoders_phases_are_kept_and_its_magnitudes_become_those_that_were_given() -> None:
    time = np.arange(8000) / 8000
    voice = sum(np.cos(2 * np.pi * 125 * k * time) for k in range(1, 9)) / 20 * np.sin(np.pi * time)
    mel = Mel(256, 80, 64)
    levels = mel_levels(voice.astype(np.float32), mel, 8000)

    def made(rounds: int) -> tuple[float, float]:
        """How far from the spectrogram, in levels, and how like the voice (1: the same, but for a gain)."""
        found = AudioToAudio.over(Hoarse(voice), vocoder_spec(mel, 8000), rounds)(levels)
        distance = float(np.abs(mel_levels(found, mel, 8000) - levels).mean())
        return distance, float(np.corrcoef(found, voice)[0, 1])

    (rough, _), (smooth, like) = made(0), made(16)
    assert smooth < rough / 2
    assert like > 0.95


def test_levels_are_never_below_the_floor() -> None:
    kind = "spectrogram to spectrogram"
    converter = AudioToAudio.over(Aligned(kind), side_spec(CONVERTERS[kind]))
    assert converter(np.full((5, 6), -4, np.float32)).min() == -1


def test_the_network_is_freed() -> None:
    network = Aligned(KINDS[0])
    with AudioToAudio.over(network, side_spec(CONVERTERS[KINDS[0]])):
        pass
    assert network.closed


@pytest.mark.parametrize(
    ("kind", "sound", "message"),
    [
        ("spectrogram to waveform", np.zeros((3, 5), np.float32), "tiny-sides reads floating-point arrays (frames, 6), "
         "got float32 (3, 5)."),
        ("waveform to spectrogram", np.zeros((1, 5), np.float32), "tiny-sides reads floating-point arrays (samples,), "
         "got float32 (1, 5)."),
        ("waveform to spectrogram", np.zeros(0, np.float32), "tiny-sides reads floating-point arrays (samples,), got "
         "float32 (0,)."),
        ("spectrogram to waveform", np.zeros((5, 6), np.int16), "tiny-sides reads floating-point arrays (frames, 6), "
         "got int16 (5, 6)."),
        ("waveform to spectrogram", np.zeros(5, np.complex64), "Audio must be real numbers, not complex numbers "
         "(complex64); give floats from -1 to 1."),
        ("waveform to spectrogram", np.array([0, np.nan]), "What is to be converted holds NaN or infinity; repair it "
         "first."),
    ],
)  # fmt: skip
def test_what_it_cannot_read_is_refused(kind: str, sound: np.ndarray, message: str) -> None:
    with pytest.raises(AudioError) as caught:
        AudioToAudio.over(Aligned(kind), side_spec(CONVERTERS[kind]))(sound)
    assert str(caught.value) == message


@pytest.mark.parametrize("spec", [speech_spec(), side_spec(WRITERS["waveform to text"])])
def test_models_of_another_task_are_refused(spec) -> None:
    with pytest.raises(UsageError) as caught:
        AudioToAudio.over(Aligned(KINDS[0]), spec)
    assert str(caught.value) == (
        f"{spec.name} does not write waveforms or spectrograms step for step; choose an audio Transformer that does."
    )


@given(samples=st.integers(1, 100), channels=st.integers(1, 3))
def test_a_separator_sees_one_voice_of_the_mixtures_length(samples: int, channels: int) -> None:
    mixture = np.random.default_rng(samples).normal(size=(channels, samples)).astype(np.float32)
    found = EnhancerExecutor(Aligned("waveform to waveform"), 8).run({"mixture": mixture})["sources"]
    np.testing.assert_allclose(found, mixture[:, None] / 2)


def test_the_spectrogram_of_the_fakes_is_as_long_as_their_steps() -> None:
    assert MEL.hop_samples == 4
