"""ECAPA-TDNN: its size is known, its parts are the formulas of the paper, and the graph is the same network."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from embedding_fakes import VOICE, voice_spec
from engine_fakes import peak_error, write_model
from unbraid.errors import SpecError
from unbraid.hub.spec import Mel
from unbraid.models.ecapa.config import EcapaConfig
from unbraid.runtime import Engine, open_executor

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from unbraid.models.ecapa.network import Attention, Block, Ecapa, Layer  # noqa: E402

SIZES = {
    "small": VOICE,
    "wide kernels, far blocks": dataclasses.replace(VOICE, kernel=7, block_kernel=5, dilations=(1, 6)),
    "no look around": dataclasses.replace(VOICE, kernel=1, block_kernel=1, dilations=(1,)),
    "two groups": dataclasses.replace(VOICE, scale=2, features=1),
}


def stirred(config: EcapaConfig = VOICE) -> Ecapa:
    """A network whose norms have learnt something."""
    torch.manual_seed(0)
    network = Ecapa(config).eval()
    for name, buffer in network.named_buffers():
        if name.endswith("running_mean"):
            buffer.normal_()
        elif name.endswith("running_var"):
            buffer.uniform_(0.5, 2)
    return network


def test_the_default_network_is_the_published_one() -> None:
    assert sum(p.numel() for p in Ecapa(EcapaConfig()).parameters()) == 20_767_552


@pytest.mark.parametrize("kind", SIZES)
@pytest.mark.parametrize("frames", [0, 1, 200])
def test_engines_agree(kind: str, frames: int, tmp_path: Path) -> None:
    """At any length from the shortest on, in a batch as alone."""
    spec = voice_spec(SIZES[kind])
    write_model(tmp_path / "model", spec)
    count = SIZES[kind].least_frames + frames
    levels = np.random.default_rng(count).uniform(-1, 1, (3, count, 10)).astype(np.float32)
    ours, theirs = (
        open_executor(spec, tmp_path / "model", engine=Engine(device)).run({"levels": levels})["embedding"]
        for device in ("cpu", "torch")
    )
    assert ours.shape == (3, SIZES[kind].features)
    if count > 1:  # the deviation of one frame is nothing but rounding
        assert peak_error(theirs, ours) <= 3e-5
    alone = open_executor(spec, tmp_path / "model").run({"levels": levels[1:2]})["embedding"]
    assert peak_error(ours[1:2], alone) <= 3e-5


def test_a_spectrogram_shorter_than_the_reflections_is_too_short() -> None:
    with torch.no_grad():
        assert stirred()(torch.randn(1, VOICE.least_frames, 10)).shape == (1, 10)
        with pytest.raises(RuntimeError):
            stirred()(torch.randn(1, VOICE.least_frames - 1, 10))


def test_a_layer_mirrors_its_input_at_both_ends() -> None:
    layer = Layer(1, 1, kernel=3, dilation=2).eval()
    with torch.no_grad():
        layer.conv.weight.copy_(torch.tensor([[[1.0, 0.0, 100.0]]]))
        layer.conv.bias.zero_()
        found = layer(torch.tensor([[[1.0, 2, 3, 4, 5]]]))[0, 0] * (1 + 1e-5) ** 0.5
    torch.testing.assert_close(found, torch.tensor([303.0, 402.0, 501.0, 402.0, 303.0]))


def test_a_block_without_its_last_layer_is_its_residual() -> None:
    block = Block(VOICE, 2).eval()
    with torch.no_grad():
        for parameter in block.outlet.parameters():
            parameter.zero_()
        x = torch.randn(2, 12, 30)
        torch.testing.assert_close(block(x), x)


def test_pooling_is_the_weighted_mean_and_deviation() -> None:
    """Attention that cannot tell frames apart weighs them equally."""
    attention = Attention(VOICE).eval()
    x = torch.randn(2, 18, 50)
    with torch.no_grad():
        attention.outlet.weight.zero_()
        pooled = attention(x)
    torch.testing.assert_close(pooled, torch.cat((x.mean(-1), x.std(-1, correction=0)), 1), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"kernel": 4}, "kernel must be odd, so that frames stay where they are, got 4."),
        ({"dilations": ()}, "dilations must be at least 1, got 0."),
        ({"width": 13}, "width (13) must be a multiple of scale (3)."),
        ({"features": 0}, "features must be at least 1, got 0."),
        ({"dilations": (2, 0)}, "dilations must be at least 1, got 0."),
    ],
)
def test_sizes_that_make_no_network(change: dict, told: str) -> None:
    with pytest.raises(ValueError) as caught:
        dataclasses.replace(VOICE, **change)
    assert str(caught.value) == told


def test_the_spectrogram_must_be_the_networks() -> None:
    with pytest.raises(SpecError, match="the network reads 10 mel bands, its spectrogram has 9"):
        dataclasses.replace(voice_spec(), mel=Mel(256, 128, 9, normalized=True))
    theirs = dataclasses.replace(VOICE, filterbank="speechbrain")
    with pytest.raises(SpecError, match="SpeechBrain's spectrogram is not normalized; write false"):
        voice_spec(theirs)
