"""ClearerVoice's folders become our weights and spec; what is no MossFormer2 is refused in one sentence."""

import io
import pickle
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from published_writers import torch_save

from unbraid.errors import ModelError
from unbraid.hub.importers import read_checkpoint
from unbraid.hub.importers.clearvoice import BLOCKS, POINTER, published_names, published_shapes
from unbraid.hub.importers.torch_pickle import read_state_dict
from unbraid.hub.spec import Windows
from unbraid.models.family import tensor_shapes
from unbraid.models.mossformer2.config import MossFormer2Config

SMALL = MossFormer2Config(features=8, kernel_samples=8, layers=2, key_features=12, memory_features=6)
WEIGHTS = "last_best_checkpoint.pt"
FREQS = f"{BLOCKS}.layers.1.rotary_pos_emb.freqs"


@pytest.fixture
def folder(goldens: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(goldens / "clearvoice", tmp_path / "moss"))


def state_of(folder: Path) -> dict[str, np.ndarray]:
    state = read_state_dict(folder / WEIGHTS, within=("model",))
    return {name: np.ascontiguousarray(value) for name, value in state.items()}


def refusal(folder: Path) -> str:
    with pytest.raises(ModelError) as caught:
        read_checkpoint(folder, "mine")
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_folder_becomes_weights_and_spec(folder: Path) -> None:
    found = read_checkpoint(folder, "mine")
    spec = found.spec
    assert (spec.family, spec.task, spec.geometry, spec.level) == ("mossformer2", "separation", SMALL, "fitted")
    assert (spec.sample_rate, spec.channels, spec.stems) == (16000, 1, ("voice1", "voice2"))
    assert spec.windows == Windows(4.0, 1.0)
    assert (spec.licence, spec.provenance) == (
        "as stated by its publisher",
        "A MossFormer2 trained with ClearerVoice, imported from moss.",
    )
    assert {name: tensor.shape for name, tensor in found.tensors.items()} == tensor_shapes(SMALL)
    assert read_checkpoint(folder, "alibabasglab/MossFormer2_SS_16K").spec.licence == "Apache-2.0"


def test_the_published_network_has_the_published_tensors() -> None:
    """55,735,666 numbers: those of the tensors below, and a set of angles that every layer has a copy of."""
    shapes = published_shapes(MossFormer2Config())
    assert sum(int(np.prod(shape)) for shape in shapes.values()) + 16 == 55_735_666
    assert shapes["enc.conv1d.weight"] == shapes["dec.weight"] == (512, 1, 16)
    assert shapes[f"{BLOCKS}.layers.23.to_hidden.mdl.1.weight"] == (2048, 512)
    assert shapes[f"{BLOCKS}.fsmn.0.gated_fsmn.fsmn.conv.conv2.weight"] == (256, 2, 39, 1)
    assert shapes["mask_net.conv1d_out.weight"] == (1024, 512, 1)
    names = published_names(MossFormer2Config())
    assert tensor_shapes(MossFormer2Config()).keys() - names.keys() == {"masknet.rotary_rates"}


def test_gains_and_paths_around_convolutions_are_inside_other_weights(folder: Path) -> None:
    state, ours = state_of(folder), read_checkpoint(folder, "mine").tensors
    hidden = f"{BLOCKS}.layers.1.to_hidden.mdl"
    gain, weight = state[f"{hidden}.0.g"].astype(np.float32), state[f"{hidden}.1.weight"].astype(np.float32)
    np.testing.assert_array_equal(ours["masknet.layers.1.attention.values.linear.weight"], gain * weight[:16])
    np.testing.assert_array_equal(ours["masknet.layers.1.attention.gates.linear.weight"], gain * weight[16:])
    kernel = state[f"{hidden}.3.sequential.1.conv.weight"].astype(np.float32)
    kernel[:, :, 8] += 1
    np.testing.assert_array_equal(ours["masknet.layers.1.attention.gates.conv.weight"], kernel[16:])


def test_all_forms_of_a_checkpoint_are_read(folder: Path) -> None:
    """Beside the state of the training or alone, and from several devices."""
    before, state = read_checkpoint(folder, "mine").tensors, state_of(folder)
    torch_save(folder / WEIGHTS, {f"module.{name}": value for name, value in state.items()})
    after = read_checkpoint(folder, "mine").tensors
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_angles_come_from_the_checkpoint_or_from_the_formula(folder: Path) -> None:
    state = state_of(folder)
    assert sum("rotary" in name for name in state) == 2
    usual = 10000 ** (-np.arange(0, 12, 2) / 12)
    np.testing.assert_allclose(read_checkpoint(folder, "mine").tensors["masknet.rotary_rates"], usual, rtol=1e-6)
    torch_save(folder / WEIGHTS, {name: value for name, value in state.items() if "rotary" not in name})
    np.testing.assert_allclose(read_checkpoint(folder, "mine").tensors["masknet.rotary_rates"], usual, rtol=1e-6)
    torch_save(folder / WEIGHTS, state | {FREQS: 2 * state[FREQS]})
    assert f"tensor '{FREQS}' differs from those of the other layers" in refusal(folder)


CHANGES = [
    ("enc.conv1d.weight", None, "tensor 'enc.conv1d.weight' is missing or has no size; is this a MossFormer2 that"),
    ("mask_net.norm.bias", None, "tensor 'mask_net.norm.bias' is missing"),
    ("mask_net.mdl.other", np.ones(3, np.float32), "tensor 'mask_net.mdl.other' does not belong to this network"),
    ("dec.weight", np.ones((8, 1, 9), np.float32), "tensor 'dec.weight' has shape (8, 1, 9), expected (8, 1, 8)"),
    ("enc.conv1d.weight", np.ones((8, 1, 9), np.float32), "kernel_samples must be even, got 9."),
    ("mask_net.norm.bias", np.full(8, np.nan, np.float32), "holds NaN or infinity"),
    ("mask_net.norm.bias", np.ones(8, np.int64), "is int64, expected a floating-point type"),
]


@pytest.mark.parametrize(("name", "value", "told"), CHANGES, ids=[told[:40] for _, _, told in CHANGES])
def test_other_tensors_are_refused(folder: Path, name: str, value: np.ndarray | None, told: str) -> None:
    state = {key: tensor for key, tensor in state_of(folder).items() if key != name}
    torch_save(folder / WEIGHTS, state if value is None else state | {name: value})
    message = refusal(folder)
    assert told in message
    assert WEIGHTS in message


POINTERS = [
    ("", "names '', expected the name of a .pt file beside it."),
    ("../last_best_checkpoint.pt\n", "names '../last_best_checkpoint.pt', expected the name of a .pt file beside it."),
    ("weights.safetensors\n", "names 'weights.safetensors', expected the name of a .pt file beside it."),
    ("model.ckpt-3.pt\n", "names model.ckpt-3.pt, which is not beside it; add that file."),
    ("x" * 2000, "cannot be read"),
]


@pytest.mark.parametrize(("text", "told"), POINTERS, ids=[text[:20].strip() or "empty" for text, _ in POINTERS])
def test_the_pointer_names_a_file_beside_it(folder: Path, text: str, told: str) -> None:
    (folder / POINTER).write_text(text, encoding="utf-8")
    message = refusal(folder)
    assert told in message
    assert POINTER in message


def test_code_in_a_checkpoint_is_not_run(folder: Path, tmp_path: Path) -> None:
    class Code:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "was here",))

    with zipfile.ZipFile(folder / WEIGHTS, "w") as archive:
        stream = io.BytesIO()
        pickle.dump({"model": Code()}, stream, protocol=2)
        archive.writestr("archive/data.pkl", stream.getvalue())
    assert "which is not part of a plain tensor; it was refused and nothing was run." in refusal(folder)
    assert not (tmp_path / "was here").exists()
