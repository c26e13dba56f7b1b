"""Folders of RoFormers become our weights and spec; what is no RoFormer is refused in one sentence."""

import io
import pickle
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from published_writers import torch_save
from safetensors.numpy import save_file

from unbraid.errors import ModelError
from unbraid.hub.importers import read_checkpoint
from unbraid.hub.importers.roformer import published_names
from unbraid.hub.importers.torch_pickle import read_state_dict
from unbraid.hub.spec import Windows
from unbraid.models.family import tensor_shapes
from unbraid.models.roformer.config import RoformerConfig

MEL = RoformerConfig(
    frame_samples=64, hop_samples=16, mel_bands=7, mel_rate=8000, features=6, blocks=2, heads=2, head_features=4,
    hidden=24, mask_hidden=24,
)  # fmt: skip
BS = RoformerConfig(
    stems=2, frame_samples=64, hop_samples=16, mel_bands=0, mel_rate=0, widths=(2, 3, 5, 10, 13), features=6, blocks=2,
    heads=2, head_features=4, hidden=24, mask_hidden=24, mask_layers=1, block_norm=False, final_norm=True,
    normalized=True, zero_dc=True,
)  # fmt: skip


@pytest.fixture
def mel(goldens: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(goldens / "mel_band_roformer", tmp_path / "kim"))


@pytest.fixture
def bs(goldens: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(goldens / "bs_roformer", tmp_path / "bs"))


def refusal(folder: Path) -> str:
    with pytest.raises(ModelError) as caught:
        read_checkpoint(folder, "mine")
    message = str(caught.value)
    assert "\n" not in message
    return message


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_a_mel_band_roformer_becomes_weights_and_spec(mel: Path) -> None:
    spec = read_checkpoint(mel, "mine").spec
    assert (spec.family, spec.task, spec.geometry, spec.level) == ("roformer", "separation", MEL, "own")
    assert (spec.sample_rate, spec.channels, spec.stems, spec.remainder) == (8000, 2, ("vocals",), "instrumental")
    assert spec.windows == Windows(480 / 8000, 240 / 8000)
    assert spec.provenance == "A Mel-Band RoFormer, imported from vocals.ckpt with vocals.yaml."


def test_a_bs_roformer_becomes_weights_and_spec(bs: Path) -> None:
    spec = read_checkpoint(bs, "mine").spec
    assert (spec.geometry, spec.stems, spec.remainder) == (BS, ("drums", "bass"), "residual")
    assert spec.windows == Windows(480 / 8000, 360 / 8000)


FORMS = [(".safetensors", ""), (".pt", ""), (".pth", "state_dict"), (".th", "state"), (".CKPT", "model_state_dict")]


@pytest.mark.parametrize(("suffix", "wrapper"), FORMS)
def test_all_forms_of_a_checkpoint_are_read(bs: Path, suffix: str, wrapper: str) -> None:
    path = bs / "rhythm.ckpt"
    before, state = read_checkpoint(bs, "mine").tensors, read_state_dict(path)
    path.unlink()
    if suffix == ".safetensors":
        save_file({name: np.ascontiguousarray(value) for name, value in state.items()}, bs / f"rhythm{suffix}")
    elif wrapper:
        torch = pytest.importorskip("torch")
        wrapped = {wrapper: {name: torch.tensor(value) for name, value in state.items()}, "epoch": 3}
        torch.save(wrapped, bs / f"rhythm{suffix}")
    else:
        torch_save(bs / f"rhythm{suffix}", {name: np.ascontiguousarray(value) for name, value in state.items()})
    after = read_checkpoint(bs, "mine").tensors
    assert before.keys() == after.keys() == tensor_shapes(BS).keys()
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_names_are_those_of_the_published_files() -> None:
    """A tensor each in the published 913 MB file, but for the angles, of which each attention has a copy."""
    names = published_names(RoformerConfig())
    assert len(set(names.values())) == len(names) == len(tensor_shapes(RoformerConfig())) - 2
    assert names["blocks.5.bands.layers.0.attention.in_proj.weight"] == "layers.5.1.layers.0.0.to_qkv.weight"
    assert names["masks.0.59.2.bias"] == "mask_estimators.0.to_freqs.59.0.4.bias"
    assert names["inlet.0.norm.weight"] == "band_split.to_features.0.0.gamma"


def test_angles_come_from_the_checkpoint_or_from_the_formula(mel: Path) -> None:
    path = mel / "vocals.ckpt"
    state = {name: np.ascontiguousarray(value) for name, value in read_state_dict(path).items()}
    assert sum("rotary_embed" in name for name in state) == 4
    torch_save(path, {name: value for name, value in state.items() if "rotary_embed" not in name})
    np.testing.assert_allclose(read_checkpoint(mel, "mine").tensors["rotary.time"], [1, 0.01], rtol=1e-6)
    other = np.array([0.5, 0.25], np.float16)
    torch_save(path, state | {name: other for name in state if "rotary_embed" in name and ".0.layers" in name})
    tensors = read_checkpoint(mel, "mine").tensors
    np.testing.assert_array_equal(tensors["rotary.time"], other)
    np.testing.assert_allclose(tensors["rotary.bands"], [1, 0.01], rtol=1e-3)
    torch_save(path, state | {"layers.1.0.layers.0.0.rotary_embed.freqs": other})
    assert "'layers.1.0.layers.0.0.rotary_embed.freqs' differs from those of the other layers" in refusal(mel)


STEMS = [
    ("- vocals\n  - other\n  target_instrument: vocals", "- Vocals\n  target_instrument: Vocals",
     "vocals instrumental"),
    ("- other\n  target_instrument: vocals", "- other\n  target_instrument: other", "other vocals"),
    ("- vocals\n  - other\n  target_instrument: vocals", "- noreverb\n  - reverb\n  target_instrument: noreverb",
     "noreverb reverb"),
    ("- vocals\n  - other\n  target_instrument: vocals", "- dry\n  - other\n  target_instrument: dry", "dry residual"),
    ("- vocals\n  - other\n  target_instrument: vocals", "- crowd\n  target_instrument: null", "crowd residual"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "expected"), STEMS)
def test_the_rest_has_a_name_where_the_settings_tell_one(mel: Path, old: str, new: str, expected: str) -> None:
    edit(mel / "vocals.yaml", old, new)
    spec = read_checkpoint(mel, "mine").spec
    assert " ".join((*spec.stems, spec.remainder)) == expected


def test_bands_of_a_bs_roformer_have_a_default(bs: Path) -> None:
    """A yaml without bands is that of a BS-RoFormer if the checkpoint is; the usual ones hold 1025 bins."""
    edit(bs / "rhythm.yaml", "  freqs_per_bands: !!python/tuple [2, 3, 5, 10, 13]\n", "")
    assert "widths must be above 0 and add up to 33 bins, got 1025" in refusal(bs)


CHANGES = [
    ("  dim: 6\n", "", "model has no 'dim'; add the value that the network was trained with."),
    ("  depth: 2\n", "", "model has no 'depth'; add the value that the network was trained with."),
    ("  num_bands: 7\n", "", "model has neither 'num_bands' (of a Mel-Band RoFormer) nor 'freqs_per_bands'"),
    ("model:", "network:", "has no section 'model'; is it the YAML file of a RoFormer?"),
    ("  chunk_size: 480\n", "", "neither audio nor inference has a 'chunk_size'; add it, in samples."),
    ("chunk_size: 480", "chunk_size: 485", "chunk_size is 485, which is no multiple of stft_hop_length, 16; use 480."),
    ("chunk_size: 480", "chunk_size: big", "chunk_size is 'big', expected a whole number above zero"),
    ("num_overlap: 2", "num_overlap: 0", "num_overlap is 0, expected a whole number above zero"),
    ("num_overlap: 2", "normalize: true", "normalize is True; a network that can be imported has False"),
    ("linear_transformer_depth: 0", "linear_transformer_depth: 1", "linear_transformer_depth is 1; a network that"),
    ("stft_win_length: 64", "stft_win_length: 60", "stft_win_length is 60; a network that can be imported has 64"),
    ("num_bands: 7", "num_bands: 60", "60 mel bands do not cover the bins of frames of 64 samples at 8000 Hz"),
    ("num_bands: 7", "num_bands: 8", "tensor 'band_split.to_features.7.0.gamma' is missing"),
    ("mask_estimator_depth: 2", "mask_estimator_depth: 1", "tensor 'mask_estimators.0.to_freqs.0.0.4.bias' does not"),
    ("depth: 2\n  stereo", "depth: 3\n  stereo", "tensor 'layers.2.0.layers.0.0.norm.gamma' is missing"),
    ("stereo: true", "stereo: false", "has shape (6, 20), expected (6, 10)"),
    ("heads: 2", "heads: 3", "has shape (2,), expected (3,)"),
    ("num_stems: 1", "num_stems: 2", "num_stems is 2, but training names 1 ('vocals')"),
    ("target_instrument: vocals", "target_instrument: null", "num_stems is 1, but training names 2 ('vocals, other')"),
    ("instruments:", "sources:", "instruments is None, expected the names of the stems, a list"),
    ("!!python/tuple\n  - 64", "!!python/tuple\n  - !!python/name:os.system", "is not YAML that can be read as data"),
    ("!!python/tuple\n  - 64", "!!python/tuple\n  - [64]", "a !!python/tuple of anything but numbers"),
    ("dim: 6", "dim: !!python/object/apply:os.getpid []", "is not YAML that can be read as data"),
    ("dim: 6", "dim: 1048577", "dim is 1048577, which no network has"),
]


@pytest.mark.parametrize(
    ("old", "new", "told"), CHANGES, ids=[f"{old.strip()} > {new.strip()}"[:60] for old, new, _ in CHANGES]
)
def test_settings_that_do_not_fit_are_named(mel: Path, old: str, new: str, told: str) -> None:
    edit(mel / "vocals.yaml", old, new)
    message = refusal(mel)
    assert told in message
    assert "vocals." in message  # the file


def test_a_similar_network_is_told_by_a_tensor(bs: Path) -> None:
    """lucidrains' later BS-RoFormer mixes values of the first layer into later ones."""
    path = bs / "rhythm.ckpt"
    state = {name: np.ascontiguousarray(value) for name, value in read_state_dict(path).items()}
    torch_save(path, state | {"layers.1.0.layers.0.0.to_value_residual_mix.weight": np.zeros((2, 6), np.float32)})
    assert "'layers.1.0.layers.0.0.to_value_residual_mix.weight' does not belong to this network" in refusal(bs)


def test_code_in_a_checkpoint_is_not_run(mel: Path, tmp_path: Path) -> None:
    class Code:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "was here",))

    with zipfile.ZipFile(mel / "vocals.ckpt", "w") as archive:
        stream = io.BytesIO()
        pickle.dump({"state_dict": Code()}, stream, protocol=2)
        archive.writestr("archive/data.pkl", stream.getvalue())
    assert "which is not part of a plain tensor; it was refused and nothing was run." in refusal(mel)
    assert not (tmp_path / "was here").exists()


def test_one_file_of_each_kind(mel: Path) -> None:
    shutil.copy(mel / "vocals.ckpt", mel / "later.ckpt")
    assert "holds several candidates (later.ckpt, vocals.ckpt); leave one file of settings" in refusal(mel)
    for path in mel.glob("*.ckpt"):
        path.unlink()
    told = "a RoFormer (a .yaml or .yml of settings and a .ckpt, .pt, .pth, .th or .safetensors of weights)"
    assert told in refusal(mel)
