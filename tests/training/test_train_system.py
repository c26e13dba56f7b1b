"""The step: what is skipped, what the rate does, what is scored, and where weights may start from."""

import dataclasses
import math
from pathlib import Path

import pytest
import torch
from train_helpers import STEPS, read_log, recipe_of, silent

from unbraid.errors import ModelError, UsageError
from unbraid.models.band_split.config import BandSplitConfig
from unbraid.models.band_split.network import BandSplit
from unbraid.models.conv_tasnet.config import ConvTasNetConfig
from unbraid.models.conv_tasnet.network import ConvTasNet
from unbraid.models.sepformer.config import SepFormerConfig
from unbraid.models.sepformer.network import SepFormer
from unbraid.training import Standing, train
from unbraid.training.data import DynamicMixtures
from unbraid.training.losses import pit_si_sdr
from unbraid.training.recipe import Constant, Cosine, Plateau
from unbraid.training.system import System, rate_factor
from unbraid.training.tasks.speech import PER_SOURCE, Loss, improvement, loss_of
from unbraid.training.warm_start import voices_taken

SIZES = SepFormerConfig(features=8, heads=2, chunk_frames=20, blocks=1, layers=1, hidden=8)


def poison(monkeypatch: pytest.MonkeyPatch, bad: set[int]) -> None:
    """Items at some positions are not finite."""
    clean = DynamicMixtures.__getitem__

    def item(self: DynamicMixtures, position: int) -> tuple[torch.Tensor, torch.Tensor]:
        mixture, sources = clean(self, position)
        return (mixture * math.nan if position in bad else mixture), sources

    monkeypatch.setattr(DynamicMixtures, "__getitem__", item)


def weights(out: Path) -> dict[str, torch.Tensor]:
    return torch.load(out / "last.ckpt", weights_only=True)["state_dict"]


def test_a_step_that_is_not_finite_changes_nothing_and_is_counted(tmp_path, recipe_file, monkeypatch) -> None:
    """Positions 2 and 3 are step 2's, 4 is half of step 3's."""
    recipe = recipe_of(recipe_file, "trainer.ema=0.0", "trainer.epochs=1")
    seen: dict[int, tuple[int, list[torch.Tensor]]] = {}
    systems: list[System] = []

    class Kept(System):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments)
            systems.append(self)

    def watch(now: Standing) -> None:
        seen[now.step] = (now.skipped, [p.detach().clone() for p in systems[0].model.parameters()])

    monkeypatch.setattr("unbraid.training.run.System", Kept)
    poison(monkeypatch, {2, 3, 4})
    train(recipe, tmp_path / "run", watch)
    assert [seen[step][0] for step in range(1, 7)] == [0, 1, 2, 2, 2, 2]
    assert all(map(torch.equal, seen[1][1], seen[3][1]))
    assert not all(map(torch.equal, seen[3][1], seen[4][1]))
    assert all(torch.isfinite(p).all() for p in seen[6][1])
    log = read_log(tmp_path / "run")
    assert [line["skipped"] for line in log] == ["2", "2"]
    assert all(math.isfinite(float(line["train_loss"])) for line in log)


def test_a_run_that_diverged_ends(tmp_path, recipe_file, monkeypatch) -> None:
    poison(monkeypatch, set(range(1000)))
    monkeypatch.setattr("unbraid.training.system.MOST_SKIPPED", 3)
    with pytest.raises(ModelError, match="^The gradients of 3 steps in a row were not finite; lower optimizer.rate"):
        train(recipe_of(recipe_file), tmp_path / "run", silent)


def test_the_rate_warms_up_and_falls() -> None:
    cosine = Cosine(warmup_steps=4, floor=0.01)
    factors = [rate_factor(cosine, step, 101) for step in range(102)]
    assert factors[:3] == pytest.approx([0.25, 0.5, 0.75], rel=0.01)
    assert factors[3:] == sorted(factors[3:], reverse=True)
    assert factors[-1] == pytest.approx(0.01)
    assert [rate_factor(Constant(2), step, 9) for step in (0, 1, 8)] == [0.5, 1, 1]
    assert rate_factor(Plateau(), 0, 9) == 1


def test_the_rate_is_halved_on_a_plateau_once_the_hold_is_over(recipe_file: Path) -> None:
    """The scores of SpeechBrain's recipes: patience 2, nothing before epoch `hold_epochs`."""
    recipe = recipe_of(recipe_file, 'schedule={kind="plateau",hold_epochs=2,patience=2}', "trainer.parts=1")
    system = System(recipe)
    optimizer = system.configure_optimizers()
    rates = []
    for epoch, score in enumerate([9.0, 5.0, 5.0, 4.0, 4.0, 6.0, 6.0, 6.0, 6.0]):
        system.score = score
        type(system).current_epoch = epoch  # type: ignore[assignment]
        try:
            system._halve(system._plateau)
        finally:
            del type(system).current_epoch
        rates.append(optimizer.param_groups[0]["lr"])
    halved = [1e-3, 1e-3, 1e-3, 1e-3, 5e-4, 5e-4, 5e-4, 5e-4, 2.5e-4]  # the 9 of the hold does not count
    assert rates == pytest.approx(halved)


def test_the_score_is_the_improvement_in_the_best_order() -> None:
    random = torch.Generator().manual_seed(0)
    sources = torch.randn(2, 2, 4000, generator=random)
    mixture = sources.sum(1)
    estimates = sources.flip(1) * 3 + 0.1 * torch.randn(2, 2, 4000, generator=random)
    gains = improvement(estimates, sources, mixture)
    assert gains == pytest.approx([29.5, 29.5], abs=0.5)  # 20 log10(3 / 0.1) = 29.5 dB; the mixture has 0 dB
    nothing = improvement(mixture[:, None].expand(2, 2, -1), sources, mixture)
    assert nothing == pytest.approx([0, 0], abs=1e-4)


@pytest.mark.parametrize("kind", ["si_sdr", "snr", "active_snr"])
@pytest.mark.parametrize("stft_weight", [0.0, 0.5])
def test_every_loss_is_lower_where_the_estimate_is_better(kind, stft_weight) -> None:
    random = torch.Generator().manual_seed(0)
    sources = torch.randn(2, 2, 4000, generator=random)
    noise = torch.randn(2, 2, 4000, generator=random)
    values = Loss(kind=kind, stft_weight=stft_weight)
    far, near = (loss_of(values, sources.flip(1) + gain * noise, sources, sources.sum(1)) for gain in (1.0, 0.2))
    assert near < far
    bare = dataclasses.replace(values, stft_weight=0.0)
    assert (loss_of(bare, sources + noise, sources, sources.sum(1)) < far) == bool(stft_weight)


def test_the_sepformer_loss_leaves_out_what_is_separated_well() -> None:
    random = torch.Generator().manual_seed(0)
    sources = torch.randn(2, 2, 4000, generator=random)
    noise = torch.tensor([1e-3, 0.5])[:, None, None] * torch.randn(2, 2, 4000, generator=random)
    both = pit_si_sdr(sources + noise, sources)
    assert loss_of(Loss(), sources + noise, sources, sources.sum(1)) == pytest.approx(float(both[1]))


def test_three_voices_start_from_two() -> None:
    two, three = SepFormer(SIZES), SepFormer(dataclasses.replace(SIZES, sources=3))
    before = {name: value.clone() for name, value in three.state_dict().items()}
    three.load_state_dict(voices_taken(three.state_dict(), two.state_dict(), PER_SOURCE, "best.pt"))
    after, given = three.state_dict(), two.state_dict()
    for name in ("masknet.split.weight", "masknet.split.bias"):
        assert torch.equal(after[name][:16], given[name])
        assert torch.equal(after[name][16:], before[name][16:])
    assert all(torch.equal(after[name], given[name]) for name in given if "split" not in name)


def test_an_improvement_counts_the_sources_that_sound() -> None:
    """Two voices and three outputs: what the third one says is nobody's, and silence is no score."""
    torch.manual_seed(0)
    two = torch.randn(2, 2, 800)
    mixture, estimates = two.sum(1), two + 0.1 * torch.randn(2, 2, 800)
    three = torch.cat((torch.zeros(2, 1, 800), two), 1)
    padded = torch.cat((estimates, 1e-3 * torch.randn(2, 1, 800)), 1)
    torch.testing.assert_close(improvement(padded, three, mixture), improvement(estimates, two, mixture))


def test_dev_may_hold_mixtures_of_several_numbers_of_voices(tmp_path, recipe_file) -> None:
    changes = ("model.sources=3", "data.dev_voices=[2,3]", "mixing.voice_shares=[1,2,1]", "data.dev_mixtures=1")
    recipe = recipe_of(recipe_file, *changes, "loss.kind=active_snr", "trainer.epochs=1")
    data = recipe.task.dev_data()
    assert [sources.any(-1).sum().item() for _, sources in (data[i] for i in range(len(data)))] == [2, 3]
    assert all(data[i][1].shape[0] == 3 for i in range(2))
    train(recipe, tmp_path / "run", silent)
    assert math.isfinite(float(read_log(tmp_path / "run")[-1]["dev_si_sdri"]))
    for change in ("data.dev_voices=[4]", "mixing.voice_shares=[1,1,1,1]"):
        with pytest.raises(UsageError, match="4 voices are asked for, but \\[model\\] sources is 3"):
            recipe_of(recipe_file, *changes, change)


def test_a_band_split_transformer_takes_over_the_voices_that_there_are() -> None:
    sizes = BandSplitConfig(sources=2, frame_samples=32, bands=4, features=8, blocks=1, heads=2, hidden=8)
    two, three = BandSplit(sizes), BandSplit(dataclasses.replace(sizes, sources=3))
    before = {name: value.clone() for name, value in three.state_dict().items()}
    after = voices_taken(three.state_dict(), two.state_dict(), PER_SOURCE, "best.pt")
    blocks = 2 * sizes.filter_size * sizes.band_bins
    for name in ("outlet.weight", "outlet.bias"):
        assert torch.equal(after[name][..., :blocks], two.state_dict()[name])
        assert torch.equal(after[name][..., blocks:], before[name][..., blocks:])
    three.load_state_dict(after)
    mixture = torch.randn(1, 300)
    torch.testing.assert_close(three(mixture)[:, :2], two(mixture))


def test_a_start_of_other_sizes_is_refused() -> None:
    wide = SepFormer(dataclasses.replace(SIZES, hidden=12))
    message = r"^trainer.init: best.pt is of other sizes \(masknet.*feed_in.weight is \(12, 8\), not \(8, 8\)\).$"
    with pytest.raises(ModelError, match=message):
        voices_taken(SepFormer(SIZES).state_dict(), wide.state_dict(), PER_SOURCE, "best.pt")
    convolutional = ConvTasNet(ConvTasNetConfig(features=8, bottleneck=4, skip=4, hidden=4, blocks=1, repeats=1))
    with pytest.raises(ModelError, match="^trainer.init: best.pt is of another kind of model"):
        voices_taken(SepFormer(SIZES).state_dict(), convolutional.state_dict(), PER_SOURCE, "best.pt")


def test_a_run_starts_from_another_one(tmp_path, recipe_file) -> None:
    train(recipe_of(recipe_file, "trainer.epochs=1"), tmp_path / "two", silent)
    again = ("name=three", "model.sources=3", f"trainer.init={tmp_path / 'two' / 'best.pt'}", "optimizer.rate=0.0")
    train(recipe_of(recipe_file, *again), tmp_path / "three", silent)
    two = torch.load(tmp_path / "two" / "best.pt", weights_only=True)["model"]
    three = weights(tmp_path / "three")
    assert torch.allclose(three["model.encoder.weight"], two["encoder.weight"])
    assert torch.allclose(three["model.masknet.split.weight"][:16], two["masknet.split.weight"])
    assert [line["step"] for line in read_log(tmp_path / "three")][-1] == str(STEPS)


def test_options_of_the_engine(tmp_path, recipe_file, monkeypatch) -> None:
    """bf16 trains float32 weights; compiling is asked for once, and leaves the names of tensors alone."""
    compiled = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self: compiled.append(type(self).__name__))
    recipe = recipe_of(recipe_file, "trainer.precision=bf16", "trainer.compile=true", "trainer.epochs=1")
    train(recipe, tmp_path / "run", silent)
    assert compiled == ["SepFormer"]
    assert {value.dtype for value in weights(tmp_path / "run").values()} == {torch.float32}
    assert math.isfinite(float(read_log(tmp_path / "run")[-1]["dev_si_sdri"]))
