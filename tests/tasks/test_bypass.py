"""Clean speech passes an enhancer as it is, noise in its pauses does not, and noisy speech is enhanced as ever."""

from itertools import pairwise

import numpy as np
import pytest

from engine_fakes import noise, snr, speech_fake, speech_spec
from unbraid.errors import UsageError
from unbraid.tasks.separation.bypass import spared
from unbraid.tasks.separation.options import Options
from unbraid.tasks.separation.separator import Separator

RATE = 8000


def speech(seconds: float = 8.0) -> tuple[np.ndarray, np.ndarray]:
    """A buzz in syllables of half a second with pauses of 0.3 s (1, T), and where it sounds."""
    time = np.arange(round(RATE * seconds)) / RATE
    sounds = (time % 0.8 < 0.5)[None]
    buzz = sum(np.sin(2 * np.pi * 130 * k * time) / k for k in range(1, 12))[None]
    return (0.1 * buzz * sounds).astype(np.float32), sounds


def at_once(whole: np.ndarray, voice: np.ndarray) -> np.ndarray:
    return np.concatenate([*spared(iter([(whole, voice[None])]), RATE)], -1)[0]


def heard(noise_db: float, damage_db: float = -15.0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Speech, where it sounds, a recording with noise, and the voice of an enhancer that damages it."""
    voice, sounds = speech()
    level = np.sqrt(np.square(voice).mean())
    hiss, damage = noise(2, voice.shape[-1])[:, None]
    whole = voice + level * 10 ** (noise_db / 20) * hiss / hiss.std()
    return voice, sounds, whole, voice + sounds * level * 10 ** (damage_db / 20) * damage / damage.std()


@pytest.mark.parametrize("noise_db", [-40.0, -60.0, -200.0])
def test_clean_speech_passes(noise_db: float) -> None:
    voice, sounds, whole, enhanced = heard(noise_db)
    found = at_once(whole, enhanced)
    assert snr(voice, enhanced) < 18
    assert snr(whole[sounds], found[sounds]) > 40


def test_noise_is_removed_from_pauses_all_the_same() -> None:
    _, sounds, whole, enhanced = heard(-40.0)
    found = at_once(whole, enhanced)
    middle = ~sounds & np.roll(~sounds, 1000, axis=-1) & np.roll(~sounds, -1000, axis=-1)  # 125 ms from the voice
    assert np.abs(whole[middle]).max() > 1e-4
    assert not found[middle].any()


@pytest.mark.parametrize("noise_db", [-10.0, 0.0, 10.0])
def test_noisy_speech_is_enhanced_as_ever(noise_db: float) -> None:
    _, _, whole, enhanced = heard(noise_db)
    np.testing.assert_allclose(at_once(whole, enhanced), enhanced, atol=1e-6)


def test_between_the_limits_some_of_the_recording_passes() -> None:
    levels = [
        snr(whole, at_once(whole, enhanced)) for _, _, whole, enhanced in map(heard, (-15.0, -20.0, -24.0, -30.0))
    ]
    assert levels == sorted(levels)
    assert levels[-1] > levels[0] + 6


def test_without_pauses_nothing_is_known_of_the_noise() -> None:
    whole, damage = noise(2, 4 * RATE)[:, None]
    enhanced = whole + 0.2 * damage
    np.testing.assert_array_equal(at_once(whole, enhanced), enhanced)


def test_silence_stays_silent() -> None:
    silence = np.zeros((2, 3 * RATE), np.float32)
    assert not at_once(silence, silence).any()
    assert not at_once(0.01 * noise(2, 3 * RATE), silence).any()


def test_a_stream_is_spared_as_the_whole_is() -> None:
    _, _, whole, enhanced = heard(-22.0)
    edges = [0, 7, 5000, 5080, 30_000, whole.shape[-1]]
    pairs = ((whole[:, a:b], enhanced[None, :, a:b]) for a, b in pairwise(edges))
    found = np.concatenate([*spared(pairs, RATE)], -1)[0]
    np.testing.assert_allclose(found, at_once(whole, enhanced), atol=1e-6)


def test_it_can_be_switched_off_for_models_of_one_voice() -> None:
    voice, _ = speech()
    fake = speech_fake(lambda wave: np.clip(wave, -0.1, 0.1)[:, None])
    with Separator.over(fake, speech_spec(1)) as on, Separator.over(fake, speech_spec(1), Options(bypass=False)) as off:
        spared_voice, processed = on(voice, RATE), off(voice, RATE)
    assert snr(voice, spared_voice["speech"]) > 40 > snr(voice, processed["speech"]) + 10
    for stems in (spared_voice, processed):
        np.testing.assert_allclose(stems["speech"] + stems["residual"], voice, atol=1e-6)
    with pytest.raises(UsageError, match="bypass=False goes with models of one voice, and not with raw; leave it out."):
        Separator.over(fake, speech_spec(2), Options(bypass=False))
