"""A bad file among recordings to train on: it is set aside and named, and every item stays a function of its place."""

import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import soundfile

for needed in ("torch", "lightning"):
    pytest.importorskip(needed)
for neighbour in ("training", "training/data"):
    sys.path.insert(0, str(Path(__file__).parents[1] / neighbour))

import torch  # noqa: E402
from train_helpers import RECIPE, SONGS_RECIPE, load, recipe_of, same, silent, write_corpus, write_songs  # noqa: E402

from unbraid.corpora import find_mixtures  # noqa: E402
from unbraid.corpora.layouts import Wanted  # noqa: E402
from unbraid.corpora.mixtures import Clip, Mixture  # noqa: E402
from unbraid.corpora.set_aside import SetAside  # noqa: E402
from unbraid.corpora.songs import Song  # noqa: E402
from unbraid.corpora.transcripts import Utterance  # noqa: E402
from unbraid.errors import AudioError, UsageError  # noqa: E402
from unbraid.hub.spec import Mel  # noqa: E402
from unbraid.models.audio_transformer.config import WaveSide  # noqa: E402
from unbraid.training import train  # noqa: E402
from unbraid.training.data import DynamicMixtures, FixedMixtures, Mixing  # noqa: E402
from unbraid.training.data.augmentation import Perturbing  # noqa: E402
from unbraid.training.data.length_buckets import Bunched  # noqa: E402
from unbraid.training.data.remixing import Remixing  # noqa: E402
from unbraid.training.data.songs import SongCrops, SongPieces  # noqa: E402
from unbraid.training.data.spoken import Form, Script, SpokenTexts  # noqa: E402
from unbraid.training.data.utterances import Hearing, PerturbedUtterances, Utterances  # noqa: E402

RATE = 8000
TIME = np.arange(RATE) / RATE


def voice(number: int) -> np.ndarray:
    return 0.2 * np.sin(2 * np.pi * 110 * (number + 1) * TIME).astype(np.float32)


def no_audio(path: Path) -> None:
    path.write_bytes(b"this is no audio at all" * 40)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def no_samples(path: Path) -> None:
    soundfile.write(path, np.zeros(0), RATE, subtype="FLOAT", format="WAV")


def absent(path: Path) -> None:
    path.unlink()


def six_channels(path: Path) -> None:
    soundfile.write(path, np.stack([voice(k) for k in range(6)], 1), RATE, subtype="FLOAT", format="WAV")


def nan(path: Path) -> None:
    x = voice(0)
    x[:: len(x) // 8] = np.nan
    soundfile.write(path, x, RATE, subtype="FLOAT", format="WAV")


def no_sound(path: Path) -> None:
    soundfile.write(path, np.zeros(RATE), RATE, subtype="FLOAT", format="WAV")


def damaged(path: Path) -> None:
    random = np.random.default_rng(0)
    soundfile.write(path, random.normal(0, 0.1, RATE), RATE, format="FLAC", subtype="PCM_16")
    data = bytearray(path.read_bytes())
    data[len(data) // 3 : len(data) // 3 + 3000] = bytes(random.integers(0, 256, 3000, dtype=np.uint8))
    path.write_bytes(bytes(data))


BAD = (no_audio, empty, no_samples, absent, six_channels, nan, no_sound, damaged)
UNREADABLE = tuple(make for make in BAD if make is not no_sound)


def recordings(folder: Path, count: int, make=None, bad: int = 1) -> list[Path]:
    """So many recordings, of which one is bad."""
    paths = [folder / f"{k}.wav" for k in range(count)]
    for k, path in enumerate(paths):
        soundfile.write(path, voice(k), RATE, subtype="FLOAT")
    if make:
        make(paths[bad])
    return paths


def drawn(make_data, positions=range(24)) -> tuple[list, list[str]]:
    """Items of a data set, and the warnings about them."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        data = make_data()
        items = [data[position] for position in positions]
    assert all(issubclass(warning.category, SetAside) for warning in caught)
    return items, [str(warning.message) for warning in caught]


def check(make_data, name: str, positions=range(24)) -> None:
    """The bad one is named once, and items do not depend on what was drawn before."""
    items, told = drawn(make_data, positions)
    assert len(told) == 1 and name in told[0] and "It is set aside, and training goes on without it." in told[0], told
    later, _ = drawn(make_data, list(positions)[len(positions) // 2 :])
    for one, two in zip(items[len(positions) // 2 :], later, strict=True):
        for a, b in zip(one, two, strict=True) if isinstance(one, tuple) else [(one, two)]:
            assert torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b


@pytest.mark.parametrize("make", BAD)
def test_voices_to_mix(make, tmp_path: Path) -> None:
    paths = recordings(tmp_path, 6, make)
    speakers = {str(k): [Clip(paths[2 * k]), Clip(paths[2 * k + 1])] for k in range(3)}
    mixing = Mixing(crop_seconds=0.9, speed=(1.0, 1.0))
    check(lambda: DynamicMixtures(speakers, mixing, sources=2, sample_rate=RATE, seed=0), paths[1].name)


@pytest.mark.parametrize("make", BAD)
def test_noises(make, tmp_path: Path) -> None:
    paths = recordings(tmp_path, 4, make)
    speakers, noises = {"a": [Clip(paths[2])]}, [Clip(paths[0]), Clip(paths[1])]
    mixing = Mixing(crop_seconds=0.9, noise_probability=1.0)
    check(lambda: DynamicMixtures(speakers, mixing, sources=1, sample_rate=RATE, seed=0, noises=noises), paths[1].name)


@pytest.mark.parametrize("make", UNREADABLE)
def test_fixed_mixtures(make, tmp_path: Path) -> None:
    paths = recordings(tmp_path, 6, make)
    mixtures = [Mixture(str(k), (Clip(paths[2 * k]), Clip(paths[2 * k + 1]))) for k in range(3)]
    check(lambda: FixedMixtures(mixtures, sample_rate=RATE), paths[1].name, range(2))
    check(lambda: FixedMixtures(mixtures, sample_rate=RATE, crop_seconds=0.9), paths[1].name)


def test_fixed_mixtures_of_files_that_differ_in_length(tmp_path: Path) -> None:
    paths = recordings(tmp_path, 4)
    soundfile.write(paths[1], voice(1)[:-100], RATE)
    mixtures = [Mixture(f"mix{k}", (Clip(paths[2 * k]), Clip(paths[2 * k + 1]))) for k in range(2)]
    check(lambda: FixedMixtures(mixtures, sample_rate=RATE), "mix0", range(1))


def encode(text: str) -> list[int]:
    return [4 + int(word) for word in text.split()]


@pytest.mark.parametrize("make", BAD)
def test_utterances(make, tmp_path: Path) -> None:
    paths = recordings(tmp_path, 6, make)
    said = [Utterance(Clip(path), "ann", "1 2", path.name) for path in paths]
    hearing = Hearing(RATE, WaveSide((320,), (320,)))
    check(lambda: Utterances(said, hearing, encode), paths[1].name, range(5))
    check(lambda: PerturbedUtterances(said, hearing, encode, Perturbing(), bunch=2, seed=0), paths[1].name, range(40))


def test_an_utterance_that_is_too_short_for_its_text(tmp_path: Path) -> None:
    paths = recordings(tmp_path, 3)
    soundfile.write(paths[1], voice(1)[:500], RATE)
    said = [Utterance(Clip(path), "ann", "1 2 3", path.name) for path in paths]
    hearing = Hearing(RATE, WaveSide((320,), (320,)))
    _, told = drawn(lambda: Utterances(said, hearing, encode), range(2))
    assert "1.wav lasts 0.062 s, too short for its text of 3 symbols." in told[0]


@pytest.mark.parametrize("make", BAD)
def test_voices_to_speak_with(make, tmp_path: Path) -> None:
    scripts = [Script(Clip(path), (4, 5)) for path in recordings(tmp_path, 6, make)]
    form = Form(RATE, Mel(64, 40, 5), 3)
    check(lambda: SpokenTexts(scripts, form), "1.wav", range(5))
    check(lambda: Bunched(texts := SpokenTexts(scripts, form), texts.samples, bunch=2, seed=0), "1.wav", range(12))


@pytest.mark.parametrize("make", UNREADABLE)
def test_songs(make, tmp_path: Path) -> None:
    paths = recordings(tmp_path, 6, make)
    songs = [Song(f"song{k}", {"vocals": (Clip(paths[2 * k]),), "other": (Clip(paths[2 * k + 1]),)}) for k in range(3)]
    remixing = Remixing(crop_seconds=0.9, stretch_probability=0.0)
    stems = ("vocals", "other")
    check(lambda: SongCrops([songs], [1.0], stems, remixing, sample_rate=RATE, seed=0), "1.wav")
    check(lambda: SongPieces(songs, stems, sample_rate=RATE, seconds=5), "1.wav", range(2))


def test_a_silent_song_stops_nothing(tmp_path: Path) -> None:
    paths = recordings(tmp_path, 4, no_sound)
    songs = [Song(str(k), {"vocals": (Clip(paths[2 * k]),), "other": (Clip(paths[2 * k + 1]),)}) for k in range(2)]
    remixing = Remixing(crop_seconds=0.5, stretch_probability=0.0)
    data = SongCrops([songs], [1.0], ("vocals", "other"), remixing, sample_rate=RATE, seed=0)
    assert all(torch.isfinite(data[position]).all() for position in range(12))


# --- too little left


def told_by(make_data) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SetAside)
        with pytest.raises((AudioError, UsageError)) as caught:
            data = make_data()
            data[0]
    return str(caught.value)


@pytest.mark.parametrize("make", BAD)
def test_too_few_speakers(make, tmp_path: Path) -> None:
    paths = recordings(tmp_path, 2, make)
    speakers = {"a": [Clip(paths[0])], "b": [Clip(paths[1])]}
    message = told_by(lambda: DynamicMixtures(speakers, Mixing(), sources=2, sample_rate=RATE, seed=0))
    assert "1 set aside, the first because: " in message and "1.wav" in message


def test_nothing_left(tmp_path: Path) -> None:
    (path,) = recordings(tmp_path, 1, no_audio, bad=0)
    clip, hearing = Clip(path), Hearing(RATE, WaveSide((320,), (320,)))
    song, stems = Song("a", {"vocals": (clip,), "other": (clip,)}), ("vocals", "other")
    for make_data, begins in (
        (lambda: FixedMixtures([Mixture("a", (clip,))], sample_rate=RATE), "None of 1 mixtures can be read."),
        (lambda: Utterances([Utterance(clip, "a", "1", "a")], hearing, encode), "There is no speech to choose by."),
        (lambda: SpokenTexts([Script(clip, (4,))], Form(RATE, Mel(64, 40, 5), 3)), "There is no speech to learn from."),
        (lambda: SongCrops([[song]], [1.0], stems, Remixing(), sample_rate=RATE, seed=0), "No song has vocals."),
        (lambda: SongPieces([song], stems, sample_rate=RATE, seconds=5), "None of 1 songs can be read."),
    ):
        message = told_by(make_data)
        assert message.startswith(begins) and message.endswith("or convert it to wav or flac."), message


# --- whole runs


def test_mixtures_are_drawn_without_what_cannot_be_read(tmp_path: Path) -> None:
    write_corpus(tmp_path, seconds=1.2)
    no_audio(tmp_path / "speaker5" / "0.wav")
    (tmp_path / "dev_mix2.csv").unlink()
    with pytest.warns(SetAside, match=r"speaker5/0\.wav .*It is set aside, and is in no mixture\."):
        mixtures = find_mixtures(tmp_path, "dev", Wanted("manifest"))
    assert len(mixtures) == 200
    assert all(clip.path != tmp_path / "speaker5" / "0.wav" for mixture in mixtures for clip in mixture.sources)


@pytest.mark.filterwarnings("default::unbraid.corpora.set_aside.SetAside")
@pytest.mark.parametrize("make", [no_audio, nan])
@pytest.mark.parametrize("kind", ["voices", "songs"])
def test_a_run_that_is_taken_up_ends_with_the_same_weights(make, kind: str, tmp_path: Path) -> None:
    if kind == "voices":
        write_corpus(tmp_path / "corpus")
        bad, text = tmp_path / "corpus" / "speaker0" / "0.wav", RECIPE.replace('"corpus"', f'"{tmp_path / "corpus"}"')
    else:
        write_songs(tmp_path / "songs")
        bad = tmp_path / "songs" / "train" / "song1" / "drums.wav"
        text = SONGS_RECIPE.replace('"songs"]', f'"{tmp_path / "songs"}"]')
    make(bad)
    (tmp_path / "recipe.toml").write_text(text)
    whole = tmp_path / "whole"
    train(recipe_of(tmp_path / "recipe.toml"), whole, silent)

    train(recipe_of(tmp_path / "recipe.toml"), tmp_path / "again", silent)
    same(load(whole / "last.ckpt")["state_dict"], load(tmp_path / "again" / "last.ckpt")["state_dict"])
