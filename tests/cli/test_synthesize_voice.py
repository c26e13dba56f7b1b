"""`unbraid synthesize --voice`: SpeechT5 in the voice of a vector, and what is no such vector."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

import unbraid
from engine_fakes import write_model
from speaking_fakes import voice_spec
from unbraid.dsp.framing import Mel
from unbraid.errors import AudioError, UsageError
from unbraid.hub.folder import write_model_folder
from unbraid.hub.importers import read_checkpoint
from unbraid.hub.spec import ModelSpec, Windows
from unbraid.models.hifigan.config import HifiganConfig
from unbraid.models.xvector.config import XvectorConfig
from unbraid.tasks.conversation.embedder import SpeakerEmbedder
from unbraid.tasks.synthesis.speaker_vector import read_vector


@pytest.fixture
def here(tmp_path: Path, goldens: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a voice, its vocoder and a vector."""
    pytest.importorskip("onnx")
    monkeypatch.chdir(tmp_path)
    checkpoint = read_checkpoint(goldens / "speecht5_tts", "voice")
    write_model_folder(tmp_path / "voice", checkpoint.spec, checkpoint.tensors)
    config = HifiganConfig(6, 4, (16, 16), (16, 16), (3,), (1,), padding="zeros", edge_frames=0)
    mel = Mel(1024, 256, 6, form="speecht5")
    write_model(tmp_path / "voco", ModelSpec("voco", "hifigan", 16000, 1, (), config, "MIT", "a test", mel=mel))
    np.save(tmp_path / "anna.npy", np.arange(5, dtype=np.float32)[None])
    return tmp_path


def test_a_file_and_python_agree(here: Path, unbraid_command: Callable) -> None:
    outcome = unbraid_command(
        "synthesize", "Good morning.", "-m", "./voice", "--voice", "anna.npy", "--vocoder", "./voco", "-o", "a.wav"
    )
    assert outcome.code == 0, outcome.err
    assert "a.wav: 4.8 s at 16000 Hz" in outcome.out
    assert "voice found no end of 'Good morning.'" in outcome.err
    samples, rate = soundfile.read(here / "a.wav", dtype="float32")
    (here / "anna.json").write_text(json.dumps(list(range(5))))
    audio, same = unbraid.synthesize("Good morning.", "./voice", voice=here / "anna.json", vocoder="./voco")
    assert (rate, same, audio.shape) == (16000, 16000, (1, 300 * 256))
    np.testing.assert_allclose(samples, audio[0], atol=1e-4)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("b.wav", None, "b.wav is not there; name a recording of the speaker, or a .npy or .json file."),
        ("a.wav", b"", "The vector of the speaker of a.wav needs speechbrain/spkrec-xvect-voxceleb. "),
        ("a.json", b'{"a": 1}', "a.json holds no vector of a speaker: expected a list of numbers."),
        ("a.json", b"[1, 2]", "voice takes a vector of 5 numbers for its speaker, got float32 (2,)."),
        ("a.json", b"[0, 0, 0, 0, 0]", "The vector of the speaker holds NaN or infinity, or nothing but zeros; "
                                       "voice needs another."),
        ("a.npy", b"abc", "a.npy holds no vector of a speaker: "),
        ("b.npy", None, "b.npy cannot be read: No such file or directory."),
    ],
)  # fmt: skip
def test_what_is_no_vector_is_refused(
    name: str, content: bytes | None, told: str, here: Path, unbraid_command: Callable
) -> None:
    if content is not None:
        (here / name).write_bytes(content)
    outcome = unbraid_command(
        "synthesize", "Go", "-m", "./voice", "--voice", name, "--vocoder", "./voco", "-o", "o.wav"
    )
    assert outcome.code != 0 and told in outcome.err
    assert not (here / "o.wav").exists()


def test_a_recording_becomes_a_vector(here: Path) -> None:
    """The vector is that of the model of speaker embeddings."""
    config = XvectorConfig(24, (8, 7), (5, 3), (1, 2), 5)
    spec = ModelSpec(
        "tiny", "xvector", 16000, 1, (), config, "MIT", "a test", windows=Windows(30.0, 3.0), mel=Mel(400, 160, 24)
    )
    write_model(here / "tiny", spec)
    audio = np.random.default_rng(0).normal(0, 0.1, 24000).astype(np.float32)
    soundfile.write(here / "anna.wav", audio, 16000, subtype="FLOAT")
    found = read_vector(here / "anna.wav", here / "tiny")
    with SpeakerEmbedder(here / "tiny") as embedder:
        np.testing.assert_allclose(found, embedder(audio[None], 16000), atol=1e-6)
    (here / "soft.wav").touch()
    with pytest.raises(AudioError, match="soft.wav"):
        read_vector(here / "soft.wav", here / "tiny")
    with pytest.raises(UsageError, match="takes a vector of 5 numbers"):
        unbraid.synthesize("Go", "./voice", voice=np.ones(6), vocoder="./voco")


def test_models_and_voices_that_do_not_go_together(here: Path, unbraid_command: Callable) -> None:
    outcome = unbraid_command("synthesize", "Go", "-m", "./voice", "-o", "o.wav")
    assert outcome.code != 0
    assert "voice speaks in the voice of a vector; name one with --voice, in Python with `voice`." in outcome.err
    write_model(here / "own", voice_spec())
    outcome = unbraid_command("synthesize", "Go", "-m", "./own", "--voice", "anna.npy", "-o", "o.wav")
    assert "voice is no SpeechT5 that speaks, so that its voice cannot be chosen; leave the voice out" in outcome.err
    outcome = unbraid_command("synthesize", "Go €", "-m", "./voice", "--voice", "anna.npy", "--vocoder", "./voco")
    assert "voice cannot read €" in outcome.err
    outcome = unbraid_command("synthesize", "Go", "-m", "./voice", "--voice", "anna.npy", "-o", "o.wav")
    assert "microsoft/speecht5_hifigan" in outcome.err and "models pull" in outcome.err
