"""Training to speak: the losses as formulas, what is written, resuming, and the way to a model that speaks."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from train_helpers import FOUR_PARTS, load, read_log, recipe_of, refused, same, silent, write_csv, write_recipe

from unbraid.errors import ModelError, UsageError
from unbraid.hub.vocabulary import END
from unbraid.models.audio_transformer.config import AudioTransformerConfig, SpectrogramSide, TextSide
from unbraid.models.audio_transformer.network.model import AudioTransformer
from unbraid.tasks.decoding.acoustic_model import AcousticModel
from unbraid.tasks.synthesis.synthesizer import Synthesizer
from unbraid.training import export_run, rehearse, train
from unbraid.training.data.spoken import SpokenText, spoken_batch
from unbraid.training.tasks.text_to_spectrogram import frames_loss, looking_loss, speak, stop_loss

RECIPE = (
    """\
name = "voice"
description = "a test"
[model]
family = "text_to_spectrogram"
stride = 2
features = 16
heads = 2
hidden = 32
encoder_layers = 1
decoder_layers = 2
[data]
folder = "voices"
epoch_utterances = 12
[mel]
frame_samples = 256
hop_samples = 160
bins = 8
[optimizer]
rate = 1e-2
"""
    + FOUR_PARTS
)
WORDS = ("one", "two", "three", "cat", "dog")


def write_voice(root: Path) -> Path:
    """Texts of one to three words, each word a tone of its own."""
    random, rows = np.random.default_rng(0), []
    time = np.arange(1600) / 8000
    root.mkdir(parents=True, exist_ok=True)
    for take in range(10):
        drawn = random.integers(0, len(WORDS), random.integers(1, 4))
        tones = [0.3 * np.sin(2 * np.pi * 400 * (n + 1) * time) for n in drawn]
        soundfile.write(root / f"{take}.wav", np.concatenate(tones), 8000)
        rows.append((f"{take}.wav", "ann", "dev" if take < 3 else "train", " ".join(WORDS[n] for n in drawn)))
    write_csv(root / "manifest.csv", [("path", "speaker", "split", "text"), *rows])
    return root


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A recipe that learns from them."""
    return write_recipe(tmp_path / "voice.toml", RECIPE, "voices", write_voice(tmp_path / "voices"))


def tiny(heads: int = 2) -> AudioTransformer:
    torch.manual_seed(0)
    return AudioTransformer(AudioTransformerConfig(TextSide(9), SpectrogramSide(3, (2,)), 8, heads, 16, 1, 2))


def test_frames_count_where_there_are_any() -> None:
    made, right = torch.tensor([[[1.0, 2.0], [9.0, 9.0]]]), torch.tensor([[[0.0, -1.0], [0.0, 0.0]]])
    there = torch.tensor([[True, False]])
    assert float(frames_loss(made, right, there)) == (1 + 3) / 2 + (1 + 9) / 2


def test_the_last_step_counts_more_than_one_before_it() -> None:
    logits = torch.tensor([[0.5, -1.0, 2.0], [1.5, 0.0, 0.0]])
    steps, there = torch.tensor([3, 1]), torch.tensor([[True, True, True], [True, False, False]])
    going = [torch.log1p(torch.tensor(x).exp()) for x in (0.5, -1.0)]
    last = [5 * torch.log1p(torch.tensor(-x).exp()) for x in (2.0, 1.5)]
    assert float(stop_loss(logits, steps, there, 5.0)) == pytest.approx(float(sum(going + last)) / 4)


def test_looking_costs_as_much_as_it_is_off_the_diagonal() -> None:
    """One head that goes along, one that looks at the first symbol all the time; one text with padding behind it."""
    along = torch.eye(4)[None].repeat(2, 1, 1)
    along[1, 2:] = torch.tensor([0.0, 0.0, 0.0, 1.0])  # on padding, by steps that are padding
    first = torch.zeros(2, 4, 4)
    first[..., 0] = 1
    lengths, steps = torch.tensor([4, 2]), torch.tensor([4, 2])
    assert float(looking_loss(along[:, None, None], lengths, steps, 0.2)) == 0
    off = [1 - np.exp(-((m / count) ** 2) / (2 * 0.2**2)) for count in (4, 2) for m in range(count)]
    assert float(looking_loss(first[:, None, None], lengths, steps, 0.2)) == pytest.approx(np.mean(off), rel=1e-5)


def test_looks_are_those_of_each_layer_and_change_nothing() -> None:
    model = tiny().eval()
    source, lengths, frames = torch.tensor([[4, 5, 2, 0], [6, 7, 8, 2]]), torch.tensor([3, 4]), torch.rand(2, 5, 6)
    memory, looks = model.encode(source, lengths), []
    with_looks = model.decode(frames, memory, lengths, looks)
    same(list(with_looks), list(model.decode(frames, memory, lengths)))
    assert [tuple(look.shape) for look in looks] == [(2, 2, 5, 4)] * 2
    for weights in looks:
        torch.testing.assert_close(weights.sum(-1), torch.ones(2, 2, 5))
        assert (weights[0, ..., 3] == 0).all()


def test_what_is_spoken_is_what_follows_by_teacher_forcing() -> None:
    model = tiny().eval()
    batch = spoken_batch([SpokenText(torch.tensor([4, 5, 2]), torch.zeros(1, 6))] * 2)
    with torch.no_grad():
        model.back.stop.bias += 0.02
        found = speak(model, batch.source, batch.lengths, 7)
        written, ended = torch.zeros(1, 1, 6), False
        while written.shape[1] <= 7 and not ended:
            made, stop = model(batch.source[:1], batch.lengths[:1], written)
            written, ended = torch.cat((written, made[:, -1:]), 1), float(stop[0, -1]) > 0
        alone = model.back.refine(written[:, 1:].reshape(1, -1, 3))[0]
    for each in found:
        torch.testing.assert_close(each, alone)


def test_a_run_and_going_on(file: Path, tmp_path: Path) -> None:
    train(recipe_of(file), tmp_path / "whole", silent)
    lines = read_log(tmp_path / "whole")
    assert [line["step"] for line in lines] == ["3", "6", "9", "12"]
    assert -80 < float(lines[-1]["dev_distance"]) < 0
    train(recipe_of(file, "trainer.epochs=1"), tmp_path / "halves", silent)
    saved = load(tmp_path / "halves" / "best.pt")
    assert saved["mel"] == {"frame_samples": 256, "hop_samples": 160, "bins": 8, "normalized": False, "form": "level"}
    assert saved["sample_rate"] == 8000
    assert saved["vocabularies"]["target"] == []
    assert {" ", ",", ".", "AA", "ZH"} < set(saved["vocabularies"]["source"])


def test_the_same_run_twice_is_the_same(file: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        train(recipe_of(file, "trainer.epochs=1"), tmp_path / name, silent)
    same(load(tmp_path / "one" / "best.pt")["model"], load(tmp_path / "two" / "best.pt")["model"])


def test_a_model_that_speaks(file: Path, tmp_path: Path) -> None:
    """What torch writes is what the exported model writes, and a text becomes sound with it."""
    recipe = recipe_of(file)
    train(recipe, tmp_path / "run", silent)
    export_run(recipe, tmp_path / "run", tmp_path / "model")
    task, saved = recipe.task, load(tmp_path / "run" / "best.pt")
    module = task.network().eval()
    module.load_state_dict(saved["model"])
    dev = task.dev_data()
    batch = spoken_batch([dev[n] for n in range(3)])
    wanted = speak(module, batch.source, batch.lengths, 20)
    with AcousticModel(tmp_path / "model") as speaker:
        rows = [row[:n].tolist() for row, n in zip(batch.source, batch.lengths.tolist(), strict=True)]
        spoken = speaker.speak(rows, most_frames=40)
    for ours, theirs in zip(spoken, wanted, strict=True):
        np.testing.assert_allclose(ours.log_mel, theirs.numpy(), atol=1e-4)
    with Synthesizer(tmp_path / "model") as synthesizer:
        audio = synthesizer("One cat, 2 dogs.")
    assert audio.dtype == np.float32
    assert audio.shape[0] == 1
    assert np.abs(audio).max() <= 1


def test_a_dry_run_says_what_there_is(file: Path) -> None:
    recipe = recipe_of(file)
    rows = rehearse(recipe).rows
    assert rows["texts"].startswith("2 of at most ")
    assert "steps of 2 frames" in rows["speech"]
    batch = recipe.task.collate([recipe.task.dev_data()[n] for n in range(2)])
    assert [int(row[n - 1]) for row, n in zip(batch.source, batch.lengths, strict=True)] == [END, END]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("model.dropout=1.0", "dropout must be below 1, got 1.0."),
        ("model.stride=0", "strides must be at least 1, got 0."),
        ("model.features=15", "features (15) must be a multiple of heads (2)."),
        ("loss.looking_width=0.0", "looking_width must be above 0, got 0.0."),
        ("loss.stop_weight=-1.0", "stop_weight must be at least 0, got -1.0."),
        ("data.sample_rate=0", "sample_rate must be at least 1, got 0."),
        ("mel.normalized=true", "[mel] normalized is for models that write text; what is spoken has a level."),
    ],
)
def test_what_cannot_be_is_refused(file: Path, change: str, sentence: str) -> None:
    assert sentence in refused(file, change)


def test_texts_that_cannot_be_said_are_refused(file: Path, tmp_path: Path) -> None:
    folder = write_voice(tmp_path / "other")
    lines = (folder / "manifest.csv").read_text().splitlines()
    lines[3] = '2.wav,ann,train,", ."'
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    with pytest.raises(UsageError) as caught:
        recipe_of(file, f"data.folder={folder}").task.geometry  # noqa: B018
    assert str(caught.value) == f"2.wav in {folder} has a text without a word; take it out of the manifest."


def test_another_models_weights_are_refused_where_symbols_differ(file: Path) -> None:
    task = recipe_of(file).task
    with pytest.raises(ModelError) as caught:
        task.start(task.network(), {"vocabularies": {}}, "other.pt")
    assert str(caught.value) == ("trainer.init: other.pt has other symbols than the data; leave trainer.init out.")
