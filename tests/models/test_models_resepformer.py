"""The RE-SepFormer: graph and module are one network, items do not see each other, silence stays silent."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from engine_fakes import peak_error, speech_spec, weights, write_model
from unbraid.models.family import tensor_shapes
from unbraid.models.resepformer.config import ResepformerConfig
from unbraid.runtime import Engine, open_executor

torch = pytest.importorskip("torch")

from unbraid.models.resepformer.network import ReSepFormer  # noqa: E402

SMALL = ResepformerConfig(features=12, chunk_frames=10, layers=2, heads=3, hidden=20)
KINDS = {
    "two voices": SMALL,
    "one voice": dataclasses.replace(SMALL, sources=1),
    "three voices, three blocks": dataclasses.replace(SMALL, sources=3, blocks=3, layers=1),
    "one block: nothing across chunks": dataclasses.replace(SMALL, blocks=1, heads=1),
}


def network(config: ResepformerConfig) -> ReSepFormer:
    net = ReSepFormer(config)
    net.load_state_dict({name: torch.from_numpy(value) for name, value in weights(config).items()})
    return net.eval()


def noise(batch: int, samples: int) -> np.ndarray:
    return np.random.default_rng(samples).normal(0, 0.1, (batch, samples)).astype(np.float32)


@pytest.mark.parametrize("kind", KINDS)
def test_the_graph_is_the_module(tmp_path: Path, kind: str) -> None:
    config = KINDS[kind]
    spec = dataclasses.replace(speech_spec(config.sources), family="resepformer", geometry=config)
    spec = write_model(tmp_path / "model", spec)
    ours, theirs = (open_executor(spec, tmp_path / "model", engine=Engine(n, threads=1)) for n in ("cpu", "torch"))
    whole = 16 + 8 * (4 * config.chunk_frames - 1)  # four whole chunks, to which a fifth of zeros is added
    for batch, samples in ((1, 16), (3, 1009), (2, whole), (2, whole + 8)):
        mixture = {"mixture": noise(batch, samples)}
        expected = theirs.run(mixture)["sources"]
        assert expected.shape == (batch, config.sources, samples)
        assert peak_error(expected, ours.run(mixture)["sources"]) <= 3e-5


@pytest.mark.parametrize("kind", KINDS)
def test_state_dict_has_the_names_and_shapes_of_the_weights_file(kind: str) -> None:
    state = ReSepFormer(KINDS[kind]).state_dict()
    assert {name: tuple(value.shape) for name, value in state.items()} == tensor_shapes(KINDS[kind])


def test_items_of_a_batch_do_not_see_each_other() -> None:
    """The published code attends across the chunks of all items at once; of one item it is the same."""
    net, x = network(SMALL), torch.from_numpy(noise(3, 777))
    with torch.inference_mode():
        torch.testing.assert_close(net(x)[1:2], net(x[1:2]), rtol=0, atol=1e-6)


def test_chunks_tell_each_other_what_is_in_them() -> None:
    first, net = torch.from_numpy(noise(1, 2000)), network(SMALL)
    second = first.clone()
    second[:, 1500:] = 0
    with torch.inference_mode():
        assert (net(first)[..., :500] - net(second)[..., :500]).abs().max() > 1e-4


def test_silence_stays_silent() -> None:
    with torch.inference_mode():
        assert torch.equal(network(SMALL)(torch.zeros(1, 500)), torch.zeros(1, 2, 500))


def test_the_published_network_has_eight_million_weights() -> None:
    assert sum(np.prod(shape) for shape in tensor_shapes(ResepformerConfig()).values()) == 7_955_201


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"features": 9}, "features must be even (positions are pairs of sin and cos), got 9."),
        ({"heads": 5}, "features (12) must be a multiple of heads (5)."),
        ({"blocks": 500, "layers": 3}, "blocks times layers must be at most 1000, got 500 times 3."),
    ],
)
def test_sizes_that_do_not_fit_are_refused(sizes: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        dataclasses.replace(SMALL, **sizes)
    assert str(caught.value) == message
