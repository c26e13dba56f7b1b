"""Above 4 kHz: a sibilant goes to the voice that makes it, although somebody else's vowel is louder below."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from engine_fakes import noise, snr, speech_spec
from unbraid.dsp.cell_network import CENTRE, DILATIONS, cell_scores
from unbraid.dsp.mixture_consistency import share
from unbraid.dsp.voice_bands import above_crossover
from unbraid.tasks.separation.high_band import VOICES, _weights, shared_by_voice, voice_over_noise


def at_once(mixture: np.ndarray, stems: np.ndarray, rate: int) -> np.ndarray:
    return np.concatenate(list(shared_by_voice(iter([(mixture, stems)]), rate)), axis=-1)


def voices(rate: int, seconds: float = 3.0) -> tuple[np.ndarray, np.ndarray]:
    """A vowel, and a sibilant in the middle that is 20 dB softer up to 4 kHz: (2, 1, T) up to 4 kHz, and above it."""
    time = np.arange(round(rate * seconds)) / rate
    partials = np.arange(1, 30)[:, None]
    vowel = (0.1 * np.sin(2 * np.pi * 120 * partials * time) / partials).sum(0).astype(np.float32)
    spectrum = np.fft.rfft(np.random.default_rng(0).normal(0, 0.2, len(time)))
    hertz = np.fft.rfftfreq(len(time), 1 / rate)
    hiss = [
        np.fft.irfft(spectrum * band, len(time)) * np.exp(-0.5 * ((time - seconds / 2) / 0.06) ** 4)
        for band in ((hertz > 3000) & (hertz < 4000), (hertz > 4000) & (hertz < 8000))
    ]
    low = np.stack((vowel, hiss[0]))[:, None].astype(np.float32)
    high = np.stack((np.zeros_like(vowel), hiss[1]))[:, None].astype(np.float32)
    return low, high


@pytest.mark.parametrize("rate", [16000, 44100])
def test_a_sibilant_goes_to_its_voice(rate: int) -> None:
    low, high = voices(rate)
    mixture = (low + high).sum(0)
    by_power, by_voice = share(mixture, low, rate // 100), at_once(mixture, low, rate)

    def lost(found: np.ndarray) -> float:
        """The part of the sibilant that went to the vowel, in dB."""
        return float(10 * np.log10(np.square(found[0] - low[0]).sum() / np.square(high[1]).sum()))

    assert lost(by_power) > -6
    assert lost(by_voice) < -15
    np.testing.assert_allclose(by_voice.sum(0), mixture, atol=1e-6)


@pytest.mark.parametrize("rate", [8001, 11025, 16000, 44100, 48000])
@pytest.mark.parametrize("samples", [1, 100, 30_000])
def test_voices_add_up_and_silent_ones_stay_silent(rate: int, samples: int) -> None:
    mixture, stems = noise(2, samples), noise(3, 2 * samples).reshape(3, 2, samples) * 0.1
    stems[1] = 0
    found = at_once(mixture, stems, rate)
    assert found.dtype == np.float32
    assert not found[1].any()
    np.testing.assert_allclose(found.sum(0), mixture, atol=2e-6)


def test_silence_gets_all_or_nothing() -> None:
    mixture, stems = noise(1, 8000), np.zeros((2, 1, 8000), np.float32)
    np.testing.assert_allclose(at_once(mixture, stems, 16000), np.broadcast_to(mixture / 2, (2, 1, 8000)), atol=1e-6)
    (found,) = shared_by_voice(iter([(mixture, stems)]), 16000, to_silent=False)
    assert not found.any()


def test_a_faint_voice_gets_little() -> None:
    """The network may take a residue of somebody's vowel for a sibilant; 50 dB below, it is nobody."""
    low, high = voices(16000)
    low[1] *= 10 ** (-50 / 20)
    rest = at_once((low + high).sum(0), low, 16000) - low
    assert np.square(rest[1]).sum() < 0.3 * np.square(high).sum()


def test_a_stream_is_shared_as_the_whole_is() -> None:
    rate, samples = 16000, 60_000
    stems = np.stack((noise(1, samples), 0.2 * noise(2, samples)[1:]))
    stems[0, :, 20_000:40_000] *= 0.01
    mixture = stems.sum(0) + 0.3 * above_crossover(noise(3, samples)[2:], rate)
    edges = [0, 5, 4001, 20_000, 20_160, 59_999, samples]
    pairs = ((mixture[:, a:b], stems[..., a:b]) for a, b in pairwise(edges))
    found = np.concatenate(list(shared_by_voice(pairs, rate)), axis=-1)
    np.testing.assert_allclose(found, at_once(mixture, stems, rate), atol=1e-6)


def test_the_order_of_voices_does_not_matter() -> None:
    low, high = voices(16000)
    mixture = (low + high).sum(0)
    np.testing.assert_allclose(at_once(mixture, low[::-1], 16000)[::-1], at_once(mixture, low, 16000), atol=1e-6)


def hissing(rate: int, noise_db: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A voice with a sibilant up to 4 kHz and above, and white noise so far below it: each (1, T)."""
    low, high = voices(rate)
    hiss = noise(1, low.shape[-1])
    voice = (low + high).sum(0)
    return low.sum(0), voice, hiss * 10 ** (noise_db / 20) * np.sqrt(np.square(voice).mean() / np.square(hiss).mean())


def with_high_band(whole: np.ndarray, voice: np.ndarray, rate: int, *, rates: int = 8000) -> np.ndarray:
    spec = speech_spec(sample_rate=rates)
    return np.concatenate([*voice_over_noise(spec, iter([(whole, voice[None])]), rate)], -1)[0]


@pytest.mark.parametrize("rate", [16000, 44100])
def test_a_clean_voice_keeps_its_high_band(rate: int) -> None:
    low, voice, hiss = hissing(rate, -60)
    found = with_high_band(voice + hiss, low, rate)
    assert snr(voice, found) > snr(voice, low) + 10


@pytest.mark.parametrize("rate", [16000, 44100])
def test_steady_noise_stays_out_of_a_voice(rate: int) -> None:
    low, _, hiss = hissing(rate, 0)
    found = with_high_band(low + hiss, low, rate)
    assert np.square(found - low).sum() < 0.03 * np.square(above_crossover(hiss, rate)).sum()


def test_silence_has_no_high_band_and_other_rates_are_left_alone() -> None:
    _, _, hiss = hissing(16000, 0)
    assert not with_high_band(hiss, np.zeros_like(hiss), 16000).any()
    low, voice, _ = hissing(16000, 0)
    np.testing.assert_array_equal(with_high_band(voice, low, 8000), low)
    np.testing.assert_array_equal(with_high_band(voice, low, 16000, rates=16000), low)


def test_a_stream_gets_its_high_band_as_the_whole_does() -> None:
    low, voice, hiss = hissing(16000, -20)
    whole, spec = voice + hiss, speech_spec()
    edges = [0, 5, 4001, 20_000, 20_160, whole.shape[-1]]
    pairs = ((whole[:, a:b], low[None, :, a:b]) for a, b in pairwise(edges))
    found = np.concatenate([*voice_over_noise(spec, pairs, 16000)], -1)[0]
    np.testing.assert_allclose(found, with_high_band(whole, low, 16000), atol=1e-6)


def test_the_network_is_that_of_torch() -> None:
    weights = _weights(VOICES)
    features = np.random.default_rng(1).normal(-2, 1, (3, 1, 50, 24)).astype(np.float32)
    hidden = torch.tensor(features + CENTRE).flatten(0, 1).transpose(1, 2)
    for number, dilation in enumerate(DILATIONS):
        kernel, bias, slope = (torch.tensor(weights[f"{number}.{name}"]) for name in ("weight", "bias", "slope"))
        padding = dilation * (len(kernel) // 2)
        hidden = torch.conv1d(hidden, kernel.permute(2, 1, 0), bias, dilation=dilation, padding=padding)
        hidden = torch.nn.functional.prelu(hidden, slope)
    wanted = hidden.transpose(1, 2) @ torch.tensor(weights["output.weight"])
    np.testing.assert_allclose(cell_scores(features, weights)[:, 0], wanted.numpy(), atol=1e-4)
