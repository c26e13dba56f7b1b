"""Basic Pitch: the graph is the same network at any size, the transform hears pitches, and sizes have limits."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from engine_fakes import peak_error, write_model
from note_fakes import note_spec
from unbraid.models.basic_pitch.config import BINS_PER_OCTAVE, BasicPitchConfig
from unbraid.runtime import Engine, open_executor

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from unbraid.models.basic_pitch.network import BasicPitch, ConstantQ  # noqa: E402

SMALL = BasicPitchConfig(
    window_samples=128,
    kernel_samples=20,
    hop_samples=8,
    octaves=3,
    bins=100,
    pitches=20,
    contour_channels=2,
    note_channels=3,
    onset_channels=4,
)
SIZES = {
    "small": SMALL,
    "one octave": dataclasses.replace(SMALL, octaves=1, bins=36, pitches=12, window_samples=97),
    "harmonics inside": dataclasses.replace(SMALL, bins=108, pitches=2),
}


def test_the_published_network_has_its_size() -> None:
    """16,782 parameters in the paper, of which 82 are weights of batch norms, here parts of the convolutions."""
    network = BasicPitch(BasicPitchConfig())
    convolutions = sum(p.numel() for name, p in network.named_parameters() if not name.startswith("norm"))
    assert convolutions == 16_700
    assert BasicPitchConfig().frames == 172


@pytest.mark.parametrize("kind", SIZES)
def test_engines_agree(kind: str, tmp_path: Path) -> None:
    spec = note_spec(SIZES[kind])
    write_model(tmp_path / "model", spec)
    audio = np.random.default_rng(0).normal(0, 0.3, (3, spec.geometry.least_samples)).astype(np.float32)
    ours, theirs = (
        open_executor(spec, tmp_path / "model", engine=Engine(device)).run({"audio": audio})
        for device in ("cpu", "torch")
    )
    for name in ("notes", "onsets"):
        assert ours[name].shape == (3, SIZES[kind].frames, SIZES[kind].pitches)
        assert peak_error(theirs[name], ours[name]) <= 1e-4
    alone = open_executor(spec, tmp_path / "model").run({"audio": audio[1:2]})["notes"]
    assert peak_error(ours["notes"][1:2], alone) <= 1e-4


def test_a_tone_an_octave_lower_is_as_loud_36_bins_lower() -> None:
    """Each octave is heard by the same kernels, at half the rate of the one above."""
    config = dataclasses.replace(SMALL, window_samples=2048, kernel_samples=64, hop_samples=8, bins=108)
    transform = ConstantQ(config)
    hertz = 0.3 * 2 ** (np.arange(BINS_PER_OCTAVE) / BINS_PER_OCTAVE) / 2  # cycles a sample, of the highest octave
    phases = 2 * np.pi * hertz[:, None] * np.arange(64)
    window = np.hanning(66)[1:-1]
    transform.real[:, 0] = torch.tensor(window * np.cos(phases), dtype=torch.float32)
    transform.imaginary[:, 0] = torch.tensor(window * np.sin(phases), dtype=torch.float32)
    taps = np.arange(64) - 31.5
    transform.lowpass[0, 0] = torch.tensor(np.sinc(taps / 2) / 2 * np.hamming(64), dtype=torch.float32)
    transform.scale[:] = 1
    high, low = (np.sin(2 * np.pi * hertz[18] / factor * np.arange(2048)) for factor in (1, 2))
    powers = [transform(torch.tensor(tone[None], dtype=torch.float32))[0, :, 128].numpy() for tone in (high, low)]
    assert powers[0].argmax() - powers[1].argmax() == BINS_PER_OCTAVE
    assert powers[1].max() == pytest.approx(powers[0].max(), rel=0.1)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"hop_samples": 6}, "hop_samples (6) must be divisible by two for each octave but one."),
        ({"bins": 109}, "bins (109) must be those of all pitches, and at most 36 an octave."),
        ({"bins": 59}, "bins (59) must be those of all pitches, and at most 36 an octave."),
        (
            {"kernel_samples": 64},
            "kernel_samples must be even, and half of it shorter than the window of the lowest octave.",
        ),
        ({"octaves": 0}, "octaves must be at least 1, got 0."),
    ],
)
def test_sizes_that_make_no_network(change: dict, told: str) -> None:
    with pytest.raises(ValueError) as caught:
        dataclasses.replace(SMALL, **change)
    assert str(caught.value) == told
