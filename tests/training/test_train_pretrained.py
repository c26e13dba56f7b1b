"""Training upon a pretrained encoder: what it begins with, what stays, the way to a model, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
import torch
from digit_tones import RECIPE, write_tones
from train_helpers import load, recipe_of, refused, silent, write_recipe

from unbraid.errors import DownloadError, ModelError, UsageError
from unbraid.hub.folder import write_model_folder
from unbraid.hub.importers import read_checkpoint
from unbraid.hub.importers.wav2vec2_backbone import read_trunk
from unbraid.models.audio_transformer.config import PretrainedSide
from unbraid.models.audio_transformer.padding import steps_in
from unbraid.tasks.transcription.transcriber import Transcriber
from unbraid.training import export_run, train
from unbraid.training.pretrained import pretrained_trunk
from unbraid.training.tasks.listener import AudioTextModel

UPON = RECIPE.replace('source = "spectrogram"\nstrides = [2, 2]', 'source = "wav2vec2"\npretrained = "PRETRAINED"')


@pytest.fixture(scope="module")
def tones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tones(tmp_path_factory.mktemp("data") / "tones", takes=4)


@pytest.fixture
def recipe_file(tmp_path: Path, tones: Path, goldens: Path) -> Path:
    """Upon a tiny HuBERT of 8 kHz."""
    text = UPON.replace("PRETRAINED", str(goldens / "hubert")).replace("epochs = 2", "epochs = 1")
    return write_recipe(tmp_path / "upon.toml", text.replace("parts = 2", "parts = 1"), "tones", tones)


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("UNBRAID_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("UNBRAID_OFFLINE", "1")


@pytest.mark.parametrize("frozen", ["true", "false"])
def test_it_begins_with_what_was_published_and_ends_in_a_model(
    recipe_file: Path, goldens: Path, tmp_path: Path, tones: Path, frozen: str
) -> None:
    pytest.importorskip("onnx")
    recipe, out = recipe_of(recipe_file, f"model.frozen={frozen}", "data.epoch_utterances=4"), tmp_path / "run"
    published = read_trunk(goldens / "hubert")
    assert recipe.task.geometry.source == PretrainedSide(published.geometry)
    steps = (4000 - published.geometry.receptive_field) // published.geometry.stride + 1
    assert steps_in(recipe.task.hearing.side, 4000) == steps
    assert recipe.task.source == f"tones, from {goldens / 'hubert'}"
    train(recipe, out, silent)
    best = load(out / "best.pt")
    kept = [torch.equal(best["model"][f"front.trunk.{n}"], torch.tensor(t)) for n, t in published.tensors.items()]
    assert all(kept) if frozen == "true" else not any(kept)
    spec = export_run(recipe, out, tmp_path / "model")  # refuses where torch and ONNX Runtime differ by 1e-4
    assert (spec.sample_rate, spec.geometry.source) == (8000, PretrainedSide(published.geometry))
    with Transcriber(tmp_path / "model", device="cpu", threads=1, force=True) as transcriber:
        found = transcriber(np.random.default_rng(0).normal(size=(1, 9001)).astype(np.float32) * 0.1, 8000)
    assert all(set(word.text) <= set("123") for word in found.words)


def test_a_model_of_ours_will_do(goldens: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    checkpoint = read_checkpoint(goldens / "wav2vec2", "mine")
    write_model_folder(tmp_path / "mine", checkpoint.spec, checkpoint.tensors)
    found, published = pretrained_trunk(str(tmp_path / "mine")), read_trunk(goldens / "wav2vec2")
    assert found.sample_rate == published.sample_rate
    assert found.tensors.keys() == published.tensors.keys()
    assert all((found.tensors[name] == tensor).all() for name, tensor in published.tensors.items())


def test_another_rate_is_refused(recipe_file: Path, goldens: Path) -> None:
    with pytest.raises(UsageError) as caught:
        recipe_of(recipe_file, "data.sample_rate=16000").task.dev_data()
    assert str(caught.value) == (f"data.sample_rate is 16000, but {goldens / 'hubert'} hears 8000 Hz; write that.")


@pytest.mark.parametrize("name", ["nowhere", "./nowhere", "a/b/c", "speechbrain/sepformer-wham"])
def test_what_is_nowhere_is_told(name: str) -> None:
    with pytest.raises(ModelError) as caught:
        pretrained_trunk(name)
    assert str(caught.value) == (
        f"{name} is no folder, no model here and no name on the Hugging Face hub; give one of a Wav2Vec2 or HuBERT, "
        "such as facebook/hubert-base-ls960."
    )


def test_downloads_may_be_forbidden() -> None:
    with pytest.raises(DownloadError) as caught:
        pretrained_trunk("facebook/hubert-base-ls960")
    assert str(caught.value) == (
        "facebook/hubert-base-ls960 is not on this machine, and downloads are forbidden; unset UNBRAID_OFFLINE and "
        "HF_HUB_OFFLINE, or give a folder that holds it."
    )


def test_a_model_of_another_kind_is_told() -> None:
    with pytest.raises(ModelError) as caught:
        pretrained_trunk("speech-2")
    assert str(caught.value) == (
        "speech-2 is a sepformer, no Wav2Vec2 or HuBERT; choose one, such as facebook/hubert-base-ls960."
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"source": "wav2vec2"},
            "pretrained is missing: a Wav2Vec2 or HuBERT, by its folder or name, such as facebook/hubert-base-ls960.",
        ),
        (
            {"source": "wav2vec2", "pretrained": "x", "strides": (2,)},
            "kernels and strides are the pretrained encoder's own; take them out.",
        ),
        (
            {"source": "spectrogram", "pretrained": "x", "strides": (2,)},
            "pretrained is for the source wav2vec2; take it out, or change the source.",
        ),
    ],
)
def test_mistakes_are_named(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        AudioTextModel(**values)
    assert str(caught.value) == message


def test_texts_may_be_written_in_pieces(recipe_file: Path, tones: Path) -> None:
    pytest.importorskip("tokenizers")
    task = recipe_of(recipe_file, "data.units=bpe-12").task
    assert {"▁1", "▁2", "▁3"} <= set(task.vocabulary.symbols)
    item = task.dev_data()[0]
    assert task.units.words(item.symbols) == task._own[1][0].words
    assert refused(recipe_file, "data.units=bpe") == (
        "[data]: units are auto, characters, words, or bpe- and a number of pieces, such as bpe-500; got 'bpe'."
    )
