"""One's own pairs of text, spectrogram and waveform: all nine combinations are trained, exported, run and scored.

The commands are those of docs/audio-transformer.md.
"""

import csv
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from source_tree import ROOT
from unbraid.audio.spectrogram_files import open_spectrogram, spectrogram_writer
from unbraid.cli import app
from unbraid.corpora.pairs import find_pairs
from unbraid.dsp.framing import Mel
from unbraid.dsp.mel import mel_levels
from unbraid.dsp.mel_blocks import mel_blocks
from unbraid.errors import AudioError, UsageError
from unbraid.hub.spec import read_spec
from unbraid.training import find_recipe, read_recipe
from unbraid.training.data.pairs import FilePairs
from unbraid.training.run import model_name

RECIPES = ROOT.parents[1] / "recipes"
RATE, MEL = 16000, Mel(512, 160, 80)
KINDS = ("text", "spectrogram", "waveform")
NINE = [(source, target) for source in KINDS for target in KINDS]
TINY = ("model.features=8", "model.heads=2", "model.hidden=8", "model.encoder_layers=1", "trainer.epochs=1")
WORDS = ("high", "low", "mid")


def tone(index: int, noise: float) -> np.ndarray:
    """A soft tone (T,) of 0.6 s in noise."""
    wave = 0.3 * np.sin(2 * np.pi * 200 * (1 + index % 3) * np.arange(9600) / RATE)
    return (wave + noise * np.random.default_rng(index).standard_normal(9600)).astype(np.float32)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve noisy sources and clean targets in each of the three kinds, and a table for each combination."""
    folder = tmp_path_factory.mktemp("pairs")
    splits = ["train"] * 8 + ["dev"] * 2 + ["test"] * 2
    for k in range(12):
        for side, noise in (("noisy", 0.1), ("clean", 0.0)):
            soundfile.write(folder / f"{side}{k}.wav", tone(k, noise), RATE)
            np.save(folder / f"{side}{k}.npy", mel_levels(tone(k, noise), MEL, RATE))
    for source, target in NINE:
        with open(folder / f"{source}-{target}.csv", "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("source", "target", "split"))
            cells = ((cell(source, "noisy", k), cell(target, "clean", k)) for k in range(12))
            writer.writerows((*pair, split) for pair, split in zip(cells, splits, strict=True))
    return folder


def cell(kind: str, side: str, k: int) -> str:
    return {"text": WORDS[k % 3], "spectrogram": f"{side}{k}.npy", "waveform": f"{side}{k}.wav"}[kind]


def command(*words: object) -> str:
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    return done.output


def recipe_of(source: str, target: str) -> str:
    """The recipe; a waveform from a text is that of its spectrogram."""
    return f"{source}-to-{'spectrogram' if (source, target) == ('text', 'waveform') else target}"


def tiny(recipe: str) -> list[str]:
    epoch = "words" if recipe == "text-to-text" else "utterances" if "text" in recipe else "mixtures"
    changes = [*TINY, f"data.epoch_{epoch}=8", "trainer.batch=4", "trainer.accelerator=cpu"]
    return [*changes, "model.decoder_layers=1"] if "text" in recipe else [*changes, "mixing.crop_seconds=0.4"]


@pytest.mark.parametrize(("source", "target"), NINE)
def test_all_nine_combinations(source: str, target: str, data: Path, tmp_path: Path) -> None:
    recipe, table, model = recipe_of(source, target), data / f"{source}-{target}.csv", tmp_path / "model"
    changes = [f"data.pairs={table}", "name=mine", *tiny(recipe)]
    command("train", recipe, *changes, "--out", tmp_path / "run", "--export", model)
    given = "high" if source == "text" else data / cell(source, "noisy", 10)
    made = tmp_path / {"text": "made.txt", "spectrogram": "made.npy", "waveform": "made.wav"}[target]
    command("run", model, given, "-o", made)
    if target == "text":
        assert made.read_text().endswith("\n")
    elif target == "spectrogram":
        assert np.load(made).shape[1] == MEL.bins
        assert source == "text" or np.load(made).shape == (60, MEL.bins)
    else:
        assert soundfile.info(made).samplerate == RATE
        assert source == "text" or soundfile.info(made).frames == 9600
    told = command("evaluate", model, table, "--out", tmp_path / "scores")
    assert re.search("2 pairs", told)
    assert {path.name for path in (tmp_path / "scores").iterdir()} == {"summary.json", "pairs.csv", "report.html"}


@pytest.mark.parametrize("kind", ["waveform", "spectrogram"])
def test_sources_that_are_their_targets_end_in_a_model_as_well(kind: str, data: Path, tmp_path: Path) -> None:
    """Nothing of dev can be improved, so there is no score, and the latest weights are kept; the command says so."""
    table, recipe = tmp_path / "same.csv", f"{kind}-to-{kind}"
    files = [(data / cell(kind, "clean", k), split) for k, split in enumerate(("train", "train", "dev"))]
    table.write_text("source,target,split\n" + "".join(f"{file},{file},{split}\n" for file, split in files))
    words = [
        "train",
        recipe,
        f"data.pairs={table}",
        *tiny(recipe),
        "--out",
        tmp_path / "run",
        "--export",
        tmp_path / "m",
    ]
    done = CliRunner().invoke(app, [*map(str, words)])
    assert done.exit_code == 0, done.output
    assert done.stderr.count("is the same sound already. best.pt holds the latest weights instead of the best.") == 1
    assert read_spec(tmp_path / "m").scores == {}


def test_an_exported_model_is_not_called_like_one_of_the_package(data: Path, tmp_path: Path) -> None:
    """It is called like the recipe, or else like the run; and takes the place of an earlier one only when asked to."""
    words = ["train", "g2p", f"data.pairs={data / 'text-text.csv'}", *tiny("text-to-text"), "--out", tmp_path / "run2"]
    words += ["--export", tmp_path / "model"]
    command(*words)
    assert read_spec(tmp_path / "model").name == "run2"
    assert "use --overwrite." in CliRunner().invoke(app, [*map(str, words)]).stderr
    command(*words, "--overwrite")
    assert model_name("g2p", "speech", "digits") == "my-g2p"
    assert model_name("mine", "run") == "mine"


def test_a_recipe_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(
        UsageError,
        match=r"^There is no recipe 'speach'; did you mean speech.* are: conv-tasnet-2, conv-tasnet-wsj02mix, ",
    ):
        find_recipe("speach")


def levels(pair: Path) -> FilePairs:
    return read_recipe(RECIPES / "waveform-to-spectrogram.toml", [f"data.pairs={pair}"]).task.dev_data()


def test_a_stored_spectrogram_is_that_of_its_recording(data: Path) -> None:
    """Pairs of a recording and a spectrogram, stored or computed, are the same to what a file of float32 holds."""
    stored, computed = levels(data / "waveform-spectrogram.csv"), levels(data / "waveform-waveform.csv")
    for one, other in zip(stored, computed, strict=True):
        np.testing.assert_array_equal(one.source, other.source)
        np.testing.assert_allclose(one.target[:58], other.target[:58], atol=2e-2)  # 16 bits in the wav


def test_an_excerpt_is_the_same_place_of_both_sides(data: Path) -> None:
    task = read_recipe(
        RECIPES / "waveform-to-waveform.toml",
        [f"data.pairs={data / 'waveform-waveform.csv'}", "mixing.crop_seconds=0.256"],
    ).task
    crops, again = task.training_data(3, 1), task.training_data(3, 1)
    for position in range(20):  # also beyond the last of eight
        pair = crops[position]
        assert pair.source.shape == pair.target.shape == (4096,)
        assert (pair.source - pair.target).abs().mean() < 0.1  # the noise alone: the tones are in phase
        np.testing.assert_array_equal(pair.source, again[position].source)


def test_files_of_different_lengths_are_set_aside(data: Path, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "short.wav", tone(0, 0)[:4000], RATE)
    table = tmp_path / "pairs.csv"
    table.write_text(f"source,target,split\n{data / 'noisy0.wav'},short.wav,dev\n")
    with pytest.raises(UsageError, match=r"There is no pair of files\. 1 set aside.*differ in length"), pytest.warns():
        levels(table)


def test_a_split_that_is_not_there_is_named(data: Path) -> None:
    with pytest.raises(UsageError, match=r"has no pair of the split 'valid'; it has dev, test, train\.$"):
        find_pairs(data / "text-text.csv", "valid")


@pytest.mark.parametrize("samples", [1, 159, 160, 50_000, 400_001])
def test_levels_in_blocks_are_those_of_the_whole(samples: int) -> None:
    audio = np.random.default_rng(0).standard_normal(samples).astype(np.float32)
    pieces = (audio[first : first + 7001] for first in range(0, samples, 7001))
    np.testing.assert_allclose(
        np.concatenate(list(mel_blocks(pieces, MEL, RATE))), mel_levels(audio, MEL, RATE), atol=1e-5
    )


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_a_spectrogram_is_read_as_it_was_written(name: str, tmp_path: Path) -> None:
    levels = np.random.default_rng(0).uniform(-1, 1, (500, 80)).astype(np.float32)
    with spectrogram_writer(tmp_path / name, 80) as writer:
        for first in range(0, 500, 77):
            writer.write(levels[first : first + 77])
    np.testing.assert_array_equal(open_spectrogram(tmp_path / name, 80), levels)
    with pytest.raises(AudioError, match=r"holds float32 \(500, 80\); needed are .* shape \(frames, 64\)\.$"):
        open_spectrogram(tmp_path / name, 64)


@pytest.mark.parametrize("content", [b"", b"RIFF", b"PK\x03\x04"])
@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_other_files_are_no_spectrograms(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(AudioError, match=r"is no spectrogram of NumPy"):
        open_spectrogram(tmp_path / name, 80)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("g2p", "cat", "-o", "cat.wav"), "g2p writes a text, and cat.wav is none by its name; end it in .txt."),
        (("denoise", "x.wav"), "denoise writes a waveform; name a file by -o that ends in .wav."),
        (("speech", "x.wav"), "speech is no audio Transformer, but of the family band_split; choose another model."),
        (("denoise", "x.npy", "-o", "y.wav"), "denoise takes no spectrograms from files; name a recording."),
    ],
)
def test_what_a_model_does_not_do_is_refused(
    words: tuple[str, ...], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["run", *words])
    assert (done.exit_code, done.stderr) == (2, f"error: {told}\n")
    assert not list(tmp_path.iterdir())
