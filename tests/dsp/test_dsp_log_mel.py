"""The log-mel spectrograms of published speech synthesis."""

from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from unbraid.dsp.framing import Mel
from unbraid.dsp.log_mel import FORMS, log_mel

RATE = 16000


def test_speecht5s_is_that_of_transformers(goldens: Path) -> None:
    golden = safetensors.numpy.load_file(goldens / "speecht5_log_mel.safetensors")
    found = log_mel(golden["audio"], Mel(1024, 256, 80, form="speecht5"), RATE)
    np.testing.assert_allclose(found, golden["log_mel"], atol=1e-5)


@pytest.mark.parametrize(("form", "step"), [("speecht5", 1.0), ("hifigan", np.log(10))])
def test_ten_times_louder_is_one_power_of_ten_more(form: str, step: float) -> None:
    audio = np.random.default_rng(0).normal(0, 0.05, RATE).astype(np.float32)
    mel = Mel(1024, 256, 80, form=form)  # type: ignore[arg-type]
    soft, loud = (log_mel(gain * audio, mel, RATE) for gain in (1, 10))
    assert soft.shape == (63, 80) and soft.dtype == np.float32
    np.testing.assert_allclose(loud - soft, step, atol=1e-4)


@pytest.mark.parametrize("form", FORMS)
def test_silence_is_the_least_level(form: str) -> None:
    mel = Mel(1024, 256, 80, form=form)  # type: ignore[arg-type]
    assert (log_mel(np.zeros(4096, np.float32), mel, RATE) == np.float32(FORMS[form].log(FORMS[form].least))).all()


@pytest.mark.parametrize(("form", "hertz", "heard"), [("speecht5", 40, False), ("hifigan", 40, True)])
def test_the_range_of_the_bands(form: str, hertz: float, heard: bool) -> None:
    time = np.arange(RATE) / RATE
    mel = Mel(1024, 256, 80, form=form)  # type: ignore[arg-type]
    audio = np.sin(2 * np.pi * hertz * time).astype(np.float32)
    loudest = log_mel(audio, mel, RATE)[20:40].max() / np.log10(np.exp(1) if form == "hifigan" else 10)
    assert (loudest > 0) == heard
