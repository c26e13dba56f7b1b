"""Songs: Spleeter's front end and loss, the score of songs, runs that are killed, and models that come of them."""

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from train_helpers import STEPS, kill_at, load, read_log, recipe_of, refused, same, silent, write_songs

import unbraid
from unbraid.dsp.stft import stft
from unbraid.errors import UsageError
from unbraid.hub.spec import Spectral
from unbraid.models.unet.config import UNetConfig
from unbraid.training import Standing, export_run, look, train
from unbraid.training.data import SongCrops
from unbraid.training.system import System
from unbraid.training.tasks.music import SpectralLoss, frame_count, improvements, magnitudes, separate, spectral_loss

SMALL = Spectral(256, 64, frames=32, bins=64, exponent=1.0, extension="average")


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def buffers(out: Path, which: str = "current_model_state") -> dict[str, torch.Tensor]:
    return {name: value for name, value in load(out / "last.ckpt")[which].items() if "running" in name}


def test_the_front_end_is_the_programs_without_padding() -> None:
    stems = noise(2, 3, 2, 256 + 64 * 15)
    mixture, each = magnitudes(stems, SMALL, 8)
    assert each.shape == (2, 3, 2, 16, 64)
    np.testing.assert_allclose(each, np.abs(stft(stems.numpy(), 256, 64))[..., :64], atol=1e-4)
    np.testing.assert_allclose(mixture, np.abs(stft(stems.sum(1).numpy(), 256, 64))[..., :64], atol=1e-4)


def test_a_tone_is_in_its_bin() -> None:
    tone = torch.sin(2 * torch.pi * 10 / 256 * torch.arange(4000))
    mixture, _ = magnitudes(tone.expand(1, 1, 2, -1), SMALL, 8)
    assert (mixture[..., :48, :].argmax(-1) == 10).all()
    assert mixture[0, 0, 5, 10] == pytest.approx(256 / 4, rel=1e-3)  # half of the window's sum


@given(st.integers(1, 40000), st.sampled_from([4, 8, 64]))
def test_frames_come_in_multiples_and_reach_as_far_as_the_crop(samples: int, multiple: int) -> None:
    frames = frame_count(samples, SMALL, multiple)
    assert frames % multiple == 0
    whole = max(1, 1 + (samples - 256) // 64)
    assert whole <= frames < whole + multiple
    if samples < 3000:
        assert magnitudes(torch.zeros(1, 1, 1, samples), SMALL, multiple)[0].shape[-2] == frames


def test_published_crops_are_512_frames() -> None:
    assert frame_count(round(11.96 * 44100), Spectral(), 64) == 512


def test_the_published_loss_is_the_mean_difference_of_magnitudes() -> None:
    mixture, stems, masks = (
        noise(2, 2, 8, 64).abs(),
        noise(2, 3, 2, 8, 64, seed=1).abs(),
        noise(2, 3, 2, 8, 64).sigmoid(),
    )
    each = spectral_loss(SpectralLoss(), masks * mixture[:, None], stems, mixture)
    assert each.shape == (2, 3)
    torch.testing.assert_close(each, (masks * mixture[:, None] - stems).abs().flatten(2).mean(-1))


def test_an_emphasis_counts_high_bins_more() -> None:
    stems, mixture = torch.zeros(1, 2, 2, 4, 64), torch.zeros(1, 2, 4, 64)
    low, high = stems.clone(), stems.clone()
    low[..., 8], high[..., 16] = 1, 1  # an octave apart
    for db in (0.0, 6.0, 12.0):
        losses = [spectral_loss(SpectralLoss(emphasis_db=db), wrong, stems, mixture).mean() for wrong in (low, high)]
        assert 20 * float(torch.log10(losses[1] / losses[0])) == pytest.approx(db * np.log2(16.5 / 8.5), abs=1e-3)


def test_the_relative_loss_does_not_know_the_level() -> None:
    mixture, stems, estimates = (
        noise(1, 2, 8, 64).abs(),
        noise(1, 3, 2, 8, 64, seed=1).abs(),
        noise(1, 3, 2, 8, 64).abs(),
    )
    loud, quiet = (
        spectral_loss(SpectralLoss(relative=True), gain * estimates, gain * stems, gain * mixture) for gain in (100, 10)
    )
    torch.testing.assert_close(loud, quiet, rtol=1e-3, atol=0)


def test_the_score_is_the_improvement_on_the_mixture() -> None:
    stems = noise(3, 2, 8000)
    mixture = stems.sum(0)
    assert improvements(mixture.expand(3, 2, -1), stems) == pytest.approx([0, 0, 0], abs=1e-4)
    nearer = stems + 0.1 * (mixture - stems)
    assert improvements(nearer, stems) == pytest.approx([20, 20, 20], abs=1e-3)  # a tenth of the error: 20 dB
    assert (improvements(-stems, stems) < 0).all()  # worse than nothing


def test_what_a_song_lacks_is_not_scored_and_what_is_not_finite_is_the_worst() -> None:
    stems = noise(3, 2, 8000)
    stems[1] = 0
    gains = improvements(torch.full_like(stems, torch.nan), stems)
    assert torch.isnan(gains).tolist() == [False, True, False]
    assert torch.isneginf(gains).tolist() == [True, False, True]
    stems[2] = 0
    assert torch.isnan(improvements(stems, stems)).all()  # one stem alone: the mixture is right as it is


def test_separation_is_masks_of_what_the_network_says() -> None:
    """A network that gives everything to the first stem; and one that shares all alike."""

    class Fixed(torch.nn.Module):
        def __init__(self, *shares: float) -> None:
            super().__init__()
            self.shares = torch.tensor(shares)[:, None, None, None]

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x[:, None] * self.shares

    song, two = noise(2, 5003), UNetConfig(stems=2)
    stems = separate(Fixed(1, 0), song, SMALL, two)
    assert stems.shape == (2, 2, 5003)
    torch.testing.assert_close(stems[0], song, atol=1e-4, rtol=0)
    assert stems[1].abs().max() < 1e-4
    torch.testing.assert_close(separate(Fixed(1, 3), song, SMALL, two)[1], 0.75 * song, atol=1e-4, rtol=0)
    squared = dataclasses.replace(SMALL, exponent=2.0)
    torch.testing.assert_close(separate(Fixed(1, 3), song, squared, two)[1], 0.9 * song, atol=1e-4, rtol=0)


def test_a_run_learns_and_leaves_what_an_export_needs(tmp_path: Path, songs_recipe_file: Path) -> None:
    told: list[Standing] = []
    out = tmp_path / "run"
    train(recipe_of(songs_recipe_file, "trainer.epochs=8"), out, told.append)
    log = read_log(out)
    assert list(log[0]) == [
        "step", "epoch", "train_loss", "dev_usdri", "rate", "skipped", "minutes",
        "loss_vocals", "dev_vocals", "loss_drums", "dev_drums", "loss_other", "dev_other",
    ]  # fmt: skip
    assert float(log[-1]["train_loss"]) < float(log[0]["train_loss"])
    line, parts = log[1], ("vocals", "drums", "other")
    assert sum(float(line[f"loss_{part}"]) for part in parts) == pytest.approx(float(line["train_loss"]), abs=1e-3)
    assert sum(float(line[f"dev_{part}"]) for part in parts) / 3 == pytest.approx(float(line["dev_usdri"]), abs=1e-3)
    assert log[0]["dev_usdri"] == log[0]["dev_vocals"] == ""
    best = load(out / "best.pt")
    assert best["dev_usdri"] == pytest.approx(
        max(float(line["dev_usdri"]) for line in log if line["dev_usdri"]), abs=1e-4
    )
    assert (best["stems"], best["spectral"]) == (list(parts), dataclasses.asdict(SMALL))
    assert (best["sample_rate"], best["recipe"]) == (8000, "songs")
    assert told[-1].step == 4 * STEPS


@pytest.mark.parametrize(
    "changes",
    [
        ("model.output=sigmoid", "model.trunk=own"),
        ("model.output=softmax", "model.trunk=own"),
        ("model.output=softmax", "model.trunk=shared"),
        ("model.bins=64",),
        ("model.bins=64", "model.side=true"),
    ],
)
def test_the_best_weights_separate_as_they_did_on_dev(
    tmp_path: Path, songs_recipe_file: Path, changes: tuple[str, ...]
) -> None:
    pytest.importorskip("onnx")
    changes += ("trainer.epochs=1", "trainer.parts=1")
    recipe, out = recipe_of(songs_recipe_file, *changes), tmp_path / "run"
    train(recipe, out, silent)
    spec = export_run(recipe, out, tmp_path / "model")
    assert (spec.stems, spec.spectral, spec.sample_rate) == (("vocals", "drums", "other"), SMALL, 8000)
    assert spec.provenance == "trained by the recipe songs on songs (train), step 6 of 6."
    assert spec.scores == {"dev uSDRi (dB)": round(load(out / "best.pt")["dev_usdri"], 2)}
    model = recipe.task.network().eval()
    model.load_state_dict(load(out / "best.pt")["model"])
    item = recipe.task.dev_data()[0]
    stems = separate(model, item.sum(0), SMALL, recipe.task.model)
    theirs = unbraid.Separator(tmp_path / "model")(item.sum(0).numpy(), 8000)
    for k, name in enumerate(spec.stems):
        np.testing.assert_allclose(theirs[name], stems[k], atol=1e-4)


def test_a_killed_run_goes_on_as_if_nothing_had_happened(tmp_path: Path, songs_recipe_file: Path) -> None:
    """SIGKILL after norms are held; what they hold, and the average of it, is that of a straight run."""
    recipe = recipe_of(songs_recipe_file)
    straight, broken = tmp_path / "straight", tmp_path / "broken"
    train(recipe, straight, silent)
    kill_at(8, songs_recipe_file, broken)
    assert train(recipe, broken, silent).step == 6
    for name in ("last.ckpt", "best.pt"):
        ours, theirs = load(broken / name), load(straight / name)
        for part in ("state_dict", "current_model_state", "optimizer_states", "lr_schedulers", "system", "model"):
            same(ours.get(part), theirs.get(part), part)
    logs = [[line | {"minutes": ""} for line in read_log(out)] for out in (straight, broken)]
    assert logs[0] == logs[1]
    with pytest.raises(UsageError, match=r"^The run in .* has data.stems = \['vocals', 'drums', 'other'\], and \[.*$"):
        look(recipe_of(songs_recipe_file, 'data.stems=["vocals","bass","other"]'), broken)


def test_norms_learn_until_they_are_held(tmp_path: Path, songs_recipe_file: Path) -> None:
    """Spleeter's were never fed: mean 0 and variance 1. The average of the weights has the norms' average."""
    seen: dict[str, list] = {}
    for share in ("0.0", "0.5", "1.0"):
        means: list[torch.Tensor] = []

        class Spy(System):
            def on_train_batch_end(self, *_: object, means: list[torch.Tensor] = means) -> None:
                means.append(self.model.nets[0].down_norm[0].running_mean.clone())

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("unbraid.training.run.System", Spy)
            train(recipe_of(songs_recipe_file, f"trainer.hold_norm={share}"), tmp_path / share, silent)
        seen[share] = [step + 2 for step, (a, b) in enumerate(itertools.pairwise(means)) if not a.equal(b)]
    assert seen == {"0.0": [], "0.5": [2, 3, 4, 5, 6], "1.0": list(range(2, STEPS + 1))}
    never = buffers(tmp_path / "0.0")
    assert all((value == ("running_var" in name)).all() for name, value in never.items())
    ours, averages = buffers(tmp_path / "1.0"), buffers(tmp_path / "1.0", "state_dict")
    assert not any(averages[name].equal(value) for name, value in ours.items())


def test_a_bad_crop_is_skipped_and_the_norms_too(tmp_path: Path, songs_recipe_file: Path, monkeypatch) -> None:
    clean = SongCrops.__getitem__
    monkeypatch.setattr(SongCrops, "__getitem__", lambda self, k: clean(self, k) * (torch.nan if k == 4 else 1))
    train(recipe_of(songs_recipe_file, "trainer.epochs=1", "trainer.hold_norm=1.0"), tmp_path / "run", silent)
    log = read_log(tmp_path / "run")
    assert [line["skipped"] for line in log] == ["1", "1"]
    assert float(log[-1]["dev_usdri"]) > -60
    assert all(torch.isfinite(value).all() for value in load(tmp_path / "run" / "last.ckpt")["state_dict"].values())


def test_gradients_are_clipped_net_by_net(songs_recipe_file: Path) -> None:
    """A net that got a large gradient takes nothing from another's."""
    system = System(recipe_of(songs_recipe_file, "model.trunk=own", "model.output=sigmoid"))
    for k, net in enumerate(system.model.nets):
        for parameter in net.parameters():
            parameter.grad = torch.full_like(parameter, 1e3 if k == 0 else 1e-4)
    system.log = lambda *_: None  # type: ignore[assignment]
    system.on_before_optimizer_step(None)
    norms = [torch.cat([p.grad.flatten() for p in net.parameters()]).norm() for net in system.model.nets]
    assert norms[0] == pytest.approx(1, rel=1e-3)
    assert norms[1] == norms[2] == pytest.approx(1e-4 * len(torch.cat([p.flatten() for p in net.parameters()])) ** 0.5)


def test_folders_for_training_alone_need_no_dev(tmp_path: Path, songs: Path, songs_recipe_file: Path) -> None:
    drums = write_songs(tmp_path / "drums", parts=("drums",))
    for path in (drums / "dev").rglob("*.wav"):
        path.unlink()
    both = f'data.folders=["{songs}", "{drums}"]'
    task = recipe_of(songs_recipe_file, both, "data.shares=[3, 1]").task
    assert len(task.dev_data()) == 2
    assert task.source == "songs, drums (train)"
    assert task.training_data(0, 1)[0].shape == (3, 2, 1600)
    with pytest.raises(UsageError, match=r"drums has no song of the split 'dev'"):
        recipe_of(songs_recipe_file, f"data.folders={drums}").task.dev_data()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path, songs_recipe_file: Path) -> None:
    with pytest.raises(UsageError) as caught:
        train(recipe_of(songs_recipe_file, "data.folders=nowhere"), tmp_path / "run", silent)
    assert str(caught.value) == (
        "The data folder nowhere is not there; say where it is with data.folders=PATH, or data.folders='[\"PATH\", …]'."
    )
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("model.stems=2", "The recipe songs.toml: [model] stems is 2, but [data] stems names 3; make them agree."),
        ("model.channels=1", "The recipe songs.toml: [model] channels must be 2, as songs are stereo; got 1."),
        (
            "data.stems=vocals",
            "[data]: stems must be two or more different ones that add up to a song, got ['vocals'].",
        ),
        ("data.folders=[]", "[data]: folders must name at least one folder of songs."),
        ("data.shares=[1, 2]", "[data]: shares must be 1, one for each folder, got 2."),
        ("data.dev_seconds=0", "[data]: dev_seconds must be at least 1, got 0.0."),
        ("data.folder=songs", "[data] folder is for the family sepformer or resepformer or conv_tasnet or "
         "band_split or tiger or causal_lstm or audio_to_text or audio_to_audio or "
         "text_to_spectrogram or ecapa, not for unet, which knows "
         "folders, stems, shares, layout, train, dev, sample_rate, epoch_crops, dev_seconds, dev_songs, workers."),
        ("data.foldes=songs", "[data] does not know 'foldes'; did you mean folders?"),
        ("mixing.spread_db=1", "[mixing] spread_db is for the family sepformer or resepformer or conv_tasnet or "
         "band_split or tiger or causal_lstm or audio_to_audio, not for unet, which "
         "knows crop_seconds, "),
        ("loss.kind=si_sdr", "[loss]: kind must be one of l1, got 'si_sdr'."),
        ("loss.stft_weight=1", "[loss] stft_weight is for the family sepformer or resepformer or conv_tasnet or "
         "band_split or tiger or causal_lstm or audio_to_audio, not for unet, which "
         "knows kind, relative, emphasis_db."),
        ("spectral.hop_samples=9", "[spectral]: frame_samples must be 2 to 64 times hop_samples, got 256 for 9."),
        ("spectral.hop_samples=128",
         "The recipe songs.toml: [spectral] frame_samples must be 4 times hop_samples (128)."),
        ("spectral.bins=66", "The recipe songs.toml: [spectral] frames and bins must be multiples of 8 (2 to the "
         "number of [model] filters), and bins at most 129; got 32 and 66."),
        ("model.bins=32", "The recipe songs.toml: [model] bins is 32, but [spectral] bins is 64; make them agree."),
        ("spectral.exponent=0", "[spectral]: exponent must be at least 0.01, got 0.0."),
        ("spectral.extension=none", "[spectral]: extension must be one of zeros, average, got 'none'."),
        ("trainer.hold_norm=1.5", "[trainer]: hold_norm must be at most 1, got 1.5."),
    ],
)  # fmt: skip
def test_mistakes_are_named(songs_recipe_file: Path, change: str, message: str) -> None:
    assert refused(songs_recipe_file, change).startswith(message)


def test_a_recipe_for_voices_has_no_spectrogram(recipe_file: Path) -> None:
    with pytest.raises(UsageError, match=r"^\[spectral\] is for the family unet, not for sepformer; take it out.$"):
        recipe_of(recipe_file, "spectral.bins=512")
    with pytest.raises(UsageError, match=r"^\[data\] folders is for the family unet, not for sepformer, which knows f"):
        recipe_of(recipe_file, "data.folders=[]")
