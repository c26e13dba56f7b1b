"""SpeechBrain folders become our weights and spec; the network with them gives what SpeechBrain gives."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from published_writers import published_speechbrain, seeded_weights, write_speechbrain

from unbraid.errors import ModelError
from unbraid.hub.importers import Checkpoint, read_checkpoint
from unbraid.hub.spec import Windows
from unbraid.models.sepformer.config import SepFormerConfig

SMALL = SepFormerConfig(sources=2, features=8, chunk_frames=10, blocks=2, layers=3, heads=2, hidden=12)


def small_folder(tmp_path: Path, **changes: int) -> Path:
    geometry = dataclasses.replace(SMALL, **changes)
    return write_speechbrain(
        tmp_path / "sepformer", published_speechbrain(seeded_weights(geometry), geometry), geometry
    )


def refusal(folder: Path) -> str:
    with pytest.raises(ModelError) as caught:
        read_checkpoint(folder, "mine")
    return str(caught.value).replace(str(folder), "FOLDER")


# --- what is read ---


@pytest.mark.parametrize(
    ("sources", "stems", "sample_rate"),
    [(1, ("speech",), 16000), (2, ("voice1", "voice2"), 8000), (3, ("voice1", "voice2", "voice3"), 8000)],
)
def test_a_folder_becomes_weights_and_spec(tmp_path: Path, sources: int, stems: tuple, sample_rate: int) -> None:
    geometry = dataclasses.replace(SMALL, sources=sources)
    weights = seeded_weights(geometry)
    folder = write_speechbrain(tmp_path, published_speechbrain(weights, geometry), geometry, sample_rate)
    checkpoint = read_checkpoint(folder, "speechbrain/sepformer-some")
    spec = checkpoint.spec
    assert (spec.family, spec.name, spec.geometry) == ("sepformer", "speechbrain/sepformer-some", geometry)
    assert (spec.sample_rate, spec.channels, spec.stems) == (sample_rate, 1, stems)
    assert (spec.windows, spec.spectral, spec.files) == (Windows(12.0, 3.0), None, {})
    assert spec.licence == "Apache-2.0"
    assert spec.provenance == "A SepFormer trained with SpeechBrain, imported from speechbrain/sepformer-some."
    assert list(checkpoint.tensors) == sorted(weights)
    for name, weight in checkpoint.tensors.items():
        np.testing.assert_array_equal(weight, weights[name], strict=True)
        assert weight.flags.c_contiguous


def test_a_folder_of_unknown_origin_says_so(tmp_path: Path) -> None:
    spec = read_checkpoint(small_folder(tmp_path), "mine").spec
    assert spec.licence == "as stated by its publisher"
    assert spec.provenance == "A SepFormer trained with SpeechBrain, imported from sepformer."


def test_float16_weights_are_widened(tmp_path: Path) -> None:
    parts = published_speechbrain(seeded_weights(SMALL), SMALL)
    parts["decoder"]["weight"] = parts["decoder"]["weight"].astype(np.float16)
    found = read_checkpoint(write_speechbrain(tmp_path, parts, SMALL), "mine").tensors["decoder.weight"]
    np.testing.assert_array_equal(found, parts["decoder"]["weight"].astype(np.float32), strict=True)


def test_our_own_module_saved_by_torch_under_published_names_is_read(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from unbraid.models.sepformer.network import SepFormer

    state = SepFormer(SMALL).state_dict()
    parts = published_speechbrain({name: tensor.numpy() for name, tensor in state.items()}, SMALL)

    def save(path: Path, tensors: dict[str, np.ndarray]) -> None:
        torch.save({name: torch.from_numpy(tensor) for name, tensor in tensors.items()}, path)

    found = read_checkpoint(write_speechbrain(tmp_path, parts, SMALL, save=save), "mine").tensors
    for name, tensor in state.items():
        np.testing.assert_array_equal(found[name], tensor.numpy(), strict=True)


# --- parity with the peer ---


def run(checkpoint: Checkpoint, mixture: np.ndarray) -> np.ndarray:
    """The network's output (S, T) for a mixture (T,)."""
    torch = pytest.importorskip("torch")
    from unbraid.models.sepformer.network import SepFormer

    network = SepFormer(checkpoint.spec.geometry).eval()
    network.load_state_dict({name: torch.tensor(weight) for name, weight in checkpoint.tensors.items()})
    with torch.no_grad():
        return network(torch.tensor(mixture)[None])[0].numpy()


def assert_parity(folder: Path) -> None:
    signals = safetensors.numpy.load_file(folder / "io.safetensors")
    found = run(read_checkpoint(folder, "peer"), signals["mixture"])
    assert np.abs(found - signals["sources"]).max() <= 1e-5 * np.abs(signals["sources"]).max()


@pytest.mark.parametrize("kind", ["speechbrain_1spk", "speechbrain_2spk", "speechbrain_3spk"])
def test_outputs_are_those_of_the_peer(goldens: Path, kind: str) -> None:
    assert_parity(goldens / kind)


@pytest.mark.parametrize("kind", ["sepformer-2spk-small", "sepformer-3spk-small"])
def test_outputs_are_those_of_the_peer_on_the_larger_fixtures(parity: Path, kind: str) -> None:
    assert_parity(parity / "speechbrain" / kind)


# --- tensors that do not fit ---

Damage = Callable[[dict[str, dict[str, np.ndarray]]], object]
LAYER = "dual_mdl.1.inter_mdl.mdl.layers.2"
MISFITS: list[tuple[Damage, str]] = [
    (
        lambda p: p["masknet"].pop("conv2d.weight"),
        "FOLDER/masknet.ckpt: tensor 'conv2d.weight' is missing (1 of 171 are).",
    ),
    (
        lambda p: p["encoder"].pop("conv1d.weight"),
        "FOLDER/encoder.ckpt: tensor 'conv1d.weight' is missing; is this the checkpoint of a SepFormer?",
    ),
    (
        lambda p: p["decoder"].update(bias=np.zeros(1, np.float32)),
        "FOLDER/decoder.ckpt: tensor 'bias' does not belong to this network (1 do not).",
    ),
    (
        lambda p: p["masknet"].update({f"{LAYER}.norm3.weight": np.zeros(8, np.float32)}),
        f"FOLDER/masknet.ckpt: tensor '{LAYER}.norm3.weight' does not belong to this network (1 do not).",
    ),
    (
        lambda p: p["masknet"].update({"conv1d.weight": np.zeros((8, 8), np.float32)}),
        "FOLDER/masknet.ckpt: tensor 'conv1d.weight' has shape (8, 8), expected (8, 8, 1).",
    ),
    (
        lambda p: p["masknet"].update({"conv2d.weight": np.zeros((8, 16, 1, 1), np.float32)}),
        "FOLDER/masknet.ckpt: tensor 'conv2d.weight' has shape (8, 16, 1, 1), expected (16, 8, 1, 1).",
    ),
    (
        lambda p: p["encoder"].update({"conv1d.weight": np.zeros(8, np.float32)}),
        "FOLDER/encoder.ckpt: tensor 'conv1d.weight' has shape (8,), which is not that of a SepFormer's.",
    ),
    (
        lambda p: p["masknet"].update({"norm.bias": np.zeros(8, np.int64)}),
        "FOLDER/masknet.ckpt: tensor 'norm.bias' is int64, expected a floating-point type.",
    ),
    (
        lambda p: p["masknet"].update({"norm.bias": np.full(8, np.nan, np.float32)}),
        "FOLDER/masknet.ckpt: tensor 'norm.bias' holds NaN or infinity; the checkpoint is damaged.",
    ),
    (
        lambda p: p["masknet"].update({"norm.bias": np.full(8, 1e300)}),
        "FOLDER/masknet.ckpt: tensor 'norm.bias' holds NaN or infinity; the checkpoint is damaged.",
    ),
]


@pytest.mark.parametrize(("damage", "message"), MISFITS)
def test_a_tensor_that_does_not_fit_is_named(tmp_path: Path, damage: Damage, message: str) -> None:
    parts = published_speechbrain(seeded_weights(SMALL), SMALL)
    damage(parts)
    assert refusal(write_speechbrain(tmp_path / "sepformer", parts, SMALL)) == message


@pytest.mark.parametrize("file", ["hyperparams.yaml", "encoder.ckpt", "masknet.ckpt", "decoder.ckpt"])
def test_a_missing_file_is_named(tmp_path: Path, file: str) -> None:
    folder = small_folder(tmp_path)
    (folder / file).unlink()
    files = "hyperparams.yaml, encoder.ckpt, masknet.ckpt and decoder.ckpt"
    assert refusal(folder) == f"FOLDER has no {file}; a SpeechBrain SepFormer is {files}."


# --- settings ---

SETTINGS = [
    ("K: 10", "K: 25", "K is 25, expected an even number: chunks overlap by half."),
    ("K: 10", "K: ten", "K is 'ten', expected a whole number above zero."),
    ("K: 10", "K: !ref <kay>", "K is the reference <kay>, which leads to no setting."),
    ("K: 10", "K: !ref <N> // 2", "K is the reference <N> // 2, which leads to no setting."),
    ("nhead: 2", "nhead: 3", "nhead is 3, which does not divide the 8 features."),
    ("    nhead: 2\n", "", "nhead is None, expected a whole number above zero."),
    ("num_spks: 2", "num_spks: 0", "num_spks is 0, expected a whole number above zero."),
    ("num_spks: 2", "num_spks: true", "num_spks is True, expected a whole number above zero."),
    ("sample_rate: 8000", "sample_rate: 8e3", "sample_rate is '8e3', expected a whole number above zero."),
    ("norm: ln", "norm: gln", "norm is 'gln'; a network that can be imported has 'ln'."),
    (
        "    linear_layer_after_inter_intra: False\n",
        "",
        "linear_layer_after_inter_intra is True; a network that can be imported has False.",
    ),
    ("norm_before: True", "norm_before: False", "norm_before is False; a network that can be imported has True."),
    ("kernel_stride: 8", "kernel_stride: 4", "stride is 4; a network that can be imported has 8."),
    ("kernel_stride: 8", "kernel_stride: !ref <stride>", "the references of stride go round in a circle."),
]


@pytest.mark.parametrize(("before", "after", "message"), SETTINGS)
def test_a_setting_that_cannot_be_met_is_named(tmp_path: Path, before: str, after: str, message: str) -> None:
    path = small_folder(tmp_path) / "hyperparams.yaml"
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))
    assert refusal(path.parent) == f"FOLDER/hyperparams.yaml: {message}"


def test_more_speakers_than_the_weights_have_is_a_misfit(tmp_path: Path) -> None:
    path = small_folder(tmp_path) / "hyperparams.yaml"
    path.write_text(path.read_text().replace("num_spks: 2", "num_spks: 3"))
    assert (
        refusal(path.parent)
        == "FOLDER/masknet.ckpt: tensor 'conv2d.weight' has shape (16, 8, 1, 1), expected (24, 8, 1, 1)."
    )


def test_another_program_is_told(tmp_path: Path) -> None:
    path = small_folder(tmp_path) / "hyperparams.yaml"
    path.write_text("sample_rate: 8000\n")
    told = "FOLDER/hyperparams.yaml has no section 'modules'; is it the hyperparams.yaml of a SepFormer?"
    assert refusal(path.parent) == told
    path.write_text("- 1\n")
    assert refusal(path.parent) == "FOLDER/hyperparams.yaml is not a YAML mapping of names to settings."


def test_yaml_is_data_and_runs_nothing(tmp_path: Path) -> None:
    path = small_folder(tmp_path) / "hyperparams.yaml"
    text, trace = path.read_text(), tmp_path / "trace"
    path.write_text(
        f"{text}\nevil: !apply:os.system ['touch {trace}']\nworse: !new:os.system\n  command: touch {trace}\n"
    )
    read_checkpoint(path.parent, "mine")
    path.write_text(f"{text}\nevil: !!python/object/apply:os.system ['touch {trace}']\n")
    assert refusal(path.parent).startswith(
        "FOLDER/hyperparams.yaml is not YAML that can be read as data: could not deter"
    )
    assert not trace.exists()


@pytest.mark.parametrize("text", ["a: [1", "a: \x00", "? [1, 2]\n: 3", "[" * 600])
def test_broken_yaml_is_told(tmp_path: Path, text: str) -> None:
    path = small_folder(tmp_path) / "hyperparams.yaml"
    path.write_text(text)
    assert refusal(path.parent).startswith("FOLDER/hyperparams.yaml is not YAML that can be read as data: ")
