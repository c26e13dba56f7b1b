"""Wav2Vec2 and HuBERT: how many steps come out, what each of them sees, and that rows of a batch keep to themselves."""

import dataclasses

import pytest

from unbraid.models.family import tensor_shapes
from unbraid.models.wav2vec2.config import Wav2Vec2Config

torch = pytest.importorskip("torch")

from unbraid.models.wav2vec2.network import Encoder, Front, Wav2Vec2, standardized  # noqa: E402

SMALL = Wav2Vec2Config(
    symbols=7,
    features=12,
    heads=3,
    hidden=20,
    layers=2,
    filters=(4, 6, 8),
    kernels=(10, 3, 2),
    strides=(5, 2, 2),
    position_kernel=6,
    position_groups=2,
)
LARGE = dataclasses.replace(SMALL, filter_norm="layer", filter_bias=True, pre_norm=True)
BARE = dataclasses.replace(LARGE, project_norm=False, normalized=False, pre_norm=False)
GEOMETRIES = {"base": SMALL, "large": LARGE, "bare": BARE}
EVERY = pytest.mark.parametrize("kind", GEOMETRIES)


def network(kind: str) -> Wav2Vec2:
    torch.manual_seed(0)
    return Wav2Vec2(GEOMETRIES[kind]).eval()


@EVERY
def test_the_weights_are_those_that_the_geometry_says(kind: str) -> None:
    found = {name: tuple(tensor.shape) for name, tensor in network(kind).state_dict().items()}
    assert dict(sorted(found.items())) == tensor_shapes(GEOMETRIES[kind])


def test_published_sizes() -> None:
    """20 ms a step at 16 kHz, each of 25 ms; 94.4 and 315.5 million weights (table 9 of the paper: 95 and 317)."""
    base = Wav2Vec2Config()
    large = dataclasses.replace(base, features=1024, heads=16, hidden=4096, layers=24, filter_bias=True,
                                filter_norm="layer", pre_norm=True)  # fmt: skip
    assert (base.stride, base.receptive_field) == (320, 400)
    counts = [sum(torch.Size(shape).numel() for shape in tensor_shapes(g).values()) for g in (base, large)]
    assert counts == [94_395_424, 315_470_368]


@EVERY
@pytest.mark.parametrize("more", [0, 1, 19, 20, 333])
def test_steps_begin_a_stride_apart_as_long_as_there_are_samples(kind: str, more: int) -> None:
    g = GEOMETRIES[kind]
    logits = network(kind)(torch.randn(2, g.receptive_field + more))
    assert logits.shape == (2, 1 + more // g.stride, g.symbols)


def test_a_step_of_the_front_sees_its_reach_and_no_more() -> None:
    """With norms over filters: one over time, as in the base models, sees it all."""
    front = Front(LARGE).eval()
    x = torch.randn(1, 200, requires_grad=True)
    front(x)[0, 4].sum().backward()
    seen = x.grad[0].nonzero().flatten()
    first = 4 * LARGE.stride
    assert (seen.min(), seen.max()) == (first, first + LARGE.receptive_field - 1)


@EVERY
def test_rows_of_a_batch_keep_to_themselves(kind: str) -> None:
    module, x = network(kind), torch.randn(3, 401)
    alone = torch.cat([module(row[None]) for row in x])
    torch.testing.assert_close(module(x), alone, rtol=0, atol=1e-5)


def test_a_normalized_waveform_has_no_level_and_no_offset() -> None:
    x = torch.randn(2, 997)
    y = standardized(0.2 * x + 0.7)
    assert y.mean(-1).abs().max() < 1e-5
    torch.testing.assert_close(y.std(-1, correction=0), torch.ones(2), rtol=0, atol=1e-4)
    module = network("base")
    torch.testing.assert_close(module(0.2 * x + 0.7), module(x), rtol=0, atol=1e-3)
    assert (network("bare")(0.2 * x + 0.7) - network("bare")(x)).abs().max() > 1e-3


def test_silence_has_logits() -> None:
    assert network("base")(torch.zeros(1, 400)).isfinite().all()


@EVERY
def test_where_a_step_is_changes_what_comes_out(kind: str) -> None:
    """Without the convolution over steps, the same steps in another order would give the same in that order."""
    torch.manual_seed(1)
    encoder, h = Encoder(GEOMETRIES[kind], 0.0).eval(), torch.randn(1, 9, 12)
    order = torch.randperm(9)
    assert (encoder(h[:, order]) - encoder(h)[:, order]).abs().max() > 1e-3
    with torch.no_grad():
        encoder.position.weight.zero_()
    torch.testing.assert_close(encoder(h[:, order]), encoder(h)[:, order], rtol=0, atol=1e-5)


def test_dropout_is_for_training_alone() -> None:
    torch.manual_seed(0)
    module, x = Wav2Vec2(SMALL, dropout=0.5), torch.randn(1, 400)
    assert (module.train()(x) - module(x)).abs().max() > 1e-3
    torch.testing.assert_close(module.eval()(x), module(x))


@EVERY
def test_every_weight_learns(kind: str) -> None:
    module = network(kind)
    loss = torch.nn.functional.ctc_loss(
        module(torch.randn(2, 400)).log_softmax(-1).transpose(0, 1),
        torch.tensor([[4, 5], [6, 4]]),
        torch.tensor([18, 18]),
        torch.tensor([2, 2]),
    )
    loss.backward()
    still = [name for name, p in module.named_parameters() if p.grad is None or not p.grad.any()]
    assert still == []


BAD = [
    ({"layers": 0}, "layers must be at least 1, got 0."),
    ({"symbols": 4}, "symbols must be at least 5 (four special ones and one more), got 4."),
    ({"filters": ()}, "filters must be at least 1, got 0."),
    (
        {"kernels": (10, 3)},
        "each convolution needs filters, a kernel and a stride; there are 3 filters, 2 kernels, 3 strides.",
    ),
    ({"heads": 5}, "features (12) must be a multiple of heads (5)."),
    ({"position_groups": 5}, "features (12) must be a multiple of position_groups (5)."),
]


@pytest.mark.parametrize(("changes", "message"), BAD)
def test_sizes_that_make_no_network_are_refused(changes: dict, message: str) -> None:
    with pytest.raises(ValueError) as error:
        dataclasses.replace(SMALL, **changes)
    assert str(error.value) == message
