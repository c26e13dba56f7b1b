"""Wav2Vec2 and HuBERT folders become our weights and spec; the network with them gives what transformers gives."""

import importlib.util
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from unbraid.errors import ModelError
from unbraid.hub.folder import write_model_folder
from unbraid.hub.importers import Checkpoint, read_checkpoint
from unbraid.hub.importers.torch_pickle import read_state_dict
from unbraid.hub.spec import Windows
from unbraid.models.wav2vec2.config import Wav2Vec2Config
from unbraid.runtime import Engine, open_executor

TOLERANCE = 1e-4  # on logits
SMALL = Wav2Vec2Config(
    symbols=9,
    features=24,
    heads=3,
    hidden=40,
    layers=2,
    filters=(8, 10, 12),
    kernels=(10, 3, 4),
    strides=(5, 2, 3),
    position_kernel=8,
    position_groups=4,
)
SPECIAL = ("<padding>", "<begin>", "<end>", "<unknown>")


@pytest.fixture
def folder(tmp_path: Path, goldens: Path) -> Path:
    """A published folder that may be damaged."""
    return shutil.copytree(goldens / "wav2vec2", tmp_path / "published")


def change(path: Path, **values: Any) -> None:
    """Change settings of a JSON file; None takes one out."""
    changed = json.loads(path.read_text()) | values
    path.write_text(json.dumps({key: value for key, value in changed.items() if value is not None}))


def refusal(folder: Path) -> str:
    with pytest.raises(ModelError) as caught:
        read_checkpoint(folder, "mine")
    return str(caught.value).replace(str(folder), "FOLDER")


# --- what is read ---


def test_a_folder_becomes_weights_and_spec(goldens: Path) -> None:
    checkpoint = read_checkpoint(goldens / "wav2vec2", "facebook/wav2vec2-some")
    spec = checkpoint.spec
    assert (spec.family, spec.name, spec.geometry) == ("wav2vec2", "facebook/wav2vec2-some", SMALL)
    assert (spec.sample_rate, spec.channels, spec.stems) == (16000, 1, ())
    assert (spec.windows, spec.files) == (Windows(20.0, 4.0), {})
    assert spec.vocabularies is not None
    assert (spec.vocabularies.source, spec.vocabularies.target) == ((), (*SPECIAL, " ", "E", "T", "A", "'"))
    assert spec.licence == "Apache-2.0"
    assert spec.provenance == "A Wav2Vec2 published for transformers, imported from facebook/wav2vec2-some."
    assert list(checkpoint.tensors) == sorted(checkpoint.tensors)
    assert all(tensor.flags.c_contiguous and tensor.dtype == np.float32 for tensor in checkpoint.tensors.values())


def test_another_networks_settings_are_found(goldens: Path) -> None:
    """An old file of torch.save, layer norms first, no norm of the projection, 8 kHz, an odd kernel of positions."""
    spec = read_checkpoint(goldens / "hubert", "mine").spec
    assert isinstance(g := spec.geometry, Wav2Vec2Config)
    assert (g.filter_norm, g.filter_bias, g.pre_norm) == ("layer", True, True)
    assert (g.project_norm, g.normalized, g.position_kernel, spec.sample_rate) == (False, False, 7, 8000)
    assert spec.licence == "as stated by its publisher"
    assert spec.provenance == "A HuBERT published for transformers, imported from hubert."


def test_special_symbols_come_first_and_those_that_the_head_lacks_are_never_likely(goldens: Path) -> None:
    """The published order is o, |, x, ß, [UNK], [PAD]; begin and end have no rows."""
    checkpoint = read_checkpoint(goldens / "hubert", "mine")
    assert checkpoint.spec.vocabularies is not None
    assert checkpoint.spec.vocabularies.target == (*SPECIAL, "o", " ", "x", "ß")
    published = read_state_dict(goldens / "hubert" / "pytorch_model.bin")
    weight, bias = checkpoint.tensors["symbols.weight"], checkpoint.tensors["symbols.bias"]
    np.testing.assert_array_equal(weight[[0, 3, 4, 5, 6, 7]], published["lm_head.weight"][[5, 4, 0, 1, 2, 3]])
    np.testing.assert_array_equal(bias[[0, 3, 4, 5, 6, 7]], published["lm_head.bias"][[5, 4, 0, 1, 2, 3]])
    assert not weight[1:3].any() and (bias[1:3] == -1e4).all()


def test_queries_keys_and_values_become_one_projection(goldens: Path) -> None:
    tensors = read_checkpoint(goldens / "wav2vec2", "mine").tensors
    published = safetensors.numpy.load_file(goldens / "wav2vec2" / "model.safetensors")
    for kind in ("weight", "bias"):
        parts = [published[f"wav2vec2.encoder.layers.1.attention.{part}_proj.{kind}"] for part in "qkv"]
        np.testing.assert_array_equal(tensors[f"encoder.layers.1.attention.in_proj.{kind}"], np.concatenate(parts))


def test_the_weight_norm_of_the_positions_is_worked_out(goldens: Path) -> None:
    """Each step of the kernel has the length that its g says."""
    published = safetensors.numpy.load_file(goldens / "wav2vec2" / "model.safetensors")
    lengths = published["wav2vec2.encoder.pos_conv_embed.conv.parametrizations.weight.original0"]
    weight = read_checkpoint(goldens / "wav2vec2", "mine").tensors["encoder.position.weight"]
    np.testing.assert_allclose(np.linalg.norm(weight.reshape(-1, 8), axis=0), np.abs(lengths.ravel()), rtol=1e-6)


def test_float16_weights_are_widened(folder: Path, goldens: Path) -> None:
    tensors = safetensors.numpy.load_file(folder / "model.safetensors")
    half = {name: tensor.astype(np.float16) for name, tensor in tensors.items()}
    safetensors.numpy.save_file(half, folder / "model.safetensors")
    found = read_checkpoint(folder, "mine").tensors["symbols.bias"]
    np.testing.assert_array_equal(found, half["lm_head.bias"].astype(np.float32), strict=True)


def test_settings_of_sound_may_be_a_section_of_the_processors(folder: Path) -> None:
    """As transformers 5 saves them with the tokenizer's, in one file."""
    sound = json.loads((folder / "preprocessor_config.json").read_text()) | {"sampling_rate": 22050}
    (folder / "preprocessor_config.json").unlink()
    processor = {"feature_extractor": sound, "processor_class": "Wav2Vec2Processor"}
    (folder / "processor_config.json").write_text(json.dumps(processor))
    assert read_checkpoint(folder, "mine").spec.sample_rate == 22050


@pytest.mark.parametrize("rows", ["within", "beyond"])
def test_symbols_that_were_added_later(folder: Path, rows: str) -> None:
    """Begin and end may have rows, or numbers beyond the head, when the head was made without them."""
    symbols = {"E": 0, "|": 1, "T": 2, "A": 3, "<unk>": 4, "<pad>": 5}
    others = ["'", "O", "N"] if rows == "beyond" else ["'"]
    symbols |= {symbol: 6 + i for i, symbol in enumerate(others)}
    added = {"<s>": len(symbols), "</s>": len(symbols) + 1}
    (folder / "vocab.json").write_text(json.dumps(symbols))
    (folder / "added_tokens.json").write_text(json.dumps(added))
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"added_tokens_decoder": {str(n): {"content": symbol} for symbol, n in added.items()}})
    )
    change(folder / "config.json", pad_token_id=5)
    checkpoint = read_checkpoint(folder, "mine")
    assert checkpoint.spec.vocabularies is not None
    assert checkpoint.spec.vocabularies.target == (*SPECIAL, "E", " ", "T", "A", *others)
    assert (checkpoint.tensors["symbols.bias"] == -1e4).sum() == (2 if rows == "beyond" else 0)


# --- parity with the peer ---


def logits(checkpoint: Checkpoint, folder: Path, waveform: np.ndarray, device: str) -> np.ndarray:
    """The network's output (N, V) for a waveform (T,)."""
    pytest.importorskip("onnx")
    if device == "torch":
        pytest.importorskip("torch")
    spec = write_model_folder(folder, checkpoint.spec, checkpoint.tensors)
    executor = open_executor(spec, folder, engine=Engine(device, threads=1))
    return executor.run({"waveform": waveform[None]})["logits"][0]


def in_our_order(published: np.ndarray, folder: Path, symbols: tuple[str, ...]) -> tuple[np.ndarray, list[int]]:
    """The published logits (N, V) of those of our symbols that the head has, and their numbers here."""
    numbers = json.loads((folder / "vocab.json").read_text())
    tokens = json.loads((folder / "tokenizer_config.json").read_text())
    special = [tokens[f"{kind}_token"] for kind in ("pad", "bos", "eos", "unk")]
    theirs = (*special, *("|" if symbol == " " else symbol for symbol in symbols[4:]))
    here = [k for k, symbol in enumerate(theirs) if symbol in numbers]
    return published[:, [numbers[theirs[k]] for k in here]], here


def assert_parity(folder: Path, place: Path, waveform: np.ndarray, published: np.ndarray, device: str) -> None:
    checkpoint = read_checkpoint(folder, "mine")
    ours = logits(checkpoint, place, waveform, device)
    assert checkpoint.spec.vocabularies is not None
    expected, here = in_our_order(published, folder, checkpoint.spec.vocabularies.target)
    assert ours[:, here].shape == expected.shape
    assert len(here) == published.shape[1]
    assert np.abs(ours[:, here] - expected).max() < TOLERANCE
    unknown = np.delete(ours, here, axis=1)
    assert (unknown < -9999).all()


@pytest.mark.parametrize("device", ["cpu", "torch"])
@pytest.mark.parametrize("kind", ["wav2vec2", "hubert"])
def test_logits_are_those_of_the_peer(goldens: Path, tmp_path: Path, kind: str, device: str) -> None:
    golden = safetensors.numpy.load_file(goldens / kind / "io.safetensors")
    assert_parity(goldens / kind, tmp_path / "model", golden["waveform"], golden["logits"], device)


LARGE = {"do_stable_layer_norm": True, "feat_extract_norm": "layer", "conv_bias": True}
NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    "wav2vec2 like base": ("wav2vec2", {}),
    "wav2vec2 like large": ("wav2vec2", LARGE),
    "wav2vec2, norms mixed": ("wav2vec2", {"do_stable_layer_norm": True, "conv_bias": True}),
    "hubert like base": ("hubert", {}),
    "hubert like large": ("hubert", LARGE),
    "hubert, no norm of the projection": ("hubert", {"feat_proj_layer_norm": False}),
    "hubert, layer norms after": ("hubert", {"feat_extract_norm": "layer", "num_conv_pos_embeddings": 5}),
}


@pytest.fixture(scope="module")
def maker() -> Any:
    """The script that made the goldens, which needs transformers."""
    for package in ("torch", "transformers"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"no parity with other networks: {package} is not installed")
    where = Path(__file__).parents[2] / "goldens" / "make_wav2vec2.py"
    spec = importlib.util.spec_from_file_location("make_wav2vec2", where)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.filterwarnings("default")  # transformers' own
@pytest.mark.parametrize("network", NETWORKS)
def test_any_configuration_gives_what_transformers_gives(maker: Any, tmp_path: Path, network: str) -> None:
    kind, settings = NETWORKS[network]
    seed = list(NETWORKS).index(network)
    golden = maker.Golden(kind, maker.SMALL | settings, (*maker.USUAL.values(), "|", *"ETA"), maker.USUAL, 0, seed)
    maker.write_model(tmp_path / "published", golden)
    for samples in (399, 2503, 4001):
        audio = maker.waveform(samples, 16000, seed)
        published = maker.transcribe(tmp_path / "published", golden, audio).numpy()
        for device in ("cpu", "torch"):
            place = tmp_path / f"{samples}-{device}"
            assert_parity(tmp_path / "published", place, audio.numpy(), published, device)


# --- what is refused ---


def test_another_architecture_is_told(folder: Path) -> None:
    change(folder / "config.json", model_type="bert", architectures=["BertForMaskedLM"])
    (folder / "vocab.json").unlink()
    assert refusal(folder) == (
        "FOLDER/config.json: model_type is 'bert'; networks of transformers that can be imported are wav2vec2 and "
        "hubert."
    )
    change(folder / "config.json", model_type=None)
    assert refusal(folder).startswith("FOLDER/config.json: model_type is None;")


HEADLESS = (
    "FOLDER is a {} without a CTC head, so it writes no text; import one that was fine-tuned to do so "
    "(Wav2Vec2ForCTC or HubertForCTC)."
)


@pytest.mark.parametrize("architecture", ["Wav2Vec2Model", "Wav2Vec2ForPreTraining"])
def test_a_network_without_ctc_head_is_told(folder: Path, architecture: str) -> None:
    change(folder / "config.json", architectures=[architecture])
    (folder / "vocab.json").unlink()  # as there: it has nothing to write
    assert refusal(folder) == HEADLESS.format(architecture)


def test_weights_without_ctc_head_are_told(folder: Path) -> None:
    tensors = safetensors.numpy.load_file(folder / "model.safetensors")
    body = {name: tensor for name, tensor in tensors.items() if not name.startswith("lm_head.")}
    safetensors.numpy.save_file(body, folder / "model.safetensors")
    change(folder / "config.json", architectures=None)
    assert refusal(folder) == HEADLESS.format("Wav2Vec2")


SETTINGS = [
    ({"add_adapter": True}, "add_adapter is True; a network that can be imported has False."),
    ({"adapter_attn_dim": 16}, "adapter_attn_dim is 16; a network that can be imported has None."),
    ({"conv_pos_batch_norm": True}, "conv_pos_batch_norm is True; a network that can be imported has False."),
    ({"hidden_act": "relu"}, "hidden_act is 'relu'; a network that can be imported has 'gelu'."),
    ({"layer_norm_eps": 1e-6}, "layer_norm_eps is 1e-06; a network that can be imported has 1e-05."),
    ({"feat_extract_norm": "batch"}, "feat_extract_norm is 'batch', expected group or layer."),
    ({"hidden_size": "24"}, "hidden_size is '24', expected a whole number above zero."),
    ({"conv_dim": []}, "conv_dim is [], expected a list of whole numbers above zero."),
    ({"conv_kernel": [10, 3, 0]}, "conv_kernel is [10, 3, 0], expected a list of whole numbers above zero."),
    ({"conv_bias": 1}, "conv_bias is 1, expected true or false."),
    (
        {"conv_stride": [5, 2]},
        "the sizes describe no network: each convolution needs filters, a kernel and a stride; there are 3 filters, "
        "3 kernels, 2 strides.",
    ),
    (
        {"num_attention_heads": 5},
        "the sizes describe no network: features (24) must be a multiple of heads (5).",
    ),
]


@pytest.mark.parametrize(("changes", "message"), SETTINGS)
def test_a_setting_that_cannot_be_met_is_named(folder: Path, changes: dict[str, Any], message: str) -> None:
    change(folder / "config.json", **changes)
    assert refusal(folder) == f"FOLDER/config.json: {message}"


def test_sound_that_our_network_does_not_take_is_told(folder: Path) -> None:
    path = folder / "preprocessor_config.json"
    change(path, feature_extractor_type="SeamlessM4TFeatureExtractor")
    assert refusal(folder) == (
        "FOLDER/preprocessor_config.json: feature_extractor_type is 'SeamlessM4TFeatureExtractor'; a network that can "
        "be imported has 'Wav2Vec2FeatureExtractor'."
    )
    change(path, feature_extractor_type=None, sampling_rate=0)
    assert refusal(folder) == (
        "FOLDER/preprocessor_config.json: sampling_rate is 0, expected a whole number above zero."
    )


@pytest.mark.parametrize("file", ["config.json", "preprocessor_config.json", "vocab.json", "model.safetensors"])
def test_a_missing_file_is_named(folder: Path, file: str) -> None:
    (folder / file).unlink()
    kind = "Wav2Vec2 or HuBERT" if file == "config.json" else "Wav2Vec2"
    assert refusal(folder) == (
        f"FOLDER has no {file}; a {kind} with a CTC head is config.json, preprocessor_config.json, vocab.json and "
        "model.safetensors or pytorch_model.bin."
    )


def with_symbols(**changes: int | None) -> dict[str, int]:
    symbols = {"<pad>": 0, "<s>": 1, "</s>": 2, "<unk>": 3, "|": 4, "E": 5, "T": 6, "A": 7, "'": 8} | changes
    return {symbol: number for symbol, number in symbols.items() if number is not None}


UNFIT = "does not fit the CTC head: it gives {} symbols numbers up to {}, but each of the 9 outputs, from 0 on, "
VOCABULARIES: list[tuple[object, str]] = [
    (with_symbols(E=None), UNFIT.format(8, 8) + "needs one symbol."),
    (with_symbols(O=9), UNFIT.format(10, 9) + "needs one symbol."),
    (with_symbols(E=6), UNFIT.format(9, 8) + "needs one symbol."),
    (with_symbols(E=9), UNFIT.format(9, 9) + "needs one symbol."),
    (with_symbols(**{"<pad>": None, "O": 0}), "has no '<pad>', which is CTC's blank."),
    (
        with_symbols(**{"<pad>": 1, "<s>": 0}),
        "gives '<pad>', CTC's blank, the number 1, but config.json says pad_token_id is 0.",
    ),
    (
        with_symbols(**{"E": None, " ": 5}),
        "makes no vocabulary: the symbols of a vocabulary must differ, and none may be empty.",
    ),
    ({"E": "0"}, "is no vocabulary: expected an object of symbols and their numbers."),
    ({"eng": {"E": 0}}, "is no vocabulary: expected an object of symbols and their numbers."),
    ({}, "is no vocabulary: expected an object of symbols and their numbers."),
    (["E"], "is not a JSON object of names and values."),
]


@pytest.mark.parametrize(("symbols", "message"), VOCABULARIES)
def test_a_vocabulary_that_does_not_fit_the_head_is_told(folder: Path, symbols: object, message: str) -> None:
    (folder / "vocab.json").write_text(json.dumps(symbols))
    assert refusal(folder) == f"FOLDER/vocab.json {message}"


Damage = Callable[[dict[str, np.ndarray]], object]
LAYER = "wav2vec2.encoder.layers.1"
MISFITS: list[tuple[Damage, str]] = [
    (lambda t: t.pop(f"{LAYER}.layer_norm.bias"), f"tensor '{LAYER}.layer_norm.bias' is missing (1 of 48 are)."),
    (lambda t: t.update(extra=np.zeros(1, np.float32)), "tensor 'extra' does not belong to this network (1 do not)."),
    (
        lambda t: t.update({"lm_head.weight": np.zeros((8, 24), np.float32)}),
        "tensor 'lm_head.weight' has shape (8, 24), expected (9, 24).",
    ),
    (
        lambda t: t.update({"lm_head.bias": np.zeros(9, np.int64)}),
        "tensor 'lm_head.bias' is int64, expected a floating-point type.",
    ),
    (
        lambda t: t.update({f"{LAYER}.attention.k_proj.bias": np.full(24, np.nan, np.float32)}),
        f"tensor '{LAYER}.attention.k_proj.bias' holds NaN or infinity; the checkpoint is damaged.",
    ),
    (
        lambda t: t.update(
            {"wav2vec2.encoder.pos_conv_embed.conv.parametrizations.weight.original1": np.zeros((24, 6, 8), np.float32)}
        ),
        "the weight norm of the positions has a direction of length 0; the checkpoint is damaged.",
    ),
]


@pytest.mark.parametrize(("damage", "message"), MISFITS)
def test_a_tensor_that_does_not_fit_is_named(folder: Path, damage: Damage, message: str) -> None:
    path = folder / "model.safetensors"
    tensors = safetensors.numpy.load_file(path)
    damage(tensors)
    safetensors.numpy.save_file(tensors, path)
    assert refusal(folder) == f"FOLDER/model.safetensors: {message}"


def test_damaged_weights_are_told(folder: Path) -> None:
    path = folder / "model.safetensors"
    whole = path.read_bytes()
    for content in (whole[:5000], whole[:-1], b"", b"<!DOCTYPE html>" * 40):
        path.write_bytes(content)
        assert refusal(folder).startswith("FOLDER/model.safetensors cannot be read as safetensors: ")
    path.unlink()
    (folder / "pytorch_model.bin").write_bytes(whole)
    assert refusal(folder) == "FOLDER/pytorch_model.bin is not a file of torch.save (a zip of tensors); fetch it again."


def test_a_type_that_numpy_lacks_is_told(folder: Path) -> None:
    path = folder / "model.safetensors"
    header = {"lm_head.bias": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(4))
    assert refusal(folder) == (
        "FOLDER/model.safetensors holds BF16, a type that NumPy lacks; save it as float32 or float16."
    )


@pytest.mark.parametrize("file", ["config.json", "preprocessor_config.json", "vocab.json", "tokenizer_config.json"])
@pytest.mark.parametrize("text", ["", "{", "\x00", "[" * 100_000, "\ud800"])
def test_broken_json_is_told(folder: Path, file: str, text: str) -> None:
    (folder / file).write_bytes(text.encode(errors="surrogatepass"))
    assert refusal(folder).startswith(f"FOLDER/{file} is not JSON: ")
