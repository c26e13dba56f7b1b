"""Training on sound made of sound: pairs and losses as formulas, what is refused, and the way to a model folder."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from train_helpers import FOUR_PARTS, check_pieces, load, read_log, recipe_of, refused, silent, write_recipe

from unbraid.dsp.mel import mel_levels
from unbraid.errors import UsageError
from unbraid.evaluation.audio.run import spectral_distance as scored_distance
from unbraid.hub.spec import Mel
from unbraid.models.audio_transformer.config import SpectrogramSide, WaveSide
from unbraid.training import export_run, rehearse, train
from unbraid.training.data.pairs import Pair, pair_of
from unbraid.training.data.utterances import Hearing
from unbraid.training.tasks.audio_to_audio import AudioLoss, level_loss, spectral_distance, wave_loss

RECIPE = (
    """\
name = "clean"
description = "a test"
[model]
family = "audio_to_audio"
source = "waveform"
target = "waveform"
features = 8
heads = 2
hidden = 8
encoder_layers = 1
kernels = [16]
strides = [8]
filters = 12
[data]
folder = "corpus"
noise = "corpus"
epoch_mixtures = 12
dev_mixtures = 3
[mixing]
crop_seconds = 0.2
noise_probability = 1.0
[optimizer]
rate = 1e-3
"""
    + FOUR_PARTS
)
SPECTRA = ("mel.frame_samples=64", "mel.hop_samples=16", "model.bins=6")
KINDS = {
    "waveform to waveform": (),
    "spectrogram to spectrogram": ("model.source=spectrogram", "model.target=spectrogram", *SPECTRA),
    "waveform to spectrogram": ("model.target=spectrogram", "model.strides=[16]", *SPECTRA),
    "spectrogram to waveform": ("model.source=spectrogram", "model.strides=[16]", "loss.snr_weight=0",
                                "loss.stft_weight=1", "mixing.noise_probability=0", *SPECTRA),
}  # fmt: skip


@pytest.fixture
def file(tmp_path: Path, voices: Path) -> Path:
    """A recipe of a network that takes noise away, on speakers whose voices are each other's noise."""
    return write_recipe(tmp_path / "clean.toml", RECIPE, "corpus", voices)


@given(st.integers(1, 200), st.integers(1, 50))
def test_pairs_are_of_whole_steps_and_end_in_silence(samples: int, steps: int) -> None:
    mel = Mel(12, 4, 3)
    source = Hearing(8000, WaveSide((4 * steps,), (4 * steps,)))
    target = Hearing(8000, SpectrogramSide(3, (steps,)), mel)
    mixture = np.ones(samples, np.float32)
    pair = pair_of(mixture, mixture / 2, source, target)
    whole = -(-samples // (4 * steps)) * 4 * steps
    assert (len(pair.source), len(pair.target), len(pair.heard)) == (whole, whole // 4, whole // 4)
    assert not pair.source[samples:].any()
    np.testing.assert_array_equal(pair.heard, mel_levels(pair.source.numpy(), mel, 8000))


def test_the_loss_of_a_waveform_is_its_negative_snr_and_what_the_spectra_miss() -> None:
    target = torch.randn(2, 4000, generator=torch.Generator().manual_seed(0))
    error = torch.randn(2, 4000, generator=torch.Generator().manual_seed(1))
    error = error * (target.norm(dim=1) / error.norm(dim=1))[:, None] * 10 ** (-8 / 20)  # 8 dB below
    batch = Pair(target, target, target)
    plain = AudioLoss(most_db=200)
    assert float(wave_loss(plain, target + error, batch)) == pytest.approx(-8, abs=1e-3)
    assert float(wave_loss(AudioLoss(2.0, 200), target + error, batch)) == pytest.approx(-16, abs=1e-3)
    both = AudioLoss(0.0, stft_weight=1.0)
    assert float(wave_loss(both, target, batch)) < 1e-4 < float(wave_loss(both, target + error, batch))
    assert float(wave_loss(both, -target, batch)) < 1e-4  # of spectra alone, phases do not count


def test_distances_of_levels_are_in_decibels() -> None:
    wanted = torch.rand(2, 7, 5, generator=torch.Generator().manual_seed(0)) - 0.5
    batch = Pair(wanted, wanted, wanted)
    assert float(level_loss(wanted + 0.1, batch)) == pytest.approx(0.1, abs=1e-6)
    torch.testing.assert_close(spectral_distance(wanted + 0.1, wanted), torch.tensor([4.0, 4.0]))
    one = wanted.clone()
    one[0, :, 0] += 0.5  # 20 dB in one band of five
    torch.testing.assert_close(spectral_distance(one, wanted), torch.tensor([20 / 5**0.5, 0.0]))
    assert scored_distance(one[0].numpy(), wanted[0].numpy()) == pytest.approx(20 / 5**0.5, abs=1e-4)
    floor = torch.full((1, 2, 5), -1.0)
    assert float(spectral_distance(floor - 3, floor)) == 0  # nothing is below -80 dB


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_trains_and_ends_in_a_model_that_runs(kind: str, file: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    from unbraid.tasks.audio_to_audio import AudioToAudio
    from unbraid.tasks.separation.separator import Separator

    recipe, out = recipe_of(file, *KINDS[kind]), tmp_path / "run"
    train(recipe, out, silent)
    best = load(out / "best.pt")
    wave = kind == "waveform to waveform"
    score = "dev_si_sdri" if wave else "dev_lsd"
    assert np.isfinite(best[score])
    assert score in read_log(out)[0]
    spec = export_run(recipe, out, tmp_path / "model")
    assert spec.scores == {f"dev {recipe.task.score.measure} ({recipe.task.score.unit})": round(best[score], 2)}
    source, target = kind.split(" to ")
    audio = 0.1 * np.sin(np.arange(1000, dtype=np.float32))
    mel = Mel(64, 16, 6)
    levels = mel_levels(audio, mel, 8000)
    with AudioToAudio(tmp_path / "model") as converter:
        made = converter(audio if source == "waveform" else levels)
    assert made.shape == (levels.shape if target == "spectrogram" else (1000,) if wave else (1008,))
    assert np.isfinite(made).all()
    if wave:
        with Separator(tmp_path / "model") as separator:
            assert separator.stems() == ("speech", "residual")
            np.testing.assert_allclose(separator(audio[None], 8000)["speech"][0], made, atol=1e-5)


def test_the_score_is_what_is_taken_away(file: Path) -> None:
    task = recipe_of(file).task
    batch = task.collate([task.dev_data()[0]])

    class Perfect(torch.nn.Module):
        def forward(self, source: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
            return batch.target

    assert float(task.scores(Perfect(), batch)["sound"]) > 60
    task = recipe_of(file, *KINDS["spectrogram to spectrogram"]).task
    batch = task.collate([task.dev_data()[0]])
    assert float(task.scores(Perfect(), batch)["sound"]) == 100


@pytest.mark.parametrize("kind", ["waveform to waveform", "spectrogram to spectrogram"])
def test_where_there_is_no_noise_none_can_be_taken_away(kind: str, file: Path, voices: Path) -> None:
    """What is there already is as good as can be; a share of nothing would choose the model."""
    with pytest.raises(UsageError) as caught:
        recipe_of(file, *KINDS[kind], "mixing.noise_probability=0").task.dev_data()
    assert str(caught.value) == (
        f"The voices of {voices} have no noise that could be taken away; set mixing.noise_probability=1 and "
        "data.noise=FOLDER."
    )


def test_dev_is_always_the_same_and_within_its_ratios(file: Path) -> None:
    task = recipe_of(file, "data.dev_snr_db=[3,4]").task
    once, again = ([task.collate([data[k]]) for k in range(len(data))] for data in (task.dev_data(), task.dev_data()))
    for one, two in zip(once, again, strict=True):
        assert torch.equal(one.source, two.source)
        ratio = 10 * torch.log10(one.target.square().sum() / (one.source - one.target).square().sum())
        assert 3 <= float(ratio) <= 4


def test_a_run_in_pieces_is_as_one_that_was_never_stopped(file: Path, tmp_path: Path) -> None:
    check_pieces(file, tmp_path)


def test_a_dry_run_says_what_a_batch_is(file: Path) -> None:
    rows = rehearse(recipe_of(file)).rows
    assert rows["mixtures"] == "2 × 1600 samples at 8000 Hz"
    assert rows["encoder"] == "200 steps of 8 samples"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (("model.heads=3",), "[model]: features (8) must be a multiple of heads (3)."),
        (("model.dropout=1",), "[model]: dropout must be below 1, got 1.0."),
        (("model.kernels=[]",), "[model]: kernels and strides are needed where one side is a waveform; one of each, or "
         "more."),
        (("model.target=text",), "[model]: target must be one of waveform, spectrogram, got 'text'."),
        (("loss.snr_weight=-1",), "[loss]: snr_weight must be at least 0, got -1.0."),
        (("model.target=spectrogram",), "The recipe clean.toml: a step must be as long on both sides of the network, "
         "not 8 and 80 samples."),
    ],
)  # fmt: skip
def test_mistakes_are_named(file: Path, changes: tuple[str, ...], message: str) -> None:
    assert refused(file, *changes) == message
