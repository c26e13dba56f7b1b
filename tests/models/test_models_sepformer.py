"""The SepFormer is what the paper says: chunks, Transformer layers, norms; torch's own modules are the reference."""

import dataclasses

import numpy as np
import pytest

from engine_fakes import SPEECH, weights
from unbraid.models.family import tensor_shapes
from unbraid.models.sepformer.config import SepFormerConfig

torch = pytest.importorskip("torch")

from unbraid.models.layers.attention import MultiHeadAttention  # noqa: E402
from unbraid.models.layers.positions import sinusoidal_positions  # noqa: E402
from unbraid.models.layers.transformer import EncoderLayer, TransformerEncoder  # noqa: E402
from unbraid.models.sepformer.network import GlobalNorm, SepFormer, chunk, unchunk  # noqa: E402


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)
    with torch.inference_mode():
        yield


def copy(target: torch.nn.Module, values: dict[str, torch.Tensor]) -> None:
    with torch.no_grad():
        for name, value in values.items():
            target.get_parameter(name).copy_(value)


def sepformer(geometry: SepFormerConfig) -> SepFormer:
    net = SepFormer(geometry)
    net.load_state_dict({name: torch.from_numpy(value) for name, value in weights(geometry).items()})
    return net.eval()


def test_attention_is_torchs_own() -> None:
    ours, theirs = MultiHeadAttention(24, 4).eval(), torch.nn.MultiheadAttention(24, 4, batch_first=True).eval()
    copy(
        theirs,
        {
            "in_proj_weight": ours.in_proj.weight,
            "in_proj_bias": ours.in_proj.bias,
            "out_proj.weight": ours.out_proj.weight,
            "out_proj.bias": ours.out_proj.bias,
        },
    )
    x = torch.randn(3, 7, 24)
    torch.testing.assert_close(ours(x), theirs(x, x, x, need_weights=False)[0], rtol=0, atol=1e-6)
    with pytest.raises(ValueError, match=r"^features \(10\) must be a multiple of heads \(4\)\.$"):
        MultiHeadAttention(10, 4)


def test_an_encoder_layer_is_torchs_own_with_the_norms_first() -> None:
    ours = EncoderLayer(24, 4, 40).eval()
    theirs = torch.nn.TransformerEncoderLayer(
        24, 4, 40, dropout=0.0, batch_first=True, norm_first=True, layer_norm_eps=1e-6
    ).train()  # its fast path of inference is not the plain formula
    pairs = {
        "self_attn.in_proj_": ours.attention.in_proj,
        "self_attn.out_proj.": ours.attention.out_proj,
        "linear1.": ours.feed_in,
        "linear2.": ours.feed_out,
        "norm1.": ours.attention_norm,
        "norm2.": ours.feed_norm,
    }
    for norm in (ours.attention_norm, ours.feed_norm):
        norm.weight.copy_(torch.rand(24) + 0.5)
        norm.bias.copy_(torch.randn(24))
    copy(theirs, {f"{name}{kind}": getattr(part, kind) for name, part in pairs.items() for kind in ("weight", "bias")})
    x = torch.randn(2, 9, 24)
    torch.testing.assert_close(ours(x), theirs(x), rtol=0, atol=2e-6)


def test_an_encoder_adds_positions_and_ends_in_a_norm() -> None:
    encoder = TransformerEncoder(12, 3, 20, layers=0).eval()
    x = torch.randn(2, 5, 12)
    expected = torch.nn.functional.layer_norm(x + sinusoidal_positions(5, 12, x), (12,), eps=1e-6)
    torch.testing.assert_close(encoder(x), expected)


def test_positions_are_the_formula() -> None:
    found = sinusoidal_positions(50, 16, torch.zeros(1)).numpy()
    step, pair = np.arange(50)[:, None], np.arange(8)[None]
    angle = step / 10000 ** (2 * pair / 16)
    np.testing.assert_allclose(found[:, 0::2], np.sin(angle), atol=5e-6)
    np.testing.assert_allclose(found[:, 1::2], np.cos(angle), atol=5e-6)


def test_the_global_norm_is_group_norm_with_one_group() -> None:
    ours, theirs = GlobalNorm(6), torch.nn.GroupNorm(1, 6, eps=1e-8)
    ours.weight.copy_(torch.randn(6))
    ours.bias.copy_(torch.randn(6))
    copy(theirs, {"weight": ours.weight, "bias": ours.bias})
    x = torch.randn(2, 5, 7, 6) * 3 + 2
    expected = theirs(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    torch.testing.assert_close(ours(x), expected, rtol=0, atol=2e-5)


@pytest.mark.parametrize("frames", [1, 4, 5, 9, 10, 11, 15, 20, 23])
def test_chunks_overlap_by_half_and_add_up_to_twice(frames: int) -> None:
    x = torch.randn(2, frames, 3)
    chunks = chunk(x, 10)  # (B, S, K, D)
    gap = 10 - (5 + frames % 10) % 10  # as published: a full chunk, not none, where nothing is missing
    assert chunks.shape == (2, (frames + gap + 10) // 5 - 1, 10, 3)
    assert torch.equal(chunks[:, 0, :5], torch.zeros(2, 5, 3))
    assert torch.equal(chunks[:, 1:, :5], chunks[:, :-1, 5:])
    torch.testing.assert_close(unchunk(chunks, frames), 2 * x)


def test_state_dict_has_the_names_and_shapes_of_the_weights_file() -> None:
    for geometry in (SPEECH, dataclasses.replace(SPEECH, sources=3, blocks=1, heads=2)):
        state = SepFormer(geometry).state_dict()
        assert {name: tuple(value.shape) for name, value in state.items()} == tensor_shapes(geometry)


@pytest.mark.parametrize("samples", [16, 17, 23, 24, 99, 1001])
def test_outputs_are_as_long_as_the_input(samples: int) -> None:
    assert sepformer(SPEECH)(torch.randn(3, samples)).shape == (3, 2, samples)


def test_items_of_a_batch_do_not_see_each_other() -> None:
    net, x = sepformer(SPEECH), torch.randn(3, 333)
    torch.testing.assert_close(net(x)[1:2], net(x[1:2]), rtol=0, atol=1e-6)


def test_no_length_is_refused() -> None:
    """The published code has a table of 2500 positions, so 2501 chunks or more are an error there."""
    geometry = SepFormerConfig(features=4, chunk_frames=2, blocks=1, layers=1, heads=1, hidden=4)
    samples = 8 * 2600
    found = sepformer(geometry)(torch.randn(1, samples))
    assert found.shape == (1, 2, samples)
    assert torch.isfinite(found).all()


def test_silence_stays_silent() -> None:
    assert torch.equal(sepformer(SPEECH)(torch.zeros(1, 500)), torch.zeros(1, 2, 500))


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"chunk_frames": 9}, "chunk_frames must be even, got 9."),
        ({"features": 9}, "features must be even (positions are pairs of sin and cos), got 9."),
        ({"heads": 5}, "features (12) must be a multiple of heads (5)."),
    ],
)
def test_sizes_that_do_not_fit_are_refused(sizes: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        dataclasses.replace(SPEECH, **sizes)
    assert str(caught.value) == message
