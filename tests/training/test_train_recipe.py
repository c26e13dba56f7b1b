"""Recipes: what is read, what may be changed from the command line, and the sentence for each mistake."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from train_helpers import RECIPE, recipe_of, refused

from unbraid.errors import UsageError
from unbraid.files.strict import LARGEST
from unbraid.models.conv_tasnet.config import ConvTasNetConfig
from unbraid.models.sepformer.config import SepFormerConfig
from unbraid.training import read_recipe
from unbraid.training.recipe import Constant, Cosine, Optimizer
from unbraid.training.recipe_reader import fill


def test_a_recipe_is_read_into_dataclasses(recipe_file: Path) -> None:
    recipe = recipe_of(recipe_file)
    assert recipe.task.model == SepFormerConfig(features=8, heads=2, chunk_frames=20, blocks=1, layers=1, hidden=8)
    assert recipe.optimizer == Optimizer(1e-3, weight_decay=0.01, clip=5.0)
    assert recipe.schedule == Cosine(warmup_steps=2)
    assert (recipe.part_steps, recipe.step_items, recipe.steps) == (3, 2, 12)
    json.dumps(recipe.values())


def test_values_can_be_changed_from_outside(recipe_file: Path) -> None:
    recipe = recipe_of(
        recipe_file,
        "optimizer.rate=3e-4", "data.folder=/a place/x=y", "mixing.speed=[1, 1]", "trainer.precision=32",
        "schedule={kind='constant'}", 'name="other"', "loss.stft_weight=1", "trainer.devices=4",
    )  # fmt: skip
    assert (recipe.name, recipe.optimizer.rate, recipe.task.data.folder) == ("other", 3e-4, "/a place/x=y")
    assert (recipe.task.mixing.speed, recipe.trainer.precision, recipe.schedule) == ((1.0, 1.0), "32", Constant())
    assert recipe.task.loss.stft_weight == 1.0
    assert recipe.step_items == 8


def test_a_family_brings_its_own_sizes(tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text(RECIPE)
    recipe = recipe_of(tmp_path / "r.toml", 'model={family="conv_tasnet",features=12,skip=4}')
    assert recipe.task.model == ConvTasNetConfig(features=12, skip=4)
    with pytest.raises(UsageError, match=r"^\[model\] does not know 'skip'; it knows sources, features, "):
        recipe_of(tmp_path / "r.toml", "model.skip=3")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("optimizer.rates=1", "[optimizer] does not know 'rates'; did you mean rate?"),
        ("optimiser.rate=1", "The recipe tiny.toml does not know 'optimiser'; did you mean optimizer?"),
        ("optimizer.zz=1", "[optimizer] does not know 'zz'; it knows rate, kind, weight_decay, clip."),
        ("optimizer.rate=fast", "[optimizer]: rate must be a finite number, got 'fast'."),
        ("optimizer.rate=-1", "[optimizer]: rate must be at least 0, got -1.0."),
        ("optimizer={}", "[optimizer] lacks rate."),
        ("optimizer=1", "[optimizer] must be a set of named values, got 1."),
        ("trainer.batch=2.5", "[trainer]: batch must be a whole number, got 2.5."),
        ("trainer.batch=0", "[trainer]: batch must be at least 1, got 0."),
        ("trainer.ema=1.5", "[trainer]: ema must be below 1, got 1.5."),
        ("trainer.compile=1", "[trainer]: compile must be true or false, got 1."),
        ("trainer.precision=16", "[trainer]: precision must be one of 32, bf16, got 16."),
        ("data.folder=3", "[data]: folder must be a text, got 3."),
        ("mixing.speed=1.0", "[mixing]: speed must be a list of 2, got 1.0."),
        ("mixing.speed=[1]", "[mixing]: speed must be a list of 2, got [1]."),
        (
            "model.family=rnn",
            "[model]: family must be one of sepformer, resepformer, conv_tasnet, band_split, tiger, causal_lstm, unet, "
            "text_to_text, audio_to_text, audio_to_audio, text_to_spectrogram, ecapa, got 'rnn'.",
        ),
        ("model.features=9", "[model]: features must be even (positions are pairs of sin and cos), got 9."),
        ("schedule={}", "[schedule] lacks kind; it is one of plateau, cosine, constant."),
        ("schedule.hold_epochs=3", "[schedule] does not know 'hold_epochs'; it knows warmup_steps, floor."),
        ("name=3", "name must be a text, got 3."),
        ("name=../x", "name must be letters, digits, '.', '-' and '_', got '../x'."),
        ("optimizer.rate=inf", "[optimizer]: rate must be a finite number, got inf."),
        ("loss.threshold_db=nan", "[loss]: threshold_db must be a finite number, got nan."),
        ("schedule.warmup_steps=-4", "[schedule]: warmup_steps must be at least 0, got -4."),
        ("data.mode=mid", "[data]: mode must be one of min, max, got 'mid'."),
        (
            "mixing.crop_seconds=0.001",
            "The recipe tiny.toml: [mixing] crop_seconds is 8 samples, but [model] kernel_samples is 16; "
            "make crops longer.",
        ),
        ("name.first=3", "'name.first=3': name is a value, not a table of values."),
        ("faster", "'faster' changes nothing; write section.key=value, such as optimizer.rate=3e-4."),
        (".rate=3", "'.rate=3' changes nothing; write section.key=value, such as optimizer.rate=3e-4."),
    ],
)
def test_mistakes_are_named(recipe_file: Path, change: str, message: str) -> None:
    assert refused(recipe_file, change) == message


def test_a_recipe_that_is_no_recipe(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="^The recipe .*none.toml cannot be read: No such file or directory.$"):
        read_recipe(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("name = ")
    with pytest.raises(UsageError, match="^The recipe .*bad.toml is not TOML: Invalid value"):
        read_recipe(tmp_path / "bad.toml")
    (tmp_path / "short.toml").write_text('name = "x"\n[trainer]\nepochs = 1\n')
    with pytest.raises(UsageError, match="^The recipe short.toml lacks model, data, optimizer, schedule.$"):
        read_recipe(tmp_path / "short.toml")


@given(st.floats(allow_nan=False), st.integers(-10, 10))
def test_numbers_arrive_as_they_are(rate: float, decay: int) -> None:
    table = {"rate": rate, "weight_decay": decay}
    try:
        values = fill(Optimizer, table, "[optimizer]")
    except UsageError:
        assert rate < 0 or decay < 0 or not rate <= LARGEST
    else:
        assert (values.rate, values.weight_decay, values.clip) == (rate, decay, 5.0)
