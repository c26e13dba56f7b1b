"""HiFi-GANs as vocoders: of any length in constant memory, for their own spectrograms and for ours."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from engine_fakes import peak_error, write_model
from speaking_fakes import vocoder_spec, voice_spec
from unbraid.dsp.framing import Mel
from unbraid.dsp.log_mel import log_mel
from unbraid.dsp.mel import mel_levels
from unbraid.errors import AudioError, SpecError, UsageError
from unbraid.hub.spec import ModelSpec
from unbraid.models.hifigan.config import HifiganConfig
from unbraid.runtime import Engine, open_executor
from unbraid.tasks.vocoder import HifiganVocoder, can_read, check_vocoder, open_vocoder

SIZES = {
    "mirrored": HifiganConfig(6, 8, (8, 4), (4, 2), (3, 5), (1, 3)),
    "zeros": HifiganConfig(6, 8, (8, 4), (4, 2), (3, 5), (1, 3), padding="zeros", edge_frames=0),
    "short frames": HifiganConfig(6, 4, (2,), (2,), (11,), (1, 5), edge_frames=0),
    "far": HifiganConfig(6, 4, (4,), (2,), (201,), (3,), padding="zeros", edge_frames=2),
}
FRAMES = 700


def hifigan_spec(config: HifiganConfig = SIZES["mirrored"], form: str = "hifigan", rate: int = 16000) -> ModelSpec:
    """A vocoder."""
    mel = Mel(64, config.hop_samples, config.bins, form=form)  # type: ignore[arg-type]
    return ModelSpec("voco", "hifigan", rate, 1, (), config, "MIT", "a test", mel=mel)


class Samples:
    """An executor whose frames become samples of the level of their first band."""

    device, reason = "fake", "a test asked for it"

    def __init__(self, hop: int) -> None:
        self.hop, self.longest = hop, 0

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        levels = inputs["log_mel"]
        self.longest = max(self.longest, levels.shape[1])
        return {"waveform": levels[:, :, 0].repeat(self.hop, 1)}

    def close(self) -> None:
        pass


@pytest.mark.parametrize("kind", SIZES)
def test_engines_agree(kind: str, tmp_path: Path) -> None:
    """At the shortest length, too."""
    pytest.importorskip("torch")
    pytest.importorskip("onnx")
    spec = hifigan_spec(SIZES[kind])
    write_model(tmp_path / "model", spec)
    for frames in (spec.geometry.least_frames, 50):  # type: ignore[attr-defined]
        levels = np.random.default_rng(0).normal(size=(2, frames, 6)).astype(np.float32)
        ours, theirs = (
            open_executor(spec, tmp_path / "model", engine=Engine(device)).run({"log_mel": levels})["waveform"]
            for device in ("cpu", "torch")
        )
        assert ours.shape == (2, frames * SIZES[kind].hop_samples)
        assert peak_error(theirs, ours) <= 3e-5


@pytest.mark.parametrize("kind", SIZES)
@pytest.mark.parametrize("size", [1, 97, FRAMES])
def test_chunked_equals_whole(kind: str, size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("onnx")
    spec = hifigan_spec(SIZES[kind])
    write_model(tmp_path / "model", spec)
    levels = np.random.default_rng(1).normal(size=(FRAMES, 6)).astype(np.float32)
    with HifiganVocoder(tmp_path / "model") as vocoder:
        monkeypatch.setattr("unbraid.tasks.vocoder.WINDOW_FRAMES", 10 * FRAMES)
        whole = vocoder(levels)
        monkeypatch.setattr("unbraid.tasks.vocoder.WINDOW_FRAMES", 64)
        pieces = list(vocoder.blocks(levels[i : i + size] for i in range(0, FRAMES, size)))
    assert len(pieces) > 1
    assert len(whole) == FRAMES * SIZES[kind].hop_samples
    assert peak_error(whole, np.concatenate(pieces)) <= 1e-5


def test_the_context_is_enough_and_little_more(tmp_path: Path) -> None:
    """A frame further away than the context changes no sample; one that is half as far does."""
    pytest.importorskip("torch")
    pytest.importorskip("onnx")
    for config in SIZES.values():
        spec = hifigan_spec(dataclasses.replace(config, padding="zeros"))
        write_model(tmp_path / "model", spec)
        around, hop = config.context_frames, config.hop_samples
        levels = np.zeros((1, 4 * around, 6), np.float32)
        executor = open_executor(spec, tmp_path / "model")
        silent = executor.run({"log_mel": levels})["waveform"][0]
        levels[0, 2 * around] = 100
        changed = np.flatnonzero(executor.run({"log_mel": levels})["waveform"][0] != silent) // hop - 2 * around
        assert -around <= changed.min() < -around / 2
        assert around / 2 < changed.max() <= around
        executor.close()
        for path in (tmp_path / "model").iterdir():
            path.unlink()
        (tmp_path / "model").rmdir()


def test_memory_does_not_grow_with_length() -> None:
    spec = hifigan_spec()
    executor = Samples(8)
    vocoder = HifiganVocoder.over(executor, spec)
    blocks = (np.full((100, 6), i, np.float32) for i in range(50))
    made = np.concatenate(list(vocoder.blocks(blocks)))
    assert np.array_equal(made, np.repeat(np.arange(50, dtype=np.float32), 800))
    assert executor.longest < 600


def test_our_levels_become_theirs() -> None:
    """Noise and tones, by way of all bins: on average within a decibel of the spectrogram of the samples themselves."""
    rate, random = 16000, np.random.default_rng(0)
    own, theirs = Mel(1024, 256, 80), Mel(1024, 256, 80, form="hifigan")
    time = np.arange(rate) / rate
    audio = (0.05 * random.normal(size=rate) + 0.3 * np.sin(2 * np.pi * 440 * time)).astype(np.float32)
    audio = audio[: 256 * 62]
    config = HifiganConfig(80, 8, (16, 32), (8, 32), (3,), (1,))
    seen: list[np.ndarray] = []

    class Seeing(Samples):
        def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            seen.append(inputs["log_mel"][0])
            return super().run(inputs)

    spec = ModelSpec("voco", "hifigan", rate, 1, (), config, "MIT", "a test", mel=theirs)
    HifiganVocoder.over(Seeing(256), spec, reads=own)(mel_levels(audio, own, rate))
    frames = seen[0][config.edge_frames : -config.edge_frames]
    shifted = log_mel(audio[128:], theirs, rate)  # whose frame n lies around the sample where our frame n does
    decibels = 20 / np.log(10) * np.abs(frames - shifted[: len(frames)])[4:-4]
    assert decibels.mean() < 1.0


def test_spectrograms_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    spec = hifigan_spec()
    own = dataclasses.replace(voice_spec(), mel=Mel(64, 8, 40), sample_rate=16000)
    check_vocoder(spec, own)
    assert can_read(spec, Mel(64, 8, 40), 16000)
    assert not can_read(spec, Mel(64, 8, 40), 8000)
    with pytest.raises(UsageError) as caught:
        check_vocoder(spec, voice_spec())
    assert str(caught.value) == (
        "voco reads 6 bands of 64 samples every 8 at 16000 Hz (natural logarithm, 0 to 8000 Hz), but voice writes 40 "
        "bands of 64 samples every 40 at 8000 Hz (decibels); take a vocoder for the same spectrogram."
    )
    theirs = dataclasses.replace(own, mel=Mel(64, 8, 40, form="speecht5"))
    with pytest.raises(UsageError, match=r"voice writes 40 bands .* \(log10, 80 to 7600 Hz\); take a vocoder"):
        check_vocoder(spec, theirs)
    write_model(tmp_path / "model", spec)
    with pytest.raises(UsageError, match="take a vocoder for the same spectrogram"):
        open_vocoder(tmp_path / "model", voice_spec())
    with open_vocoder(tmp_path / "model", own) as vocoder:
        assert isinstance(vocoder, HifiganVocoder) and vocoder.reads == own.mel
    with pytest.raises(UsageError, match="voco reads .*, and no other spectrogram"):
        HifiganVocoder.over(Samples(8), spec, reads=Mel(64, 16, 40))
    with pytest.raises(UsageError, match="vocoder is of the family audio_transformer, not hifigan"):
        HifiganVocoder.over(Samples(8), vocoder_spec())


def test_what_is_no_spectrogram_is_refused() -> None:
    vocoder = HifiganVocoder.over(Samples(8), hifigan_spec())
    with pytest.raises(AudioError, match="There are no frames in this spectrogram; give at least one."):
        vocoder(np.zeros((0, 6), np.float32))
    with pytest.raises(AudioError, match=r"voco reads floating-point arrays \(frames, 6\), got float32 \(9, 5\)."):
        vocoder(np.zeros((9, 5), np.float32))
    with pytest.raises(AudioError, match="holds NaN or infinity; repair it first."):
        vocoder(np.full((9, 6), np.nan, np.float32))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"kernels": (8,)}, "each transposed convolution needs both, not 1 kernels, 2 strides."),
        ({"kernels": (8, 3)}, "a kernel must be its stride and an even number more, got 3 for 2."),
        ({"block_kernels": (3, 4)}, "block_kernels must be odd, so that samples stay where they are, got 4."),
        ({"width": 6}, "width (6) must be a multiple of 4."),
        ({"strides": ()}, "strides must be at least 1, got 0."),
    ],
)
def test_sizes_that_make_no_network(change: dict, told: str) -> None:
    with pytest.raises(ValueError) as caught:
        dataclasses.replace(SIZES["mirrored"], **change)
    assert str(caught.value) == told


def test_the_spectrogram_must_be_the_networks() -> None:
    with pytest.raises(SpecError, match="the network reads 6 mel bands every 8 samples, its spectrogram has 6 every 4"):
        dataclasses.replace(hifigan_spec(), mel=Mel(64, 4, 6, form="hifigan"))
    with pytest.raises(SpecError, match="audio has a level, so the levels of a vocoder's spectrogram"):
        dataclasses.replace(hifigan_spec(), mel=Mel(64, 8, 6, normalized=True))


def test_the_published_sizes() -> None:
    torch = pytest.importorskip("torch")
    from unbraid.models.hifigan.network import Hifigan

    assert sum(p.numel() for p in Hifigan(HifiganConfig()).parameters()) == 13_926_017
    assert torch is not None
