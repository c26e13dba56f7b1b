"""ResNets of speakers: the size is known, pooling is over time, and the graph is the same network."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from embedding_fakes import speaker_spec, stirred
from engine_fakes import peak_error, write_model
from unbraid.models.speaker_resnet.config import SpeakerResnetConfig
from unbraid.runtime import Engine, open_executor

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from unbraid.models.layers.residual import Residual  # noqa: E402
from unbraid.models.speaker_resnet.network import SpeakerResnet  # noqa: E402

SMALL = SpeakerResnetConfig(bins=16, planes=3, blocks=(2, 1, 2), features=5)
SIZES = {"small": SMALL, "one stage": dataclasses.replace(SMALL, blocks=(1,))}


def test_the_default_network_is_the_published_one() -> None:
    """WeSpeaker states 6.63 M."""
    assert sum(p.numel() for p in SpeakerResnet(SpeakerResnetConfig()).parameters()) == 6_634_336


@pytest.mark.parametrize("kind", SIZES)
@pytest.mark.parametrize("frames", [0, 1, 2, 100])
def test_engines_agree(kind: str, frames: int, tmp_path: Path) -> None:
    """At any length from the shortest on, in a batch as alone."""
    spec = speaker_spec(SIZES[kind])
    write_model(tmp_path / "model", spec)
    count = SIZES[kind].least_frames + frames
    levels = np.random.default_rng(frames).uniform(-1, 1, (3, count, 16)).astype(np.float32)
    ours, theirs = (
        open_executor(spec, tmp_path / "model", engine=Engine(device)).run({"levels": levels})["embedding"]
        for device in ("cpu", "torch")
    )
    assert ours.shape == (3, 5)
    assert peak_error(theirs, ours) <= 3e-5
    alone = open_executor(spec, tmp_path / "model").run({"levels": levels[1:2]})["embedding"]
    assert peak_error(ours[1:2], alone) <= 3e-5


def test_shorter_spectrograms_have_no_deviation() -> None:
    network = stirred(SpeakerResnet(SMALL))
    with torch.no_grad():
        assert network(torch.randn(1, SMALL.least_frames, 16)).isfinite().all()
        with pytest.warns(UserWarning, match="degrees of freedom"):
            assert network(torch.randn(1, SMALL.least_frames - 1, 16)).isnan().any()


def test_a_block_without_its_last_norm_is_its_shortcut() -> None:
    x = torch.randn(2, 4, 6, 9)
    for stride, shortcut in (((1, 1), x), ((2, 1), None)):
        block = stirred(Residual(4, 4, stride))
        with torch.no_grad():
            block.outlet.norm.weight.zero_()
            block.outlet.norm.bias.zero_()
            expected = block.shortcut(x) if shortcut is None else shortcut
            torch.testing.assert_close(block(x), torch.relu(expected))


def test_sizes_that_make_no_network() -> None:
    with pytest.raises(ValueError, match=r"bins \(18\) must be a multiple of 4, since the stages halve them."):
        dataclasses.replace(SMALL, bins=18)
    with pytest.raises(ValueError, match="blocks must be at least 1, got 0"):
        dataclasses.replace(SMALL, blocks=())
