"""SpeechT5 folders that read waveforms become our weights and spec; with them networks give what transformers gives."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from engine_fakes import peak_error
from unbraid.dsp.framing import Mel
from unbraid.errors import ModelError
from unbraid.hub.folder import open_model_folder, write_model_folder
from unbraid.hub.importers import read_checkpoint
from unbraid.hub.spec import ModelSpec, Windows
from unbraid.hub.vocabulary import BEGIN, END, SPECIAL
from unbraid.models.speecht5.config import SpeechT5Config
from unbraid.runtime import Engine, Executor, open_executor
from unbraid.tasks.decoding.speecht5_frames import empty_cache, write_frames
from unbraid.tasks.transcription.speecht5_recognizer import SpeechT5Recognizer

TOLERANCE = 1e-4  # of the peak


@pytest.fixture
def converter(tmp_path: Path, goldens: Path) -> Path:
    """One that converts voices."""
    return shutil.copytree(goldens / "speecht5_vc", tmp_path / "published")


@pytest.fixture
def recogniser(tmp_path: Path, goldens: Path) -> Path:
    """One that writes text."""
    return shutil.copytree(goldens / "speecht5_asr", tmp_path / "published")


def change(path: Path, **values: Any) -> None:
    """Change settings of a JSON file."""
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | values), "utf-8")


def refusal(folder: Path) -> str:
    with pytest.raises(ModelError) as caught:
        read_checkpoint(folder, "mine")
    return str(caught.value).replace(str(folder), "FOLDER")


def test_a_converter_of_voices_becomes_weights_and_spec(converter: Path) -> None:
    checkpoint = read_checkpoint(converter, "microsoft/speecht5_some")
    spec = checkpoint.spec
    assert (spec.task, spec.vocabularies, spec.windows) == ("voice conversion", None, Windows(10.0, 0.0))
    assert spec.mel == Mel(1024, 256, 6, form="speecht5")
    assert spec.geometry == SpeechT5Config(
        81, 12, 3, 20, 2, 2, 4, 6, 2, 8, 5, 3, 7, 3, source="waveform", filters=(6, 8), kernels=(10, 4), strides=(5, 4),
        position_kernel=4, position_groups=3,
    )  # fmt: skip
    assert (spec.geometry.reads, spec.geometry.writes) == ("waveform", "spectrogram")
    assert all(t.flags.c_contiguous and t.dtype == np.float32 for t in checkpoint.tensors.values())


def test_a_recogniser_becomes_weights_and_spec(recogniser: Path) -> None:
    checkpoint = read_checkpoint(recogniser, "mine")
    spec = checkpoint.spec
    assert (spec.task, spec.mel, spec.windows) == ("transcription", None, Windows(20.0, 0.0))
    assert spec.vocabularies is not None and not spec.vocabularies.source
    assert spec.vocabularies.target == (*SPECIAL, *"▁GMdgimnor.", "<15>", "<16>")
    assert (
        isinstance(spec.geometry, SpeechT5Config) and spec.geometry.normalized
    )  # as its preprocessor_config.json says
    table = checkpoint.tensors["symbols.weight"]
    published = safetensors.numpy.load_file(recogniser / "model.safetensors")
    assert np.array_equal(table[:4], published["speecht5.decoder.prenet.embed_tokens.weight"][[1, 0, 2, 3]])


def test_the_last_layer_may_be_stored_too_and_has_to_fit(recogniser: Path) -> None:
    path, name = recogniser / "model.safetensors", "text_decoder_postnet.lm_head.weight"
    whole = safetensors.numpy.load_file(path)
    wanted = read_checkpoint(recogniser, "mine").tensors
    table = whole["speecht5.decoder.prenet.embed_tokens.weight"]
    safetensors.numpy.save_file(whole | {name: table.copy()}, path)
    found = read_checkpoint(recogniser, "mine").tensors
    assert all(np.array_equal(found[key], wanted[key]) for key in wanted)
    safetensors.numpy.save_file(whole | {name: table[1:].copy()}, path)
    assert f"'{name}' has shape (16, 12), expected (17, 12)" in refusal(recogniser)


def test_weight_norms_under_their_older_names(converter: Path) -> None:
    """As torch below 2.1 saved them, beside positions that a formula gives."""
    path = converter / "model.safetensors"
    whole = safetensors.numpy.load_file(path)
    wanted = read_checkpoint(converter, "mine").tensors
    for new, old in (("original0", "weight_g"), ("original1", "weight_v")):
        conv = "speecht5.encoder.prenet.pos_conv_embed.conv"
        whole[f"{conv}.{old}"] = whole.pop(f"{conv}.parametrizations.weight.{new}")
    whole["speecht5.encoder.prenet.pos_sinusoidal_embed.weights"] = np.zeros((10, 12), np.float32)
    safetensors.numpy.save_file(whole, path)
    found = read_checkpoint(converter, "mine").tensors
    assert all(np.array_equal(found[name], wanted[name]) for name in wanted)


def test_a_recogniser_needs_its_symbols(recogniser: Path) -> None:
    (recogniser / "spm_char.model").unlink()
    assert refusal(recogniser).startswith("FOLDER has no spm_char.model; a SpeechT5 is config.json, spm_char.model")


def test_what_a_network_that_hears_lacks_is_told(converter: Path) -> None:
    path, name = converter / "model.safetensors", "speecht5.encoder.prenet.feature_projection.projection.bias"
    whole = safetensors.numpy.load_file(path)
    safetensors.numpy.save_file({k: v for k, v in whole.items() if k != name}, path)
    assert f"tensor '{name}' is missing" in refusal(converter)
    change(converter / "config.json", conv_stride=[5])
    assert "each convolution needs filters, a kernel and a stride; there are 2 filters, 2 kernels, 1 strides." in (
        refusal(converter)
    )
    change(converter / "config.json", conv_stride=[5, 4], feat_extract_norm="batch")
    assert "feat_extract_norm is 'batch', expected group or layer." in refusal(converter)


@pytest.mark.parametrize("engine", ["cpu", "torch"])
def test_the_converted_spectrogram_is_that_of_transformers(engine: str, converter: Path, tmp_path: Path) -> None:
    """320 frames, each step fed with the one before; the dropout of the pre-net is switched off in both."""
    pytest.importorskip("torch")
    pytest.importorskip("onnx")
    wanted = safetensors.numpy.load_file(converter / "io.safetensors")
    spec, executors = opened(converter, tmp_path / "model", engine)
    memory = executors[0].run({"waveform": wanted["waveform"][None]})
    assert isinstance(spec.geometry, SpeechT5Config)
    spoken = write_frames(executors[1:], spec.geometry, memory, wanted["speaker"][None], 160, dropout=False)
    assert not spoken.ended and spoken.log_mel.shape == wanted["log_mel"].shape == (320, 6)
    assert peak_error(wanted["log_mel"], spoken.log_mel) <= TOLERANCE


@pytest.mark.parametrize("engine", ["cpu", "torch"])
def test_the_logits_of_a_text_are_those_of_transformers(engine: str, recogniser: Path, tmp_path: Path) -> None:
    """A text that is given, symbol by symbol; three texts at a time, which share the keys of the waveform."""
    pytest.importorskip("torch")
    pytest.importorskip("onnx")
    wanted = safetensors.numpy.load_file(recogniser / "io.safetensors")
    spec, executors = opened(recogniser, tmp_path / "model", engine)
    assert isinstance(spec.geometry, SpeechT5Config) and spec.vocabularies
    with SpeechT5Recognizer(executors, spec) as recognizer:
        text = [BEGIN, *recognizer.vocabulary.encode("▁Good▁morning.")]
        memory, cache, logits = (
            executors[0].run({"waveform": wanted["waveform"][None]}),
            empty_cache(spec.geometry, 3),
            [],
        )
        for symbol in text:
            found, cache = recognizer.step([symbol, END, symbol], cache, memory)
            logits.append(found[2])
            assert peak_error(found[0], found[2]) <= TOLERANCE
        assert (
            recognizer.read(wanted["waveform"], 4, length_penalty=0.0).symbols == ()
        )  # as transformers finds with four beams
    assert wanted["beams"].tolist() == [2, 2]
    ours = wanted["logits"][:, [1, 0, 2, 3, *range(4, 17)]]
    assert peak_error(ours, np.array(logits)) <= TOLERANCE
    assert [int(row[[2, *range(4, 15)]].argmax()) for row in logits[:1]] == [11]  # the full stop, as its greedy search
    assert wanted["greedy"][1] == 14


def opened(published: Path, folder: Path, engine: str) -> tuple[ModelSpec, list[Executor]]:
    """A published folder as ours, and its graphs."""
    checkpoint = read_checkpoint(published, "mine")
    write_model_folder(folder, checkpoint.spec, checkpoint.tensors)
    spec = open_model_folder(folder)
    return spec, [open_executor(spec, folder, graph=part, engine=Engine(engine)) for part in spec.geometry.graphs]
