"""The U-Nets follow the published network: padding, norms, skips; a literal NumPy convolution is the reference."""

import dataclasses

import numpy as np
import pytest

from engine_fakes import MUSIC, weights
from unbraid.models.family import tensor_shapes
from unbraid.models.unet.config import UNetConfig

torch = pytest.importorskip("torch")

from unbraid.models.unet.network import UNet, UNets  # noqa: E402
from unbraid.runtime.eager import load_module  # noqa: E402

Arrays = dict[str, np.ndarray]


def same_conv(x: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """TensorFlow's 5×5 convolution with stride 2 and 'SAME' padding of even sizes: one before, two after."""
    padded = np.pad(x, ((0, 0), (1, 2), (1, 2)))
    patches = np.lib.stride_tricks.sliding_window_view(padded, (5, 5), axis=(1, 2))[:, ::2, ::2]  # (I, N, F, 5, 5)
    return np.einsum("inmab,oiab->onm", patches, kernel) + bias[:, None, None]


def same_conv_transpose(x: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """The gradient of `same_conv`: every input spreads a kernel; one row is cut before, two after."""
    _, rows, columns = x.shape
    out = np.zeros((kernel.shape[1], 2 * rows + 3, 2 * columns + 3))
    for n in range(rows):
        for m in range(columns):
            out[:, 2 * n : 2 * n + 5, 2 * m : 2 * m + 5] += np.einsum("i,ioab->oab", x[:, n, m], kernel)
    return out[:, 1:-2, 1:-2] + bias[:, None, None]


def norm(x: np.ndarray, w: Arrays, name: str) -> np.ndarray:
    mean, var, gain, bias = (
        w[f"{name}.{part}"][:, None, None] for part in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / np.sqrt(var + 1e-3) * gain + bias


ACTIVATE = {
    "leaky_relu": lambda x: np.where(x > 0, x, 0.2 * x),
    "relu": lambda x: np.maximum(x, 0),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
}


def across(x: np.ndarray, w: Arrays, name: str, kind: str) -> np.ndarray:
    """Two products over the bins of each plane and frame, added; nothing where the network has no such layer."""
    if f"{name}.squeeze.weight" not in w:
        return x
    middle = np.einsum("onf,wf->onw", x, w[f"{name}.squeeze.weight"])
    middle = ACTIVATE[kind](norm(middle, w, f"{name}.norm"))
    return x + np.einsum("onw,fw->onf", middle, w[f"{name}.widen.weight"]) + w[f"{name}.widen.bias"]


def reference(x: np.ndarray, w: Arrays, g: UNetConfig, k: int) -> np.ndarray:
    """One net's logits of x (inputs, N, F), in float64, step by step as Spleeter's code has it."""
    skips = []
    for i in range(len(g.filters)):
        x = same_conv(x, w[f"nets.{k}.down.{i}.weight"], w[f"nets.{k}.down.{i}.bias"])
        if i < len(g.filters) - 1:
            skips.append(x)
            x = ACTIVATE[g.encoder_activation](norm(x, w, f"nets.{k}.down_norm.{i}"))
            x = across(x, w, f"nets.{k}.down_across.{i}", g.encoder_activation)
    for i in range(len(g.filters)):
        x = same_conv_transpose(x, w[f"nets.{k}.up.{i}.weight"], w[f"nets.{k}.up.{i}.bias"])
        x = norm(ACTIVATE[g.decoder_activation](x), w, f"nets.{k}.up_norm.{i}")
        x = across(x, w, f"nets.{k}.up_across.{i}", g.decoder_activation)
        if skips:
            x = np.concatenate((skips.pop(), x))
    padded = np.pad(x, ((0, 0), (3, 3), (3, 3)))
    patches = np.lib.stride_tricks.sliding_window_view(padded, (7, 7), axis=(1, 2))[..., ::2, ::2]
    bias = w[f"nets.{k}.last.bias"][:, None, None]
    return np.einsum("inmab,oiab->onm", patches, w[f"nets.{k}.last.weight"]) + bias


@pytest.mark.parametrize(
    "geometry",
    [
        UNetConfig(3, 2, (2, 3, 4), "leaky_relu", "relu", "sigmoid"),
        UNetConfig(3, 2, (2, 3, 4), "elu", "elu", "sigmoid"),
        UNetConfig(3, 2, (2, 3, 4), "elu", "elu", "softmax"),
        UNetConfig(3, 2, (2, 3, 4), "leaky_relu", "elu", "sigmoid", bins=24),
        UNetConfig(3, 2, (2, 3, 4), "elu", "relu", "softmax", side=True),
    ],
)
def test_magnitudes_are_those_of_a_literal_network(geometry: UNetConfig) -> None:
    values = weights(geometry)
    x = np.abs(np.random.default_rng(1).normal(size=(geometry.inputs, 16, 24)))
    wide = {name: value.astype(np.float64) for name, value in values.items()}
    logits = np.stack([reference(x, wide, geometry, k) for k in range(3)])
    masks = np.exp(logits) / np.exp(logits).sum(0) if geometry.output == "softmax" else 1 / (1 + np.exp(-logits))
    with torch.inference_mode():
        found = load_module(geometry, values)(torch.from_numpy(x[None].astype(np.float32)))[0].numpy()
    np.testing.assert_allclose(found, masks * x[:2], atol=5e-6)


@pytest.mark.parametrize(("bins", "side"), [(0, False), (128, False), (128, True)])
def test_state_dict_has_the_names_and_shapes_of_the_weights_file(bins: int, side: bool) -> None:
    geometry = dataclasses.replace(MUSIC, stems=3, bins=bins, side=side)
    state = UNets(geometry).state_dict()
    shapes = {name: tuple(value.shape) for name, value in state.items() if not name.endswith("num_batches_tracked")}
    assert shapes == tensor_shapes(geometry)


def test_a_layer_across_all_bins_carries_what_no_convolution_reaches() -> None:
    """A tone changes what is made of a bin that is farther from it than the convolutions of this network see."""
    near, far = (dataclasses.replace(MUSIC, filters=(2, 3), bins=bins) for bins in (0, 256))
    quiet = torch.full((1, 2, 64, 256), 0.1)
    loud = quiet.clone()
    loud[..., 250] = 1.0
    heard = []
    for geometry in (near, far):
        net = load_module(geometry, weights(geometry))
        with torch.inference_mode():
            heard.append(float((net(loud) - net(quiet))[..., :200].abs().max()))
    assert heard[0] == 0
    assert heard[1] > 1e-4


def test_layers_across_all_bins_begin_as_nothing() -> None:
    geometry = dataclasses.replace(MUSIC, bins=128)
    net, x = UNets(geometry).eval(), torch.rand(1, 2, 64, 128)
    convolutions = UNets(MUSIC).eval()
    convolutions.load_state_dict({n: v for n, v in net.state_dict().items() if "_across." not in n})
    with torch.inference_mode():
        assert net(x).equal(convolutions(x))


def test_the_published_net_has_the_published_number_of_weights() -> None:
    shapes = tensor_shapes(UNetConfig(stems=1))
    dead = 4 * 512  # the bottleneck's BatchNorm, saved but never used
    assert sum(int(np.prod(shape)) for shape in shapes.values()) + dead == 9_826_759


def test_every_net_has_its_own_weights() -> None:
    nets = UNets(MUSIC)
    assert len(nets.nets) == 2
    assert nets.nets[0].last.weight is not nets.nets[1].last.weight
    assert isinstance(nets.nets[0], UNet)


def test_softmax_masks_share_the_mixture_out() -> None:
    geometry = dataclasses.replace(MUSIC, stems=3, output="softmax")
    x = torch.rand(1, 2, 64, 128)
    with torch.inference_mode():
        found = load_module(geometry, weights(geometry))(x)
    torch.testing.assert_close(found.sum(1), x)
