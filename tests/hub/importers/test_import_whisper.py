"""Whisper folders become our weights, tokens and spec; the network with them gives what transformers gives."""

import json
import shutil
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

import whisper_folders as published
from unbraid.dsp.framing import Mel, Windows
from unbraid.errors import ModelError
from unbraid.hub.folder import open_model_folder, write_model_folder
from unbraid.hub.importers import read_checkpoint
from unbraid.hub.tokens import read_tokenizer
from unbraid.models.tensors import LazyTensors, open_weights, read_weights, write_weights
from unbraid.runtime import Engine, open_executor
from whisper_folders import END, NUMBERS, STEPS, VOCABULARY, D, write_whisper

TOLERANCE = 1e-4  # of the peak


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_whisper(tmp_path / "published")


def change(path: Path, **values: Any) -> None:
    """Change settings of a JSON file; None takes one out."""
    changed = json.loads(path.read_text("utf-8")) | values
    kept = {key: value for key, value in changed.items() if value is not None}
    path.write_text(json.dumps(kept, ensure_ascii=False), "utf-8")


def refusal(folder: Path) -> str:
    with pytest.raises(ModelError) as caught:
        read_checkpoint(folder, "mine")
    return str(caught.value).replace(str(folder), "FOLDER")


def test_a_folder_becomes_weights_tokens_and_spec(folder: Path) -> None:
    checkpoint = read_checkpoint(folder, "openai/whisper-some")
    spec = checkpoint.spec
    assert (spec.family, spec.task, spec.licence) == ("audio_transformer", "transcription", "MIT")
    assert (spec.sample_rate, spec.windows) == (16000, Windows(1.0, 0.0))
    assert spec.mel == Mel(400, 160, 80, form="whisper")
    tokens = spec.tokens
    assert tokens is not None
    assert (tokens.symbols, tokens.end, tokens.start) == (VOCABULARY, END, END + 1)
    assert tokens.languages == {name: NUMBERS[name] for name in ("en", "de", "ja")}
    assert (tokens.transcribe, tokens.translate) == (NUMBERS["transcribe"], NUMBERS["translate"])
    assert (tokens.no_speech, tokens.first_time) == (NUMBERS["nospeech"], NUMBERS["notimestamps"] + 1)
    assert (tokens.suppressed, tokens.suppressed_first) == ((1, 2, 7), (220, END))
    assert tokens.alignment_heads == ((0, 1), (1, 2))
    assert all(t.flags.c_contiguous and t.dtype == np.float32 for t in checkpoint.tensors.values())
    assert not checkpoint.tensors["encoder.layers.0.attention.in_proj.bias"][D : 2 * D].any()


def test_the_model_folder_has_the_tokens(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    checkpoint = read_checkpoint(folder, "mine")
    write_model_folder(tmp_path / "model", checkpoint.spec, checkpoint.tensors, files=checkpoint.files)
    spec = open_model_folder(tmp_path / "model")
    assert spec.tokens is not None and "tokens.json" in spec.files
    tokenizer = read_tokenizer(tmp_path / "model", spec.tokens)
    assert tokenizer.decode(tokenizer.encode("the 日 theory")) == "the 日 theory"
    assert tokenizer.encode(" the") == [END - 1]
    (tmp_path / "model" / "tokens.json").write_text("{}")
    with pytest.raises(ModelError, match=r"tokens\.json is damaged"):
        open_model_folder(tmp_path / "model")
    with pytest.raises(ModelError, match="expected an object with a list of tokens"):
        read_tokenizer(tmp_path / "model", spec.tokens)


def test_an_older_tokenizer_is_the_same(folder: Path) -> None:
    whole = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    wanted = read_checkpoint(folder, "mine")
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.json").write_text(json.dumps(whole["model"]["vocab"]), "utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(whole["model"]["merges"]) + "\n", "utf-8")
    added = {item["content"].replace("nospeech", "nocaptions"): item["id"] for item in whole["added_tokens"]}
    (folder / "added_tokens.json").write_text(json.dumps(added), "utf-8")
    found = read_checkpoint(folder, "mine")
    assert (found.spec, found.files) == (wanted.spec, wanted.files)


def test_without_generation_settings(folder: Path) -> None:
    (folder / "generation_config.json").unlink()
    tokens = read_checkpoint(folder, "mine").spec.tokens
    assert tokens is not None
    assert (tokens.suppressed, tokens.suppressed_first, tokens.alignment_heads) == ((5, 6), (220, END), ())
    assert tokens.languages == {}  # so few tokens are those of a model for English alone


def test_several_files_of_weights(folder: Path) -> None:
    wanted = dict(read_checkpoint(folder, "mine").tensors)
    tensors = safetensors.numpy.load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    files = {name: f"model-0000{1 + i % 2}-of-00002.safetensors" for i, name in enumerate(tensors)}
    for file in set(files.values()):
        safetensors.numpy.save_file({n: t for n, t in tensors.items() if files[n] == file}, folder / file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": files}))
    found = read_checkpoint(folder, "mine").tensors
    assert found.keys() == wanted.keys()
    assert all(np.array_equal(found[name], wanted[name]) for name in wanted)
    (folder / "model-00002-of-00002.safetensors").unlink()
    assert refusal(folder) == (
        "FOLDER has no 'model-00002-of-00002.safetensors', which model.safetensors.index.json names; download it, too."
    )
    files["model.encoder.conv1.bias"] = "../elsewhere.safetensors"
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": files}))
    assert "which is no file of weights in this folder" in refusal(folder)


def test_float16_stays_float16(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    tensors = {name: tensor.astype(np.float16) for name, tensor in published.published().items()}
    checkpoint = read_checkpoint(write_whisper(tmp_path / "half", tensors), "mine")
    assert checkpoint.dtype == "float16"
    model = tmp_path / "model"
    write_model_folder(model, checkpoint.spec, checkpoint.tensors, checkpoint.dtype, checkpoint.files)
    found, wanted = read_weights(model / "model.safetensors"), read_checkpoint(folder, "mine").tensors
    assert {tensor.dtype for tensor in found.values()} == {np.dtype(np.float16)}
    assert all(np.array_equal(tensor, wanted[name].astype(np.float16)) for name, tensor in found.items())
    spec = open_model_folder(model)
    log_mel = np.random.default_rng(0).normal(size=(1, 2 * STEPS, 80)).astype(np.float32)
    read = open_executor(spec, model, "encoder", Engine("cpu", threads=1)).run(
        {"log_mel": log_mel, "lengths": np.array([STEPS])}
    )
    wide = tmp_path / "wide"
    write_model_folder(wide, checkpoint.spec, checkpoint.tensors, files=checkpoint.files)
    same = open_executor(open_model_folder(wide), wide, "encoder", Engine("cpu", threads=1)).run(
        {"log_mel": log_mel, "lengths": np.array([STEPS])}
    )
    np.testing.assert_allclose(read["cross_keys"], same["cross_keys"], rtol=0, atol=1e-5)  # computed in float32


def test_weights_of_two_types_are_kept_in_the_wider_one(tmp_path: Path) -> None:
    tensors = {name: tensor.astype(np.float16) for name, tensor in published.published().items()}
    tensors["model.encoder.conv1.bias"] = tensors["model.encoder.conv1.bias"].astype(np.float32)
    checkpoint = read_checkpoint(write_whisper(tmp_path / "mixed", tensors), "mine")
    assert checkpoint.dtype == "float32"
    assert {tensor.dtype for tensor in checkpoint.tensors.values()} == {np.dtype(np.float32)}


def test_an_import_holds_few_tensors_at_a_time(folder: Path, tmp_path: Path) -> None:
    assert isinstance(read_checkpoint(folder, "mine").tensors, LazyTensors)  # none of them is read yet
    size = 1 << 20
    types = {f"x{i}": ("float16", (size // 2,)) for i in range(30)}
    tracemalloc.start()
    try:
        write_weights(tmp_path / "weights", LazyTensors(types, lambda name: np.full(size // 2, 1, np.float16)))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        assert all(tensor.all() for tensor in open_weights(tmp_path / "weights").values())
        peaks = peak, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert max(peaks) < 4 * size


@pytest.mark.parametrize(
    ("file", "values", "message"),
    [
        ("config", {"d_model": 25}, "the sizes describe no network: features (25) must be a multiple of heads (3)."),
        ("config", {"decoder_ffn_dim": 44}, "encoder and decoder have 40 and 44 ffn_dim"),
        ("config", {"activation_function": "relu"}, "activation_function is 'relu'"),
        ("config", {"vocab_size": VOCABULARY - STEPS - 1}, "does not fit"),
        ("config", {"max_source_positions": 60}, "windows are 1 s, but the network reads 1.2 s"),
        ("preprocessor_config", {"feature_size": 128}, "spectrograms have 128 bands, but the network reads 80"),
        ("preprocessor_config", {"hop_length": 200}, "hop_length is 200"),
        ("generation_config", {"alignment_heads": [[1]]}, "alignment_heads is [[1]], expected a list of layers"),
        ("generation_config", {"suppress_tokens": ["a"]}, "suppress_tokens is ['a'], expected a list of tokens"),
        ("generation_config", {"suppress_tokens": [10**6]}, "does not fit"),
        ("tokenizer", {"added_tokens": []}, "has no token <|endoftext|>"),
        ("tokenizer", {"model": {"vocab": {"a": 0}, "merges": []}}, "each number needs one token; 1 have one"),
        ("tokenizer", {"model": []}, "has no model or no added_tokens"),
    ],
)
def test_what_does_not_fit_is_named(folder: Path, file: str, values: dict[str, Any], message: str) -> None:
    change(folder / f"{file}.json", **values)
    assert message in refusal(folder)


def test_merges_in_another_order_are_refused(folder: Path) -> None:
    changed = published.tokenizer()
    changed["model"]["merges"].reverse()
    change(folder / "tokenizer.json", **changed)
    assert "does not fit its tokens' order" in refusal(folder)


def test_tensors_are_checked_both_ways(tmp_path: Path) -> None:
    tensors = published.published()
    some = {name: tensor for name, tensor in tensors.items() if "decoder.layers.1.fc1.bias" not in name}
    assert "tensor 'model.decoder.layers.1.fc1.bias' is missing" in refusal(write_whisper(tmp_path / "a", some))
    more = tensors | {"model.encoder.layers.0.self_attn.k_proj.bias": np.zeros(D, np.float32)}
    assert "does not belong to this network" in refusal(write_whisper(tmp_path / "b", more))
    wrong = tensors | {"model.encoder.conv1.bias": np.zeros(D + 1, np.float32)}
    assert f"has shape ({D + 1},), expected ({D},)" in refusal(write_whisper(tmp_path / "c", wrong))
    tied = tensors | {"proj_out.weight": tensors["model.decoder.embed_tokens.weight"].copy()}
    read_checkpoint(write_whisper(tmp_path / "d", tied), "mine")


def test_a_folder_without_a_file_is_told(folder: Path) -> None:
    told = {
        "preprocessor_config.json": "has no preprocessor_config.json; a Whisper is config.json",
        "tokenizer.json": "has no vocab.json",
        "model.safetensors": "has no model.safetensors",
    }
    for file, message in told.items():
        copy = shutil.copytree(folder, folder.with_name(file))
        (copy / file).unlink()
        assert message in refusal(copy)


@pytest.mark.parametrize("device", ["cpu", "torch"])
def test_logits_are_those_of_transformers(folder: Path, tmp_path: Path, device: str) -> None:
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    pytest.importorskip("onnx")
    peer = transformers.WhisperForConditionalGeneration.from_pretrained(folder, attn_implementation="eager").eval()
    random = np.random.default_rng(3)
    log_mel = random.normal(size=(1, 2 * STEPS, 80)).astype(np.float32)
    text = random.integers(0, VOCABULARY, (1, 9))
    with torch.inference_mode():
        features = torch.from_numpy(log_mel).transpose(1, 2)
        out = peer(features, decoder_input_ids=torch.from_numpy(text), output_attentions=True)
    logits, attention = out.logits[0].numpy(), [layer[0].numpy() for layer in out.cross_attentions]
    checkpoint = read_checkpoint(folder, "mine")
    spec = write_model_folder(tmp_path / "model", checkpoint.spec, checkpoint.tensors, files=checkpoint.files)
    encoder, decoder = (
        open_executor(spec, tmp_path / "model", part, Engine(device, threads=1)) for part in ("encoder", "decoder")
    )
    read = encoder.run({"log_mel": log_mel, "lengths": np.array([STEPS])})
    kept = {
        f"self_{name}_{i}": np.zeros((1, 3, 0, D // 3), np.float32) for name in ("keys", "values") for i in range(2)
    }
    memory = {f"{name}_{i}": read[name][i] for name in ("cross_keys", "cross_values") for i in range(2)}
    heads = {f"heads_{i}": np.arange(3) for i in range(2)}
    for step, expected in enumerate(logits):
        symbols = {"symbols": text[:, step : step + 1], "lengths": np.array([STEPS])}
        found = decoder.run({**symbols, **kept, **memory, **heads})
        kept = {name: found[f"new_{name}"] for name in kept}
        assert np.abs(found["logits"][0] - expected).max() <= TOLERANCE * np.abs(logits).max()
        theirs = np.concatenate([layer[:, step] for layer in attention])  # (L·H, N)
        assert np.abs(found["alignment"][0, :, 0] - theirs).max() <= TOLERANCE
