"""Training of speaker embeddings: crops and classes, the margin as an angle, and the way to a model folder."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from train_helpers import (
    FOUR_PARTS,
    check_pieces,
    load,
    read_log,
    recipe_of,
    refused,
    silent,
    write_recipe,
)

from unbraid.errors import UsageError
from unbraid.training import export_run, rehearse, train
from unbraid.training.data.disturbing import Disturbing, band_limited, disturbed
from unbraid.training.data.voices import Labelled
from unbraid.training.tasks.speaker_embedding import Classifier, with_margin

RECIPE = (
    """\
name = "voice"
description = "a test"
[model]
family = "ecapa"
bins = 8
width = 8
scale = 2
dilations = [2]
squeezed = 4
merged = 12
attention = 4
features = 6
filterbank = "levels"
[data]
folder = "corpus"
noise = "corpus"
epoch_crops = 12
dev_seconds = 0.5
[mel]
hop_samples = 160
[cropping]
seconds = [0.3, 0.5]
[disturbing]
rooms = 1
[optimizer]
rate = 1e-3
"""
    + FOUR_PARTS
)


@pytest.fixture
def file(tmp_path: Path, voices: Path) -> Path:
    """A recipe on four speakers, whose voices are also the noise."""
    return write_recipe(tmp_path / "voice.toml", RECIPE, "corpus", voices)


def test_the_margin_is_an_angle_of_the_right_class() -> None:
    angles = torch.tensor([[0.3, 1.0, 2.0], [3.0, 1.2, 0.1]])
    labels = torch.tensor([1, 0])
    found = with_margin(angles.cos(), labels, 0.2)
    torch.testing.assert_close(found[0], torch.tensor([0.3, 1.2, 2.0]).cos())
    assert float(found[1, 0]) == pytest.approx(math.cos(3.0) - 0.2 * math.sin(0.2))  # beyond pi - 0.2
    torch.testing.assert_close(found[1, 1:], angles[1, 1:].cos())
    assert torch.equal(with_margin(angles.cos(), labels, 0.0).round(decimals=6), angles.cos().round(decimals=6))


def test_the_margin_falls_all_the_way_and_has_finite_slopes() -> None:
    cosines = torch.linspace(-1, 1, 201)[:, None].requires_grad_()
    turned = with_margin(cosines, torch.zeros(201, dtype=torch.long), 0.2)
    assert (turned[1:] - turned[:-1] > 0).all()
    turned.sum().backward()
    assert torch.isfinite(cosines.grad).all()


def test_classes_are_speakers_at_speeds(file: Path) -> None:
    task = recipe_of(file).task
    data = task.training_data(0, 4)
    items = [data[position] for position in range(60)]
    assert {int(item.label) for item in items} == set(range(12))
    assert len({item.levels.shape for item in items[:4]}) == 1  # the batches of four are of one length each
    assert len({item.levels.shape for item in items}) > 1
    assert task.network().classes.shape == (12, 6)
    again = task.training_data(0, 4)[17]
    assert torch.equal(again.levels, items[17].levels) and again.label == items[17].label


def test_disturbances_can_be_left_out_and_keep_the_length() -> None:
    voice = np.sin(np.arange(4000) * 0.3).astype(np.float32)
    none = Disturbing(0, 1, voice_probability=0, noise_probability=0, equalise_db=0, band_probability=0,
                      gate_probability=0)  # fmt: skip
    kept = disturbed(voice, None, None, none, 8000, np.random.default_rng(0))
    np.testing.assert_allclose(kept, voice, atol=1e-5)
    other = np.sin(np.arange(900) * 0.7).astype(np.float32)
    all_of_it = Disturbing(0, 1, band_probability=1, gate_probability=1)
    heard = disturbed(voice, other, other, all_of_it, 8000, np.random.default_rng(0))
    assert heard.shape == voice.shape and heard.dtype == np.float32
    assert np.isfinite(heard).all()


def test_another_voice_is_as_soft_as_it_is_said() -> None:
    random, values = np.random.default_rng(0), Disturbing(0, voice_db=(10, 10), equalise_db=0, band_probability=0,
                                                          gate_probability=0)  # fmt: skip
    voice, other = (random.standard_normal(8000).astype(np.float32) for _ in range(2))
    added = disturbed(voice, 7 * other, None, values, 8000, random) - voice
    assert 10 * np.log10(np.mean(voice**2) / np.mean(added**2)) == pytest.approx(10, abs=0.01)


def test_a_band_keeps_what_is_inside() -> None:
    time = np.arange(8000) / 8000
    for hertz, share in ((1000, 1.0), (300, 0.5**0.5), (3000, 0.5**0.5), (100, 0.013)):
        tone = np.sin(2 * np.pi * hertz * time).astype(np.float32)
        kept = band_limited(tone, 300, 3000, 8000)
        assert np.sqrt(np.mean(kept**2) / np.mean(tone**2)) == pytest.approx(share, rel=0.1)


def test_training_ends_in_a_model_without_classes(file: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    from unbraid import SpeakerEmbedder

    recipe, out = recipe_of(file), tmp_path / "run"
    train(recipe, out, silent)
    best = load(out / "best.pt")
    assert "classes" not in best["model"]
    assert 0 <= best["dev_accuracy"] <= 100
    assert "dev_accuracy" in read_log(out)[0]
    spec = export_run(recipe, out, tmp_path / "model")
    assert (spec.task, spec.sample_rate, spec.windows.seconds) == ("speaker embedding", 8000, 4.0)
    assert spec.mel.normalized and spec.mel.bins == 8
    with SpeakerEmbedder(tmp_path / "model") as embedder:
        assert embedder(np.random.default_rng(0).normal(0, 0.1, (1, 8000)), 8000).shape == (6,)


def test_a_run_in_pieces_is_as_one(file: Path, tmp_path: Path) -> None:
    check_pieces(file, tmp_path)


def test_a_network_learns_to_tell_tones_apart(file: Path) -> None:
    """The speakers here are tones, which are told apart by where they are."""
    torch.manual_seed(0)
    task = recipe_of(file, "cropping.speeds=[1.0]", "disturbing.band_probability=0").task
    network, data = task.network(), task.training_data(0, 16)
    assert isinstance(network, Classifier)
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    losses = []
    for step in range(40):
        loss = task.losses(network, task.collate([data[16 * step + k] for k in range(16)]))["speakers"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert np.mean(losses[-10:]) < 0.6 * np.mean(losses[:5])


def test_the_score_is_of_all_pairs(file: Path) -> None:
    task = recipe_of(file).task
    dev = task.dev_data()
    batch = task.collate([dev[k] for k in range(len(dev))])
    assert len(dev) == 12  # three speakers, two recordings each, of two pieces each

    class Knows(torch.nn.Module):
        """An embedding of the label, which it cannot see."""

        def forward(self, levels: torch.Tensor) -> torch.Tensor:
            return torch.eye(3)[batch.label]

    assert float(task.scores(Knows(), batch)["speakers"]) == 100
    blind = Labelled(batch.levels, batch.label[torch.randperm(12, generator=torch.Generator().manual_seed(1))])
    assert float(task.scores(Knows(), blind)["speakers"]) < 100


def test_a_new_run_takes_the_weights_and_learns_its_own_classes(file: Path, tmp_path: Path) -> None:
    recipe, out = recipe_of(file), tmp_path / "run"
    train(recipe, out, silent)
    export_run(recipe, out, tmp_path / "model")
    best = load(out / "best.pt")["model"]
    torch.manual_seed(0)
    fresh = recipe.task.network()
    counters = {name: value for name, value in fresh.state_dict().items() if name.endswith("num_batches_tracked")}
    recipe.task.start(fresh, {"model": best}, "best.pt")
    for name, value in best.items():
        assert name in counters or torch.equal(fresh.state_dict()[name], value)


def test_what_is_refused(file: Path, tmp_path: Path) -> None:
    assert "crops and dev pieces must have 480 samples or more, which [model] needs, not 80" in refused(
        file, "cropping.seconds=[0.01, 0.5]"
    )
    assert "seconds must be a low end and a high end" in refused(file, "cropping.seconds=[0.5, 0.3]")
    with pytest.raises(UsageError, match="Two pieces of 3 s of one dev speaker are needed, and one of another"):
        rehearse(recipe_of(file, "data.dev_seconds=3"))
    with pytest.raises(UsageError, match="The noise folder .* is not there; say where it is with data.noise=PATH"):
        rehearse(recipe_of(file, f"data.noise={tmp_path / 'none'}"))
    assert rehearse(recipe_of(file, "disturbing.noise_probability=0", "data.noise=none")).rows["classes"] == (
        "4 speakers at 3 speeds"
    )
