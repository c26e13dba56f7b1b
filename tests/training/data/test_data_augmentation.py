"""Speech altered at random: what each alteration does, and words cut and joined."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unbraid.training.data.augmentation import (
    Perturbing,
    coloured_noise,
    cut_at_pauses,
    equalised,
    gated,
    joined,
    masked,
    milder,
    perturbed,
    silence,
)

RATE = 8000
PLAIN = Perturbing(
    speed=(1.0, 1.0), equalise_db=0.0, noise_probability=0.0, gate_probability=0.0, level_db=(-20.0, -20.0),
    lead_seconds=0.0, joined_probability=0.0, silence_probability=0.0, band_masks=0, time_masks=0,
    pause_seconds=(0.1, 0.1),
)  # fmt: skip


def tone(hertz: float = 500.0, seconds: float = 0.5) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


def rms_db(audio: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(audio.astype(np.float64) ** 2)))


def generator() -> np.random.Generator:
    return np.random.default_rng(0)


def test_without_alterations_only_the_level_is_another() -> None:
    found = perturbed(tone(), PLAIN, RATE, generator())
    assert rms_db(found) == pytest.approx(-20, abs=0.01)
    assert found / found.max() == pytest.approx(tone() / tone().max(), abs=1e-3)


def test_faster_is_shorter_and_higher() -> None:
    found = perturbed(tone(), replace(PLAIN, speed=(1.25, 1.25)), RATE, generator())
    assert len(found) == pytest.approx(len(tone()) / 1.25, abs=2)
    assert np.abs(np.fft.rfft(found)).argmax() * RATE / len(found) == pytest.approx(625, abs=5)


def test_silence_stands_beside_speech_unless_it_is_cut_off_abruptly() -> None:
    values = replace(PLAIN, lead_seconds=0.4)
    random = generator()
    some = np.array([len(perturbed(tone(), values, RATE, random)) for _ in range(50)]) / RATE - 0.5
    assert 0 < some.min() < some.max() < 0.8 and some.mean() == pytest.approx(0.4, abs=0.1)
    assert len(perturbed(tone(), replace(values, abrupt_probability=1.0), RATE, generator())) == len(tone())


def test_noise_is_as_far_below_as_it_should_be() -> None:
    found = perturbed(tone(), replace(PLAIN, noise_probability=1.0, snr_db=(10.0, 10.0)), RATE, generator())
    speech = tone() * (found @ tone()) / (tone() @ tone())
    assert rms_db(speech) - rms_db(found - speech) == pytest.approx(10, abs=1)


def test_a_gate_cuts_what_is_softer_off_and_closes_a_moment_later() -> None:
    moments = [0.1] * 3 + [1.0] * 3 + [0.1] * 4
    speech = np.repeat(np.array(moments, np.float32), RATE // 100)
    np.testing.assert_array_equal(gated(speech, -30, RATE), speech)
    heard = gated(speech[:-7], -10, RATE).tolist()
    assert heard[:: RATE // 100] == pytest.approx([0, 0, 0, 1, 1, 1, 0.1, 0.1, 0, 0])
    assert len(heard) == len(speech) - 7
    assert len(gated(speech[:0], -10, RATE)) == 0
    assert perturbed(speech, replace(PLAIN, gate_probability=1.0, gate_db=(-10.0, -10.0)), RATE, generator())[0] == 0


def test_a_filter_that_does_not_wander_does_nothing() -> None:
    assert equalised(tone(), 0.0, generator()) == pytest.approx(tone(), abs=1e-5)
    other = equalised(tone(), 6.0, generator())
    assert other.shape == tone().shape
    assert other.dtype == np.float32
    assert np.abs(other - tone()).max() > 0.01


def test_silence_is_noise_or_nothing() -> None:
    assert not silence(800, PLAIN, generator()).any()
    found = silence(800, replace(PLAIN, noise_probability=1.0), generator())
    assert -80 <= rms_db(found) <= -30
    assert coloured_noise(801, generator()).shape == (801,)


@given(st.integers(0, 40), st.integers(1, 20), st.integers(0, 9))
@settings(max_examples=30)
def test_masks_hide_no_more_than_they_may(frames: int, bands: int, seed: int) -> None:
    levels = np.random.default_rng(seed).uniform(-1, 1, (frames, bands)).astype(np.float32)
    values = replace(PLAIN, band_masks=1, band_share=0.2, time_masks=1, time_seconds=0.05)
    found = masked(levels, values, 0.01, np.random.default_rng(seed))
    changed = found != levels
    assert (changed.all(0)).sum() <= max(round(0.2 * bands), 0) or changed.all(1).sum() == frames
    assert changed.all(1).sum() <= 5 or changed.all(0).sum() == bands
    assert masked(levels, PLAIN, 0.01, generator()) is not levels
    assert (masked(levels, PLAIN, 0.01, generator()) == levels).all()


def test_milder_goes_from_nothing_to_all() -> None:
    values = Perturbing()
    assert milder(values, 1.0) == values
    none = milder(values, 0.0)
    assert (none.speed, none.level_db, none.joined_words) == ((1.0, 1.0), (-26.0, -26.0), 1)
    assert (none.equalise_db, none.noise_probability, none.band_masks, none.time_masks) == (0, 0, 0, 0)
    half = milder(values, 0.5)
    assert half.level_db == (-33.0, -19.0)
    assert half.equalise_db == values.equalise_db / 2


def test_words_are_cut_where_nobody_speaks() -> None:
    words = [tone(300, 0.3), tone(700, 0.4), tone(500, 0.25)]
    speech = joined(words, PLAIN, RATE, generator())
    assert len(speech) == sum(map(len, words)) + 2 * 800
    pieces = [speech[piece] for piece in cut_at_pauses(speech, 3, RATE)]
    assert [len(piece) for piece in pieces] == pytest.approx([len(word) for word in words], abs=200)
    for piece, hertz in zip(pieces, (300, 700, 500), strict=True):
        assert np.abs(np.fft.rfft(piece)).argmax() * RATE / len(piece) == pytest.approx(hertz, abs=5)
    assert cut_at_pauses(speech, 4, RATE) == []
    assert cut_at_pauses(np.zeros(800, np.float32), 2, RATE) == []
    assert cut_at_pauses(np.zeros(3, np.float32), 1, RATE) == []


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"speed": (0.3, 1.0)}, "speed must be at least 0.5, got 0.3."),
        ({"noise_probability": 1.5}, "noise_probability must be at most 1, got 1.5."),
        ({"snr_db": (3.0, 1.0)}, "snr_db must be a low end and a high end, got 3.0, 1.0."),
        ({"band_masks": -1}, "band_masks must be at least 0, got -1."),
    ],
)
def test_what_makes_no_sense_is_refused(values: dict, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        replace(PLAIN, **values)
    assert str(caught.value) == message
