"""`unbraid convert` and `unbraid.convert`: places, formats, bad input; and `unbraid transcribe` with a SpeechT5."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

import unbraid
from engine_fakes import write_model
from unbraid.dsp.framing import Mel
from unbraid.hub.folder import write_model_folder
from unbraid.hub.importers import read_checkpoint
from unbraid.hub.spec import ModelSpec
from unbraid.models.hifigan.config import HifiganConfig

OPTIONS = ("-m", "./conv", "--voice", "anna.npy", "--vocoder", "./voco")


@pytest.fixture
def here(tmp_path: Path, goldens: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a converter, its vocoder, a vector, a recogniser and a stereo recording of 2.3 s."""
    pytest.importorskip("onnx")
    monkeypatch.chdir(tmp_path)
    for kind, name in (("vc", "conv"), ("asr", "asr")):
        checkpoint = read_checkpoint(goldens / f"speecht5_{kind}", name)
        write_model_folder(tmp_path / name, checkpoint.spec, checkpoint.tensors)
    config = HifiganConfig(6, 4, (16, 16), (16, 16), (3,), (1,), padding="zeros", edge_frames=0)
    mel = Mel(1024, 256, 6, form="speecht5")
    write_model(tmp_path / "voco", ModelSpec("voco", "hifigan", 16000, 1, (), config, "MIT", "a test", mel=mel))
    np.save(tmp_path / "anna.npy", np.arange(5, dtype=np.float32)[None])
    time = np.arange(round(2.3 * 22050)) / 22050
    talk = np.random.default_rng(0).normal(0, 0.1, len(time)) * (np.sin(2 * np.pi * 3 * time) > 0)
    soundfile.write(tmp_path / "talk.wav", np.stack([talk, talk], axis=1), 22050)
    return tmp_path


def test_a_file_and_python_agree(here: Path, unbraid_command: Callable) -> None:
    outcome = unbraid_command("convert", "talk.wav", *OPTIONS, "-o", "out.wav", "--subtype", "32f")
    assert outcome.code == 0, outcome.err
    assert "talk.wav -> out.wav (2.3 s in" in outcome.out and "conv on cpu" in outcome.out
    samples, rate = soundfile.read(here / "out.wav", dtype="float32")
    talk, _ = soundfile.read(here / "talk.wav", dtype="float32")
    assert (rate, samples.shape) == (22050, talk.shape)
    speaker = np.arange(5, dtype=np.float32)
    audio = unbraid.convert("talk.wav", speaker, "./conv", vocoder="./voco")
    np.testing.assert_allclose(samples.T, audio, atol=1e-6)
    again = unbraid.convert(talk.T, "anna.npy", "./conv", vocoder="./voco", sample_rate=22050)
    np.testing.assert_allclose(again, audio, atol=1e-6)
    assert 0.01 < np.abs(audio).max() <= 1


def test_a_folder_of_recordings_and_json(here: Path, unbraid_command: Callable) -> None:
    (here / "in").mkdir()
    (here / "talk.wav").rename(here / "in" / "talk.wav")
    (here / "in" / "broken.wav").write_bytes(b"RIFF")
    outcome = unbraid_command("convert", "in", *OPTIONS, "-o", "out", "-f", "flac", "--json")
    assert outcome.code == 1
    found = json.loads(outcome.out)
    assert [(one["status"], one["output"]) for one in found["files"]] == [
        ("failed", None),
        ("done", "out/talk-voice.flac"),
    ]
    assert sorted(path.name for path in (here / "out").iterdir()) == ["talk-voice.flac"]


def test_an_excerpt_and_a_rate_that_the_format_lacks(here: Path, unbraid_command: Callable) -> None:
    outcome = unbraid_command("convert", "talk.wav", *OPTIONS, "-o", "out.opus")
    assert outcome.code == 1 and "opus cannot hold 22050 Hz" in outcome.err
    assert not (here / "out.opus").exists()
    outcome = unbraid_command(
        "convert", "talk.wav", *OPTIONS, "-o", "out.opus", "--resample", "--start", "0.3", "--duration", "1"
    )
    assert outcome.code == 0, outcome.err
    samples, rate = soundfile.read(here / "out.opus")
    assert rate == 24000 and abs(len(samples) - 24000) <= 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("talk.wav", *OPTIONS, "-o", "-"), "`unbraid convert` writes files; name one, or a folder, with -o."),
        (("talk.wav", "-m", "./asr", *OPTIONS[2:]),
         "The task of asr is transcription, not voice conversion; choose another of `unbraid models`."),
        (("talk.wav", *OPTIONS[:2], "--voice", "absent.wav"), "absent.wav is not there; name a recording of the"),
        (("talk.wav", "--voice", "anna.npy"),
         "microsoft/speecht5_vc is published, but not on this machine; get it with `unbraid models pull"),
        (("talk.wav", "talk.wav", *OPTIONS, "-o", "a.wav"), "a.wav is one file for 2 inputs; name a folder with -o."),
        (("talk.wav", *OPTIONS, "-o", "talk.wav", "--overwrite"), "would be written over the input talk.wav"),
        (("talk.wav", *OPTIONS, "-o", "conv.txt"), "conv.txt does not end like an audio file"),
        (("gone.wav", *OPTIONS), "gone.wav does not exist"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_before_any_work(
    words: tuple[str, ...], told: str, here: Path, unbraid_command: Callable
) -> None:
    before = (here / "talk.wav").read_bytes()
    outcome = unbraid_command("convert", *words)
    assert outcome.code != 0 and told in outcome.err
    assert (here / "talk.wav").read_bytes() == before
    assert not list(here.glob("*-voice.*"))


def test_transcribe_takes_a_speecht5(here: Path, unbraid_command: Callable) -> None:
    """Random weights write what they like: text of the right symbols, of the whole recording."""
    outcome = unbraid_command("transcribe", "talk.wav", "-m", "./asr", "--beams", "1", "--json")
    assert outcome.code == 0, outcome.err
    (found,) = json.loads(outcome.out)["files"]
    assert found["status"] == "done" and set(found["text"]) <= set("GMdgimnor. \n")
    outcome = unbraid_command("transcribe", "talk.wav", "-m", "./conv")
    assert "The task of conv is voice conversion, not transcription" in outcome.err
    outcome = unbraid_command("evaluate", "./conv", ".")
    assert "conv converts voices, and `unbraid evaluate` does not score that." in outcome.err
    outcome = unbraid_command("synthesize", "Go", "-m", "./conv", "--voice", "anna.npy", "-o", "o.wav")
    assert "conv is no SpeechT5 that speaks" in outcome.err


def test_the_cards_have_commands_that_work(here: Path) -> None:
    assert "unbraid convert talk.wav -m conv --voice somebody.wav" in (here / "conv" / "README.md").read_text("utf-8")
    assert "unbraid transcribe speech.wav -m asr" in (here / "asr" / "README.md").read_text("utf-8")
