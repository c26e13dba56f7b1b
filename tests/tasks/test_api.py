"""One call from a recording to its stems."""

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

import unbraid
from engine_fakes import noise
from unbraid.errors import AudioError, ModelNotFound, UsageError


def test_a_file_a_file_object_and_an_array_give_the_same(speech_folder: Path, tmp_path: Path) -> None:
    x = noise(2, 5000)
    soundfile.write(tmp_path / "mix.wav", x.T, 16000, subtype="FLOAT")
    expected = unbraid.separate(x, speech_folder, sample_rate=16000)
    assert list(expected) == ["voice1", "voice2"]
    np.testing.assert_allclose(sum(expected.values()), x, atol=1e-6)
    for source in (tmp_path / "mix.wav", str(tmp_path / "mix.wav"), io.BytesIO((tmp_path / "mix.wav").read_bytes())):
        found = unbraid.separate(source, speech_folder, device="cpu")
        for name, stem in expected.items():
            np.testing.assert_array_equal(found[name], stem)


def test_an_array_needs_its_rate_and_a_file_has_one(speech_folder: Path) -> None:
    with pytest.raises(UsageError) as caught:
        unbraid.separate(noise(1, 100), speech_folder)
    assert str(caught.value) == "An array needs its sample rate: separate(audio, sample_rate=44100)."
    with pytest.raises(UsageError) as caught:
        unbraid.separate("mix.wav", speech_folder, sample_rate=8000)
    assert str(caught.value) == "A file has its own sample rate; sample_rate goes with an array."


def test_what_is_not_there_is_told(speech_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(AudioError) as audio:
        unbraid.separate(tmp_path / "absent.wav", speech_folder)
    assert str(audio.value) == f"{tmp_path / 'absent.wav'} does not exist. Name an audio file that does."
    with pytest.raises(ModelNotFound):
        unbraid.separate("mix.wav", tmp_path / "no-model")
