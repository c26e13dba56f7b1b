"""CAM++: its size is known, masks follow the formulas of the paper, and the graph is the same network."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from embedding_fakes import speaker_spec, stirred
from engine_fakes import peak_error, write_model
from unbraid.models.campplus.config import CampplusConfig
from unbraid.runtime import Engine, open_executor

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from unbraid.models.campplus.network import Campplus, Layer  # noqa: E402

SMALL = CampplusConfig(
    bins=16,
    planes=3,
    front_blocks=(1, 2),
    width=10,
    layers=(2, 1),
    growth=5,
    bottleneck=8,
    dilations=(1, 3),
    squeezed=4,
    segment=7,
    features=6,
)
SIZES = {
    "small": SMALL,
    "wide kernels, one stage": dataclasses.replace(SMALL, kernel=7, block_kernel=5, layers=(1,), dilations=(2,)),
    "no look around": dataclasses.replace(SMALL, kernel=1, block_kernel=1, front_blocks=(1,), features=1),
}


def test_the_default_network_is_the_published_one() -> None:
    """6,848,544 parameters with 192 features without the batch norm of the last layer, whose mean is now a bias."""
    assert sum(p.numel() for p in Campplus(CampplusConfig()).parameters()) == 6_848_544 + 192


@pytest.mark.parametrize("kind", SIZES)
@pytest.mark.parametrize("frames", [3, 4, 13, 14, 15, 100])
def test_engines_agree(kind: str, frames: int, tmp_path: Path) -> None:
    """At any length from the shortest on, at the ends of segments too, in a batch as alone."""
    spec = speaker_spec(SIZES[kind])
    write_model(tmp_path / "model", spec)
    levels = np.random.default_rng(frames).uniform(-1, 1, (3, frames, 16)).astype(np.float32)
    ours, theirs = (
        open_executor(spec, tmp_path / "model", engine=Engine(device)).run({"levels": levels})["embedding"]
        for device in ("cpu", "torch")
    )
    assert ours.shape == (3, SIZES[kind].features)
    assert peak_error(theirs, ours) <= 3e-5
    alone = open_executor(spec, tmp_path / "model").run({"levels": levels[1:2]})["embedding"]
    assert peak_error(ours[1:2], alone) <= 3e-5


def test_a_mask_is_that_of_the_recording_and_its_segment() -> None:
    layer = stirred(Layer(SMALL, 12, 1))
    x = torch.randn(2, 12, 17)
    with torch.no_grad():
        h = layer.inlet(torch.relu(layer.norm(x)))
        found, local = layer(x), layer.local(h)
        for first in (0, 7, 14):
            context = h.mean(-1) + h[..., first : first + 7].mean(-1)
            mask = torch.sigmoid(layer.mask(torch.relu(layer.squeeze(context[..., None]))))
            expected = mask * local[..., first : first + 7]
            torch.testing.assert_close(found[..., first : first + 7], expected, atol=1e-5, rtol=1e-5)


def test_a_step_is_two_frames() -> None:
    """A spectrogram that is two frames later gives channels that are one step later."""
    network = stirred(Campplus(SMALL))
    x = torch.zeros(1, 60, 16)
    x[:, 20:24] = torch.randn(4, 16)
    with torch.no_grad():
        here, there = (network.inlet(network.front(y.transpose(1, 2))) for y in (x, x.roll(2, 1)))
    torch.testing.assert_close(here[..., 3:20], there[..., 4:21])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"kernel": 4}, "kernel must be odd, so that frames stay where they are, got 4."),
        ({"bins": 20}, "bins (20) must be a multiple of 8, since the front halves them."),
        ({"layers": (1, 2, 3)}, "layers (3) and dilations (2) must be as many."),
        ({"segment": 0}, "segment must be at least 1, got 0."),
        ({"front_blocks": ()}, "front_blocks must be at least 1, got 0."),
    ],
)
def test_sizes_that_make_no_network(change: dict, told: str) -> None:
    with pytest.raises(ValueError) as caught:
        dataclasses.replace(SMALL, **change)
    assert str(caught.value) == told
