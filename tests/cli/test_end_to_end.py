"""The whole command with a real, tiny network: nothing is stood in for."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from unbraid import audio
from unbraid.errors import ModelNotFound
from unbraid.hub import names as hub
from unbraid.tasks.separation import separator


@pytest.fixture(autouse=True)
def _real(monkeypatch):
    monkeypatch.setattr(sys.modules["unbraid.cli.separation"], "Separator", separator.Separator)


@pytest.mark.parametrize("fixture", ["speech_folder", "music_folder"])
def test_stems_add_up_to_the_recording(request, unbraid_command, tone, fixture):
    model = request.getfixturevalue(fixture)
    mixture = tone("a.flac", channels=2, rate=11025, seconds=1.3)
    outcome = unbraid_command("separate", "a.flac", "-m", model, "--subtype", "32f", "--json")
    assert outcome.code == 0, outcome.err
    stems = [audio.read(path) for path in sorted(Path("a").glob("*.wav"))]
    assert {rate for _, rate in stems} == {11025}
    left = mixture - sum(samples for samples, _ in stems)
    assert np.sqrt((left**2).mean() / (mixture**2).mean()) <= 1e-3


def test_a_run_leaves_nothing_in_the_temporary_folder(tone, speech_folder, tmp_path):
    """ONNX Runtime would file a number there by which it reports its use."""
    tone("a.wav")
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    environment |= {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "TMPDIR": str(tmp_path / "tmp")}
    subprocess.run(
        [sys.executable, "-m", "unbraid", "separate", "a.wav", "-m", speech_folder], env=environment, check=True
    )
    assert list((tmp_path / "tmp").iterdir()) == []


def test_options_that_do_not_fit_the_model_are_refused(unbraid_command, tone, speech_folder, tree):
    tone("a.wav")
    outcome = unbraid_command("separate", "a.wav", "-m", speech_folder, "--wiener")
    assert (outcome.code, tree()) == (2, ["a.wav"])
    outcome = unbraid_command("separate", "a.wav", "-m", speech_folder, "--device", "cuda")
    assert (outcome.code, tree()) == (2, ["a.wav"])


def test_the_default_model_needs_no_name(unbraid_command, tone, tree):
    try:
        hub.resolve("speech"), hub.resolve("voice")
    except ModelNotFound:
        pytest.skip("the packaged models are not built yet")
    tone("a.wav")
    assert unbraid_command("separate", "a.wav").code == 0
    assert tree() == ["a.wav", "a/.unbraid.json", "a/speaker1.wav", "a/speakers.rttm"]  # a tone is one voice at most
