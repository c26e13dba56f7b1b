"""The audio Transformer is `torch.nn.Transformer`, sees no future and no padding, and steps as it is taught."""

import dataclasses
import functools
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine_fakes import weights
from unbraid.models.audio_transformer.config import AudioTransformerConfig, TextSide
from unbraid.models.family import tensor_shapes

torch = pytest.importorskip("torch")

from unbraid.models.audio_transformer.network.model import AudioTransformer  # noqa: E402
from unbraid.models.audio_transformer.network.text_ends import TextBack, TextFront  # noqa: E402
from unbraid.models.layers.attention import padding_mask  # noqa: E402
from unbraid.models.layers.positions import sinusoidal_positions  # noqa: E402

SOURCE, TARGET = TextSide(11), TextSide(9)
TEXT = AudioTransformerConfig(
    SOURCE, TARGET, features=24, heads=3, hidden=40, encoder_layers=2, decoder_layers=3, positions="sinusoidal"
)
ROTARY = dataclasses.replace(TEXT, positions="rotary")
BOTH = pytest.mark.parametrize("geometry", [TEXT, ROTARY], ids=["sinusoidal", "rotary"])
LENGTHS = torch.tensor([7, 1, 4])


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


@functools.cache
def network(geometry: AudioTransformerConfig, dtype: torch.dtype = torch.float32) -> AudioTransformer:
    """Random weights in every tensor, biases and norms too."""
    net = AudioTransformer(geometry)
    net.load_state_dict({name: torch.from_numpy(value) for name, value in weights(geometry).items()})
    return net.eval().requires_grad_(False).to(dtype)


def symbols(side: TextSide, batch: int, steps: int, seed: int = 0) -> torch.Tensor:
    """(B, N), special symbols among them."""
    return torch.randint(side.symbols, (batch, steps), generator=torch.Generator().manual_seed(seed))


def torchs_own(net: AudioTransformer) -> torch.nn.Transformer:
    g = net.geometry
    sizes = (g.features, g.heads, g.encoder_layers, g.decoder_layers, g.hidden)
    with pytest.warns(UserWarning, match="enable_nested_tensor"):  # it cannot, with the norms first
        theirs = torch.nn.Transformer(*sizes, dropout=0.0, layer_norm_eps=1e-6, batch_first=True, norm_first=True)
    renamed = {
        "attention_norm": "norm1",
        "self_norm": "norm1",
        "cross_norm": "norm2",
        "cross_attention": "multihead_attn",
        "self_attention": "self_attn",
        "attention": "self_attn",
        "feed_in": "linear1",
        "feed_out": "linear2",
        "in_proj": "in_proj_",
    }
    state = {}
    for name, value in net.state_dict().items():
        stack, *parts = name.split(".")
        if stack in ("encoder", "decoder"):
            last = {"feed_norm": "norm2" if stack == "encoder" else "norm3"}
            state[".".join((stack, *((renamed | last).get(p, p) for p in parts))).replace("_.", "_")] = value
    theirs.load_state_dict(state)
    return theirs.to(next(net.parameters()).dtype)


def test_it_is_torchs_own_transformer() -> None:
    net = network(TEXT)
    theirs = torchs_own(net)
    source, target = symbols(SOURCE, 3, 7), symbols(TARGET, 3, 6)
    x = net.front(source, LENGTHS) + sinusoidal_positions(7, 24, torch.zeros(1))
    y = net.back.embed(target) + sinusoidal_positions(6, 24, torch.zeros(1))
    padding = ~padding_mask(LENGTHS, 7)[:, 0, 0]
    future = torch.ones(6, 6, dtype=torch.bool).triu(1)
    masks = {"src_key_padding_mask": padding, "memory_key_padding_mask": padding, "tgt_mask": future}
    expected = net.back(theirs.train()(x, y, **masks))  # its fast path of inference is not the plain formula
    torch.testing.assert_close(net(source, LENGTHS, target), expected, rtol=0, atol=1e-6)


@BOTH
@settings(deadline=None, max_examples=12)
@given(at=st.integers(0, 11), other=st.integers(0, 8), seed=st.integers(0, 99))
def test_no_future_leaks(geometry: AudioTransformerConfig, at: int, other: int, seed: int) -> None:
    net, source, target = network(geometry), symbols(SOURCE, 3, 7, seed), symbols(TARGET, 3, 12, seed)
    changed = target.clone()
    changed[:, at] = (changed[:, at] + 1 + other % 8) % 9  # never the same
    before, after = net(source, LENGTHS, target), net(source, LENGTHS, changed)
    assert torch.equal(before[:, :at], after[:, :at])
    assert (before[:, at:] - after[:, at:]).abs().amax((1, 2)).min() > 1e-3


@BOTH
def test_no_future_leaks_from_one_block_of_a_kernel_into_another(geometry: AudioTransformerConfig) -> None:
    net, source, target = network(geometry), symbols(SOURCE, 3, 7), symbols(TARGET, 3, 700)
    before = net(source, LENGTHS, target)
    for at in (31, 513):
        changed = target.clone()
        changed[:, at:] = symbols(TARGET, 3, 700 - at, seed=1)
        assert torch.equal(before[:, :at], net(source, LENGTHS, changed)[:, :at])


@BOTH
@settings(deadline=None, max_examples=10)
@given(lengths=st.lists(st.integers(1, 9), min_size=1, max_size=4), more=st.integers(0, 40), after=st.integers(0, 5))
def test_padding_changes_nothing_else(
    geometry: AudioTransformerConfig, lengths: list[int], more: int, after: int
) -> None:
    """A batch of sources of any lengths, filled with anything, is each of them alone; so is a longer target."""
    net = network(geometry, torch.float64)
    batch, steps = len(lengths), max(lengths) + more
    source, target = symbols(SOURCE, batch, steps), symbols(TARGET, batch, 5 + after)
    found = net(source, torch.tensor(lengths), target)[:, :5]
    for i, length in enumerate(lengths):
        alone = net(source[i : i + 1, :length], torch.tensor([length]), target[i : i + 1, :5])
        torch.testing.assert_close(found[i : i + 1], alone, rtol=0, atol=1e-6)


@BOTH
def test_padding_changes_nothing_else_in_float32(geometry: AudioTransformerConfig) -> None:
    net, source, target = network(geometry), symbols(SOURCE, 3, 7), symbols(TARGET, 3, 5)
    longer = torch.cat((source, symbols(SOURCE, 3, 20, seed=1)), dim=1)
    torch.testing.assert_close(net(source, LENGTHS, target), net(longer, LENGTHS, target), rtol=0, atol=1e-6)


@BOTH
def test_one_step_at_a_time_is_all_steps_at_once(geometry: AudioTransformerConfig) -> None:
    net, source, target = network(geometry), symbols(SOURCE, 3, 7), symbols(TARGET, 3, 9)
    expected = net.decode(target, net.encode(source, LENGTHS), LENGTHS)  # (B, M, V)
    memory = net.prepare(source, LENGTHS)
    assert [part.shape for part in memory] == [(3, 3, 3, 7, 8)] * 2  # (L, B, H, N, D/H)
    past = (torch.empty(3, 3, 3, 0, 8), torch.empty(3, 3, 3, 0, 8))
    for i in range(9):
        logits, past = net.step(target[:, i], past, memory, LENGTHS)
        torch.testing.assert_close(logits, expected[:, i], rtol=0, atol=2e-6)
        assert [part.shape for part in past] == [(3, 3, 3, i + 1, 8)] * 2


@BOTH
def test_order_matters(geometry: AudioTransformerConfig) -> None:
    """Without positions, an encoder could not tell ab from ba."""
    net, target = network(geometry), torch.tensor([[1, 5, 6]])
    ab, ba = (net(torch.tensor([word]), torch.tensor([2]), target) for word in ([4, 5], [5, 4]))
    assert (ab - ba).abs().max() > 1e-3


@BOTH
def test_gradients_flow_to_every_parameter(geometry: AudioTransformerConfig) -> None:
    net = AudioTransformer(geometry, dropout=0.1)
    logits = net(symbols(SOURCE, 3, 7), LENGTHS, symbols(TARGET, 3, 6))
    torch.nn.functional.cross_entropy(logits.flatten(0, 1), symbols(TARGET, 3, 6, seed=1).flatten()).backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().max() > 1e-6, name


def test_dropout_is_for_training_only_and_has_no_weights() -> None:
    plain, dropping = network(TEXT), AudioTransformer(TEXT, dropout=0.5)
    dropping.load_state_dict(plain.state_dict())
    item = symbols(SOURCE, 3, 7), LENGTHS, symbols(TARGET, 3, 6)
    assert torch.equal(dropping.eval()(*item), plain(*item))
    assert (dropping.train()(*item) - plain(*item)).abs().max() > 1e-2
    assert torch.equal(plain.train()(*item), plain.eval()(*item))


def test_state_dict_has_the_names_and_shapes_of_the_weights_file() -> None:
    for positions, layers in itertools.product(("sinusoidal", "rotary"), (1, 3)):
        geometry = dataclasses.replace(TEXT, positions=positions, encoder_layers=layers, decoder_layers=4 - layers)
        state = AudioTransformer(geometry).state_dict()
        assert {name: tuple(value.shape) for name, value in state.items()} == tensor_shapes(geometry)


def test_symbols_weigh_as_much_as_positions() -> None:
    """Embeddings times √D start with unit variance; a sinusoid has 1/2."""
    for embedded in (
        TextFront(TextSide(500), 64)(torch.arange(500), torch.tensor(500)),
        TextBack(TextSide(500), 64).embed(torch.arange(500)),
    ):
        assert embedded.std().item() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"hidden": 0}, "hidden must be at least 1, got 0."),
        ({"decoder_layers": 0}, "decoder_layers must be at least 1 where one side is text, got 0."),
        ({"heads": 5}, "features (24) must be a multiple of heads (5)."),
        ({"features": 21}, "features must be even (positions are pairs of sin and cos), got 21."),
        (
            {"features": 21, "positions": "rotary"},
            "features of a head must be even (rotary positions turn pairs of them), got 7.",
        ),
    ],
)
def test_sizes_that_do_not_fit_are_refused(sizes: dict[str, int | str], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        dataclasses.replace(TEXT, **sizes)
    assert str(caught.value) == message


def test_a_vocabulary_of_special_symbols_only_is_refused() -> None:
    with pytest.raises(ValueError) as caught:
        TextSide(4)
    assert str(caught.value) == "symbols must be at least 5 (four special ones and one more), got 4."
