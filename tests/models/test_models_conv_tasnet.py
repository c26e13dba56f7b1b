"""Conv-TasNet: the published size, the shape of its sight, and what every separator must do."""

import pytest
import torch

from unbraid.models.conv_tasnet.config import ConvTasNetConfig
from unbraid.models.conv_tasnet.network import ConvTasNet

SMALL = ConvTasNetConfig(features=16, kernel_samples=8, bottleneck=8, skip=8, hidden=16, blocks=3, repeats=2, sources=3)


def count(geometry: ConvTasNetConfig) -> int:
    return sum(p.numel() for p in ConvTasNet(geometry).parameters())


def test_the_published_network_has_the_published_size() -> None:
    """Table II of the paper, which counts the residual connection of the last block, though it leads nowhere."""
    last_residual = 512 * 128 + 128
    assert (count(ConvTasNetConfig()) + last_residual) / 1e6 == pytest.approx(5.1, abs=0.05)


@pytest.mark.parametrize("samples", [8, 100, 1001])
def test_every_length_comes_back_whole(samples: int) -> None:
    assert ConvTasNet(SMALL)(torch.randn(2, samples)).shape == (2, 3, samples)


def test_a_block_looks_as_far_as_its_dilation() -> None:
    """2 repeats of dilations 1, 2, 4 reach 14 frames each way; norms are held still, since they see everything."""
    torch.manual_seed(0)
    model = ConvTasNet(SMALL).eval()
    for module in model.modules():
        if isinstance(module, torch.nn.GroupNorm):
            module.forward = lambda x: x  # type: ignore[method-assign]
    mixture = torch.randn(1, 400, requires_grad=True)
    model(mixture)[0, 0, 200].backward()
    seen = mixture.grad[0].nonzero()[:, 0]
    stride = SMALL.kernel_samples // 2
    receptive_field = 14 * stride + 2 * SMALL.kernel_samples
    assert 200 - receptive_field <= seen.min() < 200 - 14 * stride + SMALL.kernel_samples
    assert 200 + 14 * stride - SMALL.kernel_samples < seen.max() <= 200 + receptive_field


def test_masks_only_take_away() -> None:
    """With encoder and decoder an identity for one sample, every estimate lies between silence and the mixture."""
    torch.manual_seed(0)
    model = ConvTasNet(ConvTasNetConfig(features=2, kernel_samples=2, bottleneck=4, skip=4, hidden=4, blocks=2)).eval()
    with torch.no_grad():
        model.encoder.weight.copy_(torch.tensor([[[1.0, 0.0]], [[-1.0, 0.0]]]))
        model.decoder.weight.copy_(torch.tensor([[[1.0, 0.0]], [[-1.0, 0.0]]]))
    mixture = torch.randn(1, 64)
    ratio = (model(mixture) / mixture[:, None])[..., :-1]
    assert ((ratio > 0) & (ratio < 1)).all()


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"blocks": 0}, "blocks must be at least 1, got 0."),
        ({"blocks": 17}, "blocks must be at most 16, got 17."),
        ({"kernel_samples": 5}, "kernel_samples must be even (the stride is half of it), got 5."),
        ({"kernel_frames": 2}, "kernel_frames must be odd, got 2."),
    ],
)
def test_impossible_sizes_are_refused(sizes: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError) as refused:
        ConvTasNetConfig(**sizes)
    assert str(refused.value) == message
