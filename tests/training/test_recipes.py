"""Every recipe in recipes/ runs two steps, shrunk, on a tiny corpus in the layout that it is for."""

import dataclasses
import json
import math
from pathlib import Path

import corpora_trees as trees
import pytest
import torch
from digit_tones import write_tones
from train_helpers import read_log, silent, write_dictionary

from source_tree import ROOT
from unbraid.errors import UsageError
from unbraid.hub.importers.spleeter_config import shipped_config
from unbraid.hub.spec import Spectral
from unbraid.models.config import Config
from unbraid.models.conv_tasnet.config import ConvTasNetConfig
from unbraid.models.family import tensor_shapes
from unbraid.models.resepformer.config import ResepformerConfig
from unbraid.models.sepformer.config import SepFormerConfig
from unbraid.models.sepformer.network import SepFormer
from unbraid.models.tiger.config import TigerConfig
from unbraid.models.unet.config import UNetConfig
from unbraid.training import read_recipe, train
from unbraid.training.checkpoints import LAST
from unbraid.training.recipe import Constant, Plateau
from unbraid.training.run import RECORD, look
from unbraid.training.tasks.music import SpectralLoss, frame_count
from unbraid.training.tasks.text import TextModel

FOLDER = ROOT.parents[1] / "recipes"
NAMES = sorted(path.stem for path in FOLDER.glob("*.toml"))
PUBLISHED = {
    "sepformer-wsj02mix": trees.wsj0mix,
    "resepformer-wsj02mix": trees.wsj0mix,
    "sepformer-wsj03mix": lambda root: trees.wsj0mix(root, 3),
    "sepformer-libri2mix": trees.librimix,
    "sepformer-libri3mix": lambda root: trees.librimix(root, 3),
    "sepformer-wham": trees.wham,
    "sepformer-whamr": trees.whamr,
}
SPLEETER = {"spleeter-2stems": 2, "spleeter-4stems": 4, "spleeter-5stems": 5}
MUSIC = {"music-2": 2, "music-4": 4, "music-5": 5}
LIVE = ("denoise-live", "speech-live")
DIGITS = ("digits", "digits-wave")
SOUNDS = ("denoise", "denoise-spectrogram", "denoise-to-spectrogram", "vocoder", "vocoder-16k")
PAIRS = (  # see test_pairs.py
    *("text-to-text", "spectrogram-to-text", "waveform-to-text", "text-to-spectrogram"),
    *(f"{source}-to-{target}" for source in ("spectrogram", "waveform") for target in ("spectrogram", "waveform")),
)
TASNET = "conv-tasnet-wsj02mix"
VOICES = sorted(PUBLISHED.keys() | {"speech", "speech-2", "speech-3", "conv-tasnet-2", TASNET, "tiger"})
SMALL = {
    "sepformer": ("features=8", "heads=2", "layers=1", "blocks=1", "hidden=8", "chunk_frames=10"),
    "resepformer": ("features=8", "heads=2", "layers=1", "hidden=8", "chunk_frames=10"),
    "conv_tasnet": ("features=8", "bottleneck=4", "skip=4", "hidden=4", "blocks=2", "repeats=1"),
    "tiger": (
        *("frame_samples=64", "hop_samples=16", "widths=[1, 1, 2, 3, 6, 9, 11]"),
        *("features=8", "hidden=8", "iterations=2", "levels=3", "heads=2"),
    ),
    "band_split": ("frame_samples=64", "bands=4", "features=8", "heads=2", "blocks=1", "hidden=8", "band_hidden=8"),
}


def two_steps(file: Path, changes: list[str], out: Path) -> dict[str, str]:
    """The log's line after an epoch of two steps, which leaves its best weights."""
    train(read_recipe(file, changes), out, silent)
    (line,) = read_log(out)
    assert (line["step"], line["epoch"], line["skipped"]) == ("2", "1", "0")
    assert (out / "best.pt").is_file()
    return line


def parameters(sizes: Config) -> int:
    return sum(math.prod(shape) for shape in tensor_shapes(sizes).values())


def test_every_recipe_is_known_here() -> None:
    assert set(NAMES) == {
        *VOICES, *LIVE, *SPLEETER, *MUSIC, *DIGITS, *SOUNDS, *PAIRS, "g2p", "speak", "transcribe-wav2vec2", "voice",
    }  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_is_short_and_called_like_its_file(name: str) -> None:
    recipe = read_recipe(FOLDER / f"{name}.toml")
    assert recipe.name == name
    assert recipe.description
    lines = (FOLDER / f"{name}.toml").read_text().splitlines()
    assert 20 <= sum(" = " in line and not line.startswith("#") for line in lines) <= 40


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_papers_settings(name: str) -> None:
    """Subakan et al., section 3.2, and SpeechBrain's recipes."""
    recipe = read_recipe(FOLDER / f"{name}.toml")
    sizes = SepFormerConfig(sources=3 if "3mix" in name else 2)
    assert recipe.task.model == (ResepformerConfig() if name.startswith("resepformer") else sizes)
    assert recipe.schedule == Plateau(factor=0.5, patience=2, hold_epochs=85)
    assert (recipe.trainer.epochs, recipe.trainer.batch) == (200, 1)
    assert (recipe.optimizer.rate, recipe.optimizer.weight_decay, recipe.optimizer.clip) == (1.5e-4, 0, 5)
    assert (recipe.task.loss.kind, recipe.task.loss.threshold_db) == ("si_sdr", -30)
    assert (recipe.task.data.dynamic, recipe.task.mixing.speed, recipe.task.mixing.crop_seconds) == (
        True,
        (0.95, 1.05),
        4,
    )


def test_the_settings_of_conv_tasnet() -> None:
    """Luo & Mesgarani, section III: the best non-causal network of table II, Adam, 100 epochs of crops of 4 s."""
    recipe = read_recipe(FOLDER / f"{TASNET}.toml")
    assert recipe.task.model == ConvTasNetConfig(2, 512, 16, 128, 128, 512, 3, 8, 3)
    assert recipe.schedule == Plateau(factor=0.5, patience=2, hold_epochs=0)
    assert (recipe.trainer.epochs, recipe.optimizer.rate, recipe.optimizer.clip) == (100, 1e-3, 5)
    assert (recipe.task.data.dynamic, recipe.task.mixing.crop_seconds, recipe.task.loss.kind) == (False, 4, "si_sdr")


def test_the_settings_of_tiger() -> None:
    """configs/tiger.yml of JusperLee/TIGER: Adam at 0.001, halved after 10 epochs without progress, crops of 3 s."""
    recipe = read_recipe(FOLDER / "tiger.toml")
    assert recipe.task.model == TigerConfig()
    assert recipe.schedule == Plateau(factor=0.5, patience=10, hold_epochs=0)
    assert (recipe.trainer.epochs, recipe.trainer.batch) == (500, 1)
    assert (recipe.optimizer.kind, recipe.optimizer.rate, recipe.optimizer.weight_decay) == ("adamw", 1e-3, 0)
    assert (recipe.task.data.sample_rate, recipe.task.mixing.crop_seconds) == (16_000, 3)
    assert (recipe.task.loss.kind, recipe.task.record()["level"]) == ("snr", "own")


@pytest.mark.parametrize("name", SPLEETER)
def test_spleeters_settings(name: str) -> None:
    """configs/*/base_config.json of deezer/spleeter, and what its importer knows of them."""
    recipe, published = read_recipe(FOLDER / f"{name}.toml"), shipped_config(SPLEETER[name])
    task, steps = recipe.task, {2: 1_000_000, 4: 1_500_000, 5: 2_500_000}
    assert (task.model, task.data.stems, task.spectral) == (published.geometry, published.stems, published.spectral)
    assert frame_count(task.mixing.crop_samples(44100), task.spectral, 64) == 512
    assert (recipe.optimizer.rate, recipe.optimizer.weight_decay, recipe.optimizer.clip) == (1e-4, 0, 0)
    assert (recipe.trainer.batch, recipe.steps, recipe.schedule) == (4, steps[SPLEETER[name]], Constant())
    assert (task.loss, recipe.trainer.hold_norm) == (SpectralLoss("l1"), 0)


@pytest.mark.parametrize("name", MUSIC)
def test_our_songs_settings(name: str) -> None:
    recipe = read_recipe(FOLDER / f"{name}.toml")
    assert recipe.task.model == UNetConfig(
        MUSIC[name], 2, (16, 32, 64, 96, 128, 192), "elu", "elu", output="softmax", trunk="shared", bins=1024, side=True
    )
    assert recipe.task.spectral == Spectral(exponent=0.5, extension="average")
    assert (recipe.trainer.batch, recipe.trainer.ema, recipe.trainer.hold_norm) == (2, 0.998, 0.4)


def test_two_steps_of_words(tmp_path: Path) -> None:
    file = FOLDER / "g2p.toml"
    whole = read_recipe(file)
    assert whole.task.model == TextModel(hidden=640)
    changes = [f"data.dictionary={write_dictionary(tmp_path)}", f"data.epoch_words={2 * whole.step_items}"]
    changes += ["model.features=8", "model.hidden=8", "trainer.epochs=1"]
    line = two_steps(file, changes, tmp_path / "run")
    assert 0 < float(line["train_loss"]) < 6
    assert float(line["dev_accuracy"]) <= 100


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("digits", "data.sample_rate=16000"),
        ("digits", "mel.hop_samples=100"),
        ("speak", "data.sample_rate=8000"),
        ("speak", "data.phonemizer=other"),
        ("vocoder", "mel.frame_samples=320"),
        ("denoise", "data.sample_rate=16000"),
    ],
)
def test_a_run_hears_the_same_to_its_end(name: str, change: str, tmp_path: Path) -> None:
    """What turns recordings into what a network reads cannot change between two halves."""
    file = FOLDER / f"{name}.toml"
    (tmp_path / RECORD).write_text(json.dumps(read_recipe(file).values()))
    (tmp_path / LAST).touch()
    with pytest.raises(UsageError, match=f"The run in .* has {change.split('=')[0]} = .* cannot take it up; "):
        look(read_recipe(file, [change]), tmp_path)


def test_our_words_fit_their_budget() -> None:
    sizes = read_recipe(FOLDER / "g2p.toml").task.model.between(33, 43)  # CMUdict: letters and - ' . ; 39 phonemes
    assert parameters(sizes) <= 3_000_000


@pytest.mark.parametrize("name", DIGITS)
def test_two_steps_of_digits(name: str, tmp_path: Path) -> None:
    file = FOLDER / f"{name}.toml"
    whole, folder = read_recipe(file), write_tones(tmp_path / "tones", takes=11)
    changes = [f"data.folder={folder}", f"data.extra={folder}", "data.speakers=tones"]
    changes += [f"data.epoch_utterances={2 * whole.step_items}", "model.features=8", "model.hidden=8"]
    line = two_steps(file, [*changes, "trainer.epochs=1"], tmp_path / "run")
    assert 0 < float(line["train_loss"]) < 200
    assert float(line["dev_accuracy"]) <= 100


def test_two_steps_upon_a_pretrained_encoder(goldens: Path, tmp_path: Path) -> None:
    file = FOLDER / "transcribe-wav2vec2.toml"
    whole, folder = read_recipe(file), write_tones(tmp_path / "tones", takes=11)
    assert (whole.task.model.pretrained, whole.task.model.frozen) == ("facebook/hubert-base-ls960", True)
    changes = [f"data.folder={folder}", f"data.epoch_utterances={2 * whole.step_items}"]
    changes += [f"model.pretrained={goldens / 'wav2vec2'}", "model.features=8", "model.hidden=8", "trainer.epochs=1"]
    line = two_steps(file, [*changes, "trainer.accelerator=cpu"], tmp_path / "run")
    assert 0 < float(line["train_loss"]) < 300


@pytest.mark.parametrize("name", DIGITS)
def test_our_digits_fit_their_budget(name: str) -> None:
    task = read_recipe(FOLDER / f"{name}.toml").task
    sizes = task.model.between(task.mel.bins, 14)
    assert task.hearing.step_samples == 320  # 40 ms
    assert parameters(sizes) <= 600_000


def test_two_steps_of_speaking(tmp_path: Path) -> None:
    file = FOLDER / "speak.toml"
    whole, folder = read_recipe(file), write_tones(tmp_path / "tones", takes=11)
    changes = [f"data.folder={folder}", f"data.epoch_utterances={2 * whole.step_items}"]
    changes += ["model.features=8", "model.hidden=8", "trainer.epochs=1"]
    line = two_steps(file, changes, tmp_path / "run")
    assert 0 < float(line["train_loss"]) < 20
    assert -80 < float(line["dev_distance"]) < 0


def test_our_voice_fits_its_budget() -> None:
    task = read_recipe(FOLDER / "speak.toml").task
    sizes = task.model.between(46, task.mel.bins)
    assert parameters(sizes) <= 1_550_000


@pytest.mark.parametrize("name", [*SOUNDS, *LIVE])
def test_two_steps_of_sounds(name: str, voices: Path, tmp_path: Path) -> None:
    file = FOLDER / f"{name}.toml"
    whole = read_recipe(file)
    changes = [f"data.folder={voices}", f"data.noise={voices}", f"data.epoch_mixtures={2 * whole.step_items}"]
    changes += ["data.workers=0", "data.dev_mixtures=2", "model.features=8", "model.hidden=8"]
    changes += ["model.encoder_layers=1"] if name in SOUNDS else []
    changes += ["mixing.crop_seconds=0.3", "trainer.epochs=1", "trainer.parts=1", "trainer.accelerator=cpu"]
    line = two_steps(file, changes, tmp_path / "run")
    assert -60 < float(line["train_loss"]) < 60
    assert float(line[whole.task.score.name]) < 100


@pytest.mark.parametrize("name", SOUNDS)
def test_our_sounds_fit_their_budget(name: str) -> None:
    sizes = read_recipe(FOLDER / f"{name}.toml").task.geometry
    assert parameters(sizes) <= 1_300_000


@pytest.mark.parametrize("name", LIVE)
def test_our_live_models_fit_their_budget(name: str) -> None:
    task = read_recipe(FOLDER / f"{name}.toml").task
    assert parameters(task.geometry) <= 1_000_000
    assert task.geometry.latency_samples / task.data.sample_rate <= 0.04


def test_two_steps_of_speakers(voices: Path, tmp_path: Path) -> None:
    file = FOLDER / "voice.toml"
    whole = read_recipe(file)
    changes = [f"data.folder={voices}", f"data.noise={voices}", f"data.epoch_crops={2 * whole.step_items}"]
    changes += ["data.dev_seconds=0.5", "cropping.seconds=[0.3,0.3]", "disturbing.rooms=1", "model.width=8"]
    changes += ["model.merged=8", "trainer.epochs=1", "trainer.parts=1", "trainer.accelerator=cpu"]
    line = two_steps(file, changes, tmp_path / "run")
    assert 0 < float(line["train_loss"]) < 60
    assert 0 <= float(line["dev_accuracy"]) <= 100


def test_our_embeddings_fit_their_budget() -> None:
    assert parameters(read_recipe(FOLDER / "voice.toml").task.model) <= 1_000_000


@pytest.mark.parametrize("name", [*SPLEETER, *MUSIC])
def test_two_steps_of_songs(name: str, songs: Path, tmp_path: Path) -> None:
    whole = read_recipe(FOLDER / f"{name}.toml")
    changes = [
        f"data.folders={songs}", "data.workers=0", f"data.epoch_crops={2 * whole.step_items}", "data.sample_rate=8000",
        "data.dev_seconds=1", "model.filters=[2,3]", "spectral.frame_samples=256", "spectral.hop_samples=64",
        "spectral.bins=64", "spectral.frames=16", "mixing.crop_seconds=0.2", "trainer.epochs=1", "trainer.parts=1",
        "trainer.accelerator=cpu", f"model.bins={64 if name in MUSIC else 0}",
    ]  # fmt: skip
    line = two_steps(FOLDER / f"{name}.toml", changes, tmp_path / "run")
    assert 0 < float(line["train_loss"]) < 60
    assert -60 < float(line["dev_usdri"]) < 60


@pytest.mark.parametrize("name", VOICES)
def test_two_steps(name: str, corpus: Path, tmp_path: Path) -> None:
    file = FOLDER / f"{name}.toml"
    whole = read_recipe(file)
    published = PUBLISHED | {TASNET: trees.wsj0mix}
    folder = published[name](tmp_path / "corpus") if name in published else corpus
    changes = [f"model.{size}" for size in SMALL[whole.values()["model.family"]]]
    changes += [
        f"data.folder={folder}",
        f"data.noise={folder}",
        "data.workers=0",
        f"data.epoch_mixtures={2 * whole.step_items}",
    ]
    changes += ["mixing.crop_seconds=0.05", "trainer.epochs=1", "trainer.parts=1", "trainer.accelerator=cpu"]
    if whole.task.data.train == "train-360":
        changes.append("data.train=train-100")
    if whole.trainer.init:
        sizes = dataclasses.replace(read_recipe(file, changes).task.model, sources=2)
        torch.save({"model": SepFormer(sizes).state_dict(), "config": dataclasses.asdict(sizes)}, tmp_path / "two.pt")
        changes.append(f"trainer.init={tmp_path / 'two.pt'}")
    line = two_steps(file, changes, tmp_path / "run")
    assert -60 < float(line["train_loss"]) < 60
    assert -60 < float(line["dev_si_sdri"]) < 60


def test_a_live_model_for_two_voices_may_start_from_one_for_one() -> None:
    """The first source's filters are taken; those of the second are its own."""
    one, two = (read_recipe(FOLDER / f"{name}.toml").task for name in LIVE)
    first, second = one.network(), two.network()
    kept = second.state_dict()["outlet.bias"].chunk(2)[1].clone()
    two.start(second, {"model": first.state_dict()}, "best.pt")
    for name, tensor in first.state_dict().items():
        torch.testing.assert_close(second.state_dict()[name][: len(tensor)], tensor)
    torch.testing.assert_close(second.state_dict()["outlet.bias"].chunk(2)[1], kept)
    assert two.record() == {"sample_rate": 8000, "level": "own", "silent_outputs": False}
