"""Demucs's files become our weights and spec; what is no Hybrid Transformer Demucs is refused in one sentence."""

import hashlib
import io
import json
import pickle
import shutil
import zipfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from unbraid.errors import ModelError
from unbraid.hub.importers import read_checkpoint
from unbraid.hub.importers.demucs_package import read_demucs
from unbraid.hub.importers.htdemucs_names import published_names, published_shapes, scales
from unbraid.hub.spec import Windows
from unbraid.models.family import tensor_shapes
from unbraid.models.htdemucs.config import HtdemucsConfig

ONE = HtdemucsConfig(
    frame_samples=256, segment_samples=1501, features=4, levels=2, squeeze=2, bottom=12, layers=3, heads=3, hidden=24
)
BAG = HtdemucsConfig(
    stems=2, networks=2, channels=1, frame_samples=256, segment_samples=1501, features=6, levels=2, squeeze=2,
    decoder_residuals=False, bottom=0, layers=2, heads=3, hidden=24,
)  # fmt: skip


@pytest.fixture
def one(goldens: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(goldens / "htdemucs", tmp_path / "one"))


@pytest.fixture
def bag(goldens: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(goldens / "htdemucs_bag", tmp_path / "bag"))


def refusal(folder: Path) -> str:
    with pytest.raises(ModelError) as caught:
        read_checkpoint(folder, "mine")
    message = str(caught.value)
    assert "\n" not in message
    return message


def rewrite(path: Path, change: dict[str, Any], state: dict[str, np.ndarray] | None = None, **metadata: str) -> None:
    """The same safetensors file with other arguments, tensors or metadata."""
    with safe_open(path, framework="numpy") as file:
        texts = dict(file.metadata())
    arguments = json.loads(texts["kwargs"]) | change
    tensors = load_file(path) if state is None else state
    save_file(tensors, path, texts | {"kwargs": json.dumps(arguments)} | metadata)


def test_a_file_becomes_weights_and_spec(one: Path) -> None:
    checkpoint = read_checkpoint(one, "mine")
    spec = checkpoint.spec
    assert (spec.family, spec.task, spec.geometry, spec.level) == ("htdemucs", "separation", ONE, "own")
    assert (spec.sample_rate, spec.channels, spec.stems) == (8000, 2, ("drums", "bass", "other", "vocals"))
    assert spec.windows == Windows(1501 / 8000, 376 / 8000)
    assert spec.provenance == "A Hybrid Transformer Demucs, imported from 0123abcd-ae59c1b3.th."
    assert spec.separates_songs
    assert {name: value.shape for name, value in checkpoint.tensors.items()} == tensor_shapes(ONE)
    assert all(value.dtype == np.float32 and value.flags.c_contiguous for value in checkpoint.tensors.values())


def test_a_bag_keeps_of_each_network_its_own_stem(bag: Path) -> None:
    checkpoint = read_checkpoint(bag, "mine")
    assert (checkpoint.spec.geometry, checkpoint.spec.stems) == (BAG, ("drums", "vocals"))
    assert {name: value.shape for name, value in checkpoint.tensors.items()} == tensor_shapes(BAG)
    second = load_file(bag / "aaaa0002.safetensors")  # gives the first stem
    ours = checkpoint.tensors["networks.0.spectral.decoder.1.conv.bias"]
    np.testing.assert_array_equal(ours, second["decoder.1.conv_tr.bias"][:2])
    ours = checkpoint.tensors["networks.0.temporal.encoder.0.conv.weight"]
    np.testing.assert_array_equal(ours[:, :, 0], second["tencoder.0.conv.weight"])


def test_both_formats_hold_the_same(one: Path) -> None:
    (path,) = one.iterdir()
    package, before = read_demucs(path), read_checkpoint(one, "mine").tensors
    arguments = {**package.arguments.root, "segment": {"_type": "fraction", "numerator": 1501, "denominator": 8000}}
    metadata = {"klass": "demucs.htdemucs.HTDemucs", "args": "[]", "kwargs": json.dumps(arguments)}
    path.unlink()
    save_file({k: np.ascontiguousarray(v) for k, v in package.state.items()}, one / "any.safetensors", metadata)
    after = read_checkpoint(one, "mine")
    assert after.spec.geometry == ONE
    assert all(np.array_equal(before[name], value) for name, value in after.tensors.items())


def test_every_published_tensor_is_used_once() -> None:
    config = HtdemucsConfig()
    names, behind = published_names(config), {name for name, _ in scales(config).values()}
    assert names.keys() == tensor_shapes(config).keys()
    assert len(set(names.values())) == len(names)
    assert {*names.values(), *behind} == published_shapes(config).keys()
    assert len(names) + len(behind) == 533  # tensors in the published file
    assert names["temporal.encoder.3.residuals.1.expand.weight"] == "tencoder.3.dconv.layers.1.3.weight"
    assert names["spectral.layers.1.attention.in_proj.bias"] == "crosstransformer.layers.1.cross_attn.in_proj_bias"
    assert scales(config)["temporal.layers.4.feed_out.bias"] == ("crosstransformer.layers_t.4.gamma_2.scale", 1)


ARGUMENTS = [
    ({"cac": False}, "cac is False; a network that can be imported has True."),
    ({"t_cross_first": True}, "t_cross_first is True; a network that can be imported has False."),
    ({"t_sparse_self_attn": True}, "t_sparse_self_attn is True; a network that can be imported has False."),
    ({"multi_freqs": [0.5]}, "multi_freqs is [0.5]; only networks without are read."),
    ({"freq_emb": 0}, "freq_emb is 0; a network that can be imported has an embedding of frequencies."),
    ({"norm_starts": 1}, "norm_starts is 1; a network that can be imported has no norms in 2."),
    ({"dconv_mode": 2}, "dconv_mode is 2; a network that can be imported has 1 or 3."),
    ({"segment": {"_type": "fraction", "numerator": 1, "denominator": 0}}, "as Demucs writes them: (1, 0) is no"),
    ({"segment": "long"}, "segment is 'long', expected a number from 0 on."),
    ({"segment": 1e5}, "segment_samples must be at most 1048576, got 800000000."),
    ({"sources": "drums"}, "sources is 'drums', expected the names of the stems, a list."),
    ({"sources": ["drums"]}, "tensor 'decoder.1.conv_tr.weight' has shape (6, 4, 8, 1), expected (6, 2, 8, 1)."),
    ({"depth": 3}, "tensor 'decoder.2.conv_tr.bias' is missing (52 of 229 are)."),
    ({"depth": 4}, "half of frame_samples must be a multiple of 4^levels, and more than it, got 128 bins for 4 levels"),
    ({"channels": 1 << 21}, "channels is 2097152, which no network has; the most is 1048576."),
    ({"t_heads": 5}, "the features of the Transformer must be a multiple of 4 and of heads, got 12 and 5."),
    ({"nfft": 512}, "tensor 'freq_emb.embedding.weight' has shape (32, 6), expected (64, 6)."),
]


@pytest.mark.parametrize(("change", "told"), ARGUMENTS, ids=[str(change)[:50] for change, _ in ARGUMENTS])
def test_arguments_that_do_not_fit_are_named(bag: Path, change: dict[str, Any], told: str) -> None:
    rewrite(bag / "aaaa0001.safetensors", change)
    message = refusal(bag)
    assert told in message
    assert "aaaa0001.safetensors" in message


def test_another_class_is_told(bag: Path, one: Path) -> None:
    rewrite(bag / "aaaa0001.safetensors", {}, klass="demucs.hdemucs.HDemucs")
    told = "holds 'demucs.hdemucs.HDemucs'; a network of Demucs that can be imported is a demucs.htdemucs.HTDemucs."
    assert told in refusal(bag)
    rewrite(bag / "aaaa0001.safetensors", {}, klass="demucs.htdemucs.HTDemucs", structure="{}")
    assert "is compressed by DiffQ, which is not read" in refusal(bag)
    (path,) = one.iterdir()
    package = read_demucs(path)
    del package.state["freq_emb.embedding.weight"]
    (one / "plain.th").write_bytes(path.read_bytes())
    path.unlink()
    assert read_checkpoint(one, "mine").spec.geometry == ONE  # a name without a hash is not checked


def test_a_tensor_too_many_or_too_few_is_told(bag: Path) -> None:
    path = bag / "aaaa0001.safetensors"
    state = load_file(path)
    rewrite(path, {}, state | {"lstm.weight": np.zeros(3, np.float32)})
    assert "tensor 'lstm.weight' does not belong to this network (1 do not)" in refusal(bag)
    rewrite(path, {}, {name: value for name, value in state.items() if name != "encoder.0.dconv.layers.0.6.scale"})
    assert "tensor 'encoder.0.dconv.layers.0.6.scale' is missing" in refusal(bag)
    rewrite(path, {}, state | {"tencoder.0.conv.bias": np.full(6, np.nan, np.float32)})
    assert "tensor 'tencoder.0.conv.bias' holds NaN or infinity" in refusal(bag)


BAGS = [
    ("- aaaa0002", "- aaaa0003", "names the network 'aaaa0003', of which there is no file; put one beside it."),
    ("1.0\n- - 1.0", "0.0\n- - 0.0", "stems are averages of 2 networks; a bag that can be imported has 'weights'"),
    ("0.0\n  - 1.0", "1.0\n  - 1.0", "stems are averages of 2 networks"),
    ("weights:", "others:", "stems are averages of 2 networks"),
    ("models:", "segment: 44\nmodels:", "segment is 44; only whole segments of networks are read."),
]


@pytest.mark.parametrize(("old", "new", "told"), BAGS)
def test_bags_that_are_not_of_one_network_for_each_stem(bag: Path, old: str, new: str, told: str) -> None:
    path = bag / "bag.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    assert told in refusal(bag)


def test_networks_of_a_bag_are_of_one_kind(bag: Path) -> None:
    rewrite(bag / "aaaa0002.safetensors", {"samplerate": 16_000, "segment": 1501 / 16_000})
    assert "aaaa0002.safetensors differs from aaaa0001.safetensors in sizes, stems or sample rate" in refusal(bag)


def test_several_files_need_a_bag(bag: Path) -> None:
    (bag / "bag.yaml").unlink()
    told = "holds 2 networks (aaaa0001.safetensors, aaaa0002.safetensors); leave one, or add the YAML file of the bag"
    assert told in refusal(bag)


def test_a_file_is_the_one_that_its_name_says(one: Path) -> None:
    (path,) = one.iterdir()
    path.rename(one / "0123abcd-00000000.th")
    assert "has a SHA-256 that begins with ae59c1b3, not as its name says; fetch it again." in refusal(one)


class Fraud:
    """Runs code where its pickle is loaded."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.place,)


@pytest.mark.parametrize("where", ["klass", "kwargs"])
def test_code_in_a_file_is_not_run(one: Path, tmp_path: Path, where: str) -> None:
    content: dict[str, Any] = {"klass": None, "args": (), "kwargs": {}, "state": {}}
    content[where] = Fraud(tmp_path / "was here")
    for path in one.iterdir():
        path.unlink()
    write_pickle(one / "new.th", content)
    assert "which is not part of a plain tensor; it was refused and nothing was run." in refusal(one)
    assert not (tmp_path / "was here").exists()


@pytest.mark.parametrize("fraction", ["1/0", "9" * 5000, "1e9"])
def test_a_fraction_is_two_whole_numbers(one: Path, fraction: str) -> None:
    class Odd:
        def __reduce__(self) -> tuple[object, ...]:
            return Fraction, (fraction,)

    for path in one.iterdir():
        path.unlink()
    write_pickle(one / "new.th", {"klass": None, "args": (), "kwargs": {"segment": Odd()}, "state": {}})
    assert "is truncated or damaged" in refusal(one)


def write_pickle(path: Path, content: object) -> None:
    """A file of torch.save without tensors."""
    stream = io.BytesIO()
    pickle.dump(content, stream, protocol=2)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", stream.getvalue())


@pytest.mark.parametrize("metadata", [{"klass": 3}, {"klass": "demucs.htdemucs.HTDemucs"}, ["klass"], None])
def test_metadata_that_tell_no_arguments_are_told(bag: Path, metadata: object) -> None:
    path = bag / "aaaa0001.safetensors"
    header = json.dumps({"__metadata__": metadata}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    message = refusal(bag)
    assert "aaaa0001.safetensors" in message
    (bag / "bag.yaml").unlink()
    (bag / "aaaa0002.safetensors").unlink()
    assert str(bag) in refusal(bag)  # alone, it is one of Demucs's or of nobody's


def test_the_golden_is_named_by_its_hash(goldens: Path) -> None:
    (path,) = (goldens / "htdemucs").iterdir()
    assert hashlib.sha256(path.read_bytes()).hexdigest()[:8] == path.stem.split("-")[1]
