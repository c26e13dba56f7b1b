"""A voice without noise through the separator: the output contract with a network of waveforms, and the strength."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import soundfile
from test_audio_to_audio import Aligned

import unbraid
from engine_fakes import noise, speech_spec, write_model
from side_fakes import CONVERTERS, side_spec
from unbraid.errors import UsageError
from unbraid.tasks.separation.options import Options
from unbraid.tasks.separation.separator import Separator

KIND = "waveform to waveform"
SPEC = dataclasses.replace(side_spec(CONVERTERS[KIND]), level="own")


@pytest.mark.parametrize(("rate", "channels", "samples"), [(8000, 1, 5), (8000, 2, 8001), (44100, 1, 30000)])
def test_rate_length_and_channels_stay_and_nothing_is_lost(rate: int, channels: int, samples: int) -> None:
    x = noise(channels, samples)
    stems = Separator.over(Aligned(KIND), SPEC, Options(bypass=False))(x, rate)
    assert list(stems) == ["speech", "residual"]
    assert stems["speech"].shape == x.shape
    np.testing.assert_allclose(stems["speech"] + stems["residual"], x, atol=1e-6)
    if rate == 8000:
        np.testing.assert_allclose(stems["speech"], x / 2, atol=1e-5)  # the level is the network's own


@pytest.mark.parametrize("strength", [0.0, 0.25, 1.0])
def test_of_less_strength_more_is_kept(strength: float) -> None:
    x = noise(1, 4000)
    stems = Separator.over(Aligned(KIND), SPEC, Options(strength=strength, bypass=False))(x, 8000)
    np.testing.assert_allclose(stems["speech"], x * (1 - strength / 2), atol=1e-5)
    np.testing.assert_allclose(stems["residual"], x * strength / 2, atol=1e-5)


@pytest.mark.parametrize(
    ("spec", "options", "message"),
    [
        (SPEC, Options(strength=1.5), "The strength is from 0 (nothing is taken away) to 1 (all of it), got 1.5."),
        (SPEC, Options(strength=float("nan")), "The strength is from 0 (nothing is taken away) to 1 (all of it), got "
         "nan."),
        (speech_spec(), Options(strength=0.5), "A strength goes with models of one voice, and not with raw; leave it "
         "out."),
        (SPEC, Options(strength=0.5, raw=True), "A strength goes with models of one voice, and not with raw; leave it "
         "out."),
        (SPEC, Options(wiener=1), "The Wiener filter is for music models; tiny-sides is a audio_transformer."),
        (SPEC, Options(window_seconds=0.0005, overlap_seconds=0), "Windows of 0.0005 s are too short; they must hold a "
         "kernel of the network, 0.001 s."),
    ],
)  # fmt: skip
def test_options_that_do_not_fit_are_refused(spec, options: Options, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        Separator.over(Aligned(KIND), spec, options)
    assert str(caught.value) == message


def test_one_call_from_a_file_or_an_array_to_the_voice(tmp_path: Path, speech_folder: Path) -> None:
    write_model(tmp_path / "tiny-sides", SPEC)
    x = noise(2, 4000)
    soundfile.write(tmp_path / "noisy.wav", x.T, 16000, subtype="FLOAT")
    voice = unbraid.enhance(x, tmp_path / "tiny-sides", sample_rate=16000)
    assert (voice.shape, voice.dtype) == (x.shape, np.float32)
    np.testing.assert_array_equal(unbraid.enhance(tmp_path / "noisy.wav", tmp_path / "tiny-sides"), voice)
    np.testing.assert_allclose(unbraid.enhance(x, tmp_path / "tiny-sides", sample_rate=16000, strength=0), x, atol=1e-6)
    with pytest.raises(UsageError) as caught:
        unbraid.enhance(x, tmp_path / "tiny-sides")
    assert str(caught.value) == "An array needs its sample rate: enhance(audio, sample_rate=44100)."
    with pytest.raises(UsageError) as caught:
        unbraid.enhance(x, speech_folder, sample_rate=8000)
    assert str(caught.value).startswith("tiny-speech has no stem 'speech', only voice1, voice2; ")
