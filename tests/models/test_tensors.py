"""The weights file: its layout is a constant of names, shapes and dtypes, and names are checked both ways."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from engine_fakes import BANDS, MUSIC, SPEECH, TASNET, weights
from side_fakes import EVERY
from unbraid.errors import ModelError
from unbraid.models.audio_transformer.config import AudioTransformerConfig, TextSide
from unbraid.models.band_split.config import BandSplitConfig
from unbraid.models.causal_lstm.config import CausalLSTMConfig
from unbraid.models.config import Config
from unbraid.models.family import tensor_shapes
from unbraid.models.sepformer.config import SepFormerConfig
from unbraid.models.tensors import check_tensors, read_weights, tensor_offsets, write_weights
from unbraid.models.unet.config import UNetConfig


@pytest.mark.parametrize(
    ("geometry", "count", "numbers"),
    [
        (SepFormerConfig(), 413, 25_679_361),
        (BandSplitConfig(), 258, 2_773_088),
        (CausalLSTMConfig(), 32, 835_616),
        (UNetConfig(), 2 * 70, 2 * (9_826_759 - 4 * 512)),
        (UNetConfig(bins=1024), 2 * (70 + 11 * 7), 2 * (9_826_759 - 4 * 512 + 447_300)),
        (UNetConfig(stems=5), 5 * 70, 5 * (9_826_759 - 4 * 512)),
        (AudioTransformerConfig(TextSide(30), TextSide(43)), 98, 3_115_776 + (30 + 2 * 43) * 192 + 43),
    ],
)
def test_networks_have_their_published_size(geometry: Config, count: int, numbers: int) -> None:
    shapes = tensor_shapes(geometry)
    assert list(shapes) == sorted(shapes)
    assert (len(shapes), sum(math.prod(shape) for shape in shapes.values())) == (count, numbers)


@pytest.mark.parametrize("kind", EVERY)
def test_the_tensors_of_every_combination_are_those_of_its_module(kind: str) -> None:
    pytest.importorskip("torch")
    from unbraid.models.audio_transformer.network.model import AudioTransformer

    state = AudioTransformer(EVERY[kind]).state_dict()
    assert tensor_shapes(EVERY[kind]) == {name: tuple(state[name].shape) for name in sorted(state)}


def test_the_tensors_of_a_band_split_transformer_are_those_of_its_module() -> None:
    pytest.importorskip("torch")
    from unbraid.models.band_split.network import BandSplit

    state = BandSplit(BANDS).state_dict()
    assert tensor_shapes(BANDS) == {name: tuple(state[name].shape) for name in sorted(state)}


def test_the_tensors_of_a_conv_tasnet_are_those_of_its_module() -> None:
    pytest.importorskip("torch")
    from unbraid.models.conv_tasnet.network import ConvTasNet

    state = ConvTasNet(TASNET).state_dict()
    assert tensor_shapes(TASNET) == {name: tuple(state[name].shape) for name in sorted(state)}


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_a_file_is_safetensors_with_nothing_but_tensors_in_name_order(tmp_path: Path, dtype: str) -> None:
    tensors = {name: value.astype(dtype) for name, value in weights(SPEECH).items()}
    shuffled = dict(sorted(tensors.items(), key=lambda item: item[0][::-1]))
    write_weights(tmp_path / "w", shuffled)
    content = (tmp_path / "w").read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    assert list(header) == sorted(tensors)
    assert int.from_bytes(content[:8], "little") % 8 == 0
    for reader in (safetensors.numpy.load_file, read_weights):
        found = reader(tmp_path / "w")
        assert found.keys() == tensors.keys()
        for name, value in tensors.items():
            np.testing.assert_array_equal(found[name], value, strict=True)
    places = tensor_offsets({name: (dtype, value.shape) for name, value in shuffled.items()})
    assert max(start + size for start, size in places.values()) == len(content)
    for name, (start, size) in places.items():
        assert content[start : start + size] == tensors[name].tobytes()


def test_turned_arrays_are_written_as_they_read(tmp_path: Path) -> None:
    turned = np.arange(6, dtype=np.float32).reshape(2, 3).T
    write_weights(tmp_path / "w", {"x": turned})
    np.testing.assert_array_equal(read_weights(tmp_path / "w")["x"], turned)


@pytest.mark.parametrize("content", [b"", b"not safetensors at all", b"\xff" * 64])
def test_what_is_no_weights_file_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "w").write_bytes(content)
    with pytest.raises(ModelError) as caught:
        read_weights(tmp_path / "w")
    assert str(caught.value).startswith(f"{tmp_path / 'w'} cannot be read as safetensors: ")
    with pytest.raises(ModelError):
        read_weights(tmp_path / "absent")


def test_tensors_are_checked_both_ways() -> None:
    shapes = tensor_shapes(MUSIC)
    check_tensors(shapes, MUSIC, "here")
    name = "nets.1.up.0.bias"
    for changed, message in (
        ({n: s for n, s in shapes.items() if n != name}, f"tensor {name!r} is missing (1 of 140 are)."),
        (shapes | {"nets.2.x": (1,)}, "tensor 'nets.2.x' does not belong to this network (1 do not)."),
        (shapes | {name: (7,)}, f"tensor {name!r} has shape (7,), expected (6,)."),
    ):
        with pytest.raises(ModelError) as caught:
            check_tensors(changed, MUSIC, "here")
        assert str(caught.value) == f"here: {message}"
