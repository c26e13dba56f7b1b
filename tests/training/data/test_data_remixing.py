"""What becomes of stems before they are mixed: speed, gain, tilt, channels, levels; all of it from the generator."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch")

from unbraid.training.data.remixing import (
    Playing,
    Remixing,
    at_peak,
    at_unit_power,
    draw_playing,
    played,
    remixed,
    rms,
    tilted,
)

RATE = 8000
PLAIN = Remixing(
    crop_seconds=0.5, gain_db=(0.0, 0.0), tilt_db_per_octave=(0.0, 0.0), swap_probability=0.0,
    leave_out_probability=0.0, level_db=(-6.0, -6.0), stretch_probability=0.0,
)  # fmt: skip


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return generator(seed).normal(0, 0.1, shape).astype(np.float32)


def tone(hertz: float, samples: int = 8000) -> np.ndarray:
    return np.stack([0.3 * np.sin(2 * np.pi * hertz * np.arange(samples) / RATE)] * 2).astype(np.float32)


def peak_db(stems: np.ndarray) -> float:
    return float(20 * np.log10(np.abs(stems.sum(0)).max()))


def db(ratio: float) -> float:
    return 20 * float(np.log10(ratio))


def test_plain_stems_change_their_level_together() -> None:
    stems = noise(3, 2, 4000)
    found = remixed(stems, PLAIN, RATE, generator())
    assert found.dtype == np.float32
    assert peak_db(found) == pytest.approx(-6, abs=1e-3)
    np.testing.assert_allclose(found / stems, (found / stems)[0, 0, 0], rtol=1e-5)


@given(st.integers(0, 1000), st.floats(1e-2, 30))
def test_peaks_of_mixtures_stay_in_their_range(seed: int, gain: float) -> None:
    """Whatever the level of the stems, and whatever else happens to them."""
    remixing = dataclasses.replace(Remixing(stretch_probability=0.0), level_db=(-20.0, -3.0))
    found = remixed(np.float32(gain) * noise(3, 2, 400), remixing, RATE, generator(seed))
    assert -20.001 <= peak_db(found) <= -2.999


def test_half_of_the_mixtures_are_in_the_upper_quarter_of_the_range() -> None:
    remixing = dataclasses.replace(PLAIN, level_db=(-40.0, 0.0))
    stems = noise(2, 2, 50)
    peaks = np.array([peak_db(remixed(stems, remixing, RATE, generator(seed))) for seed in range(1000)])
    assert 450 < np.sum(peaks > -10) < 550  # 500 ± 16
    assert peaks.min() < -38


def test_gains() -> None:
    remixing = dataclasses.replace(PLAIN, gain_db=(-9.0, 3.0))
    stems = np.repeat(noise(1, 2, 400), 2, axis=0)
    found = [remixed(stems, remixing, RATE, generator(seed)) for seed in range(200)]
    ratios = np.array([db(rms(a) / rms(b)) for a, b in found])
    assert np.abs(ratios).max() <= 12.001
    assert ratios.min() < -9
    assert ratios.max() > 9


@pytest.mark.parametrize("slope", [-2.0, 1.0])
def test_a_tilt_is_so_many_db_an_octave_around_1_khz(slope: float) -> None:
    for hertz in (125.0, 500.0, 1000.0, 2000.0):
        before, after = tone(hertz), tilted(tone(hertz), slope, RATE)
        assert after.shape == before.shape
        middle = slice(1000, -1000)
        assert db(rms(after[:, middle]) / rms(before[:, middle])) == pytest.approx(
            slope * np.log2(hertz / 1000), abs=0.02
        )
        gain = rms(after[:, middle]) / rms(before[:, middle])
        np.testing.assert_allclose(after[:, middle], gain * before[:, middle], atol=2e-3)  # not delayed


@given(st.integers(1, 3000))
def test_a_tilt_keeps_lengths_and_silence(samples: int) -> None:
    assert tilted(noise(2, samples), 1.0, RATE).shape == (2, samples)
    assert not tilted(np.zeros((2, samples), np.float32), 1.0, RATE).any()


def test_a_tilt_does_not_wrap_round() -> None:
    click = np.zeros((2, 8000), np.float32)
    click[:, 7990] = 1
    found = tilted(click, 3.0, RATE)
    assert np.sum(found[:, :4000] ** 2) < 1e-4 * np.sum(found**2)


def test_channels_are_swapped_now_and_then() -> None:
    stems = np.zeros((2, 2, 100), np.float32)
    stems[:, 0] = noise(2, 100)
    remixing = dataclasses.replace(PLAIN, swap_probability=0.25)
    count = 0
    for seed in range(500):
        for stem in remixed(stems, remixing, RATE, generator(seed)):
            left, right = stem.any(axis=1)
            assert left != right
            count += right
    assert 200 < count < 300  # 250 ± 14


def test_stems_are_left_out_now_and_then_but_never_all_that_sound() -> None:
    stems = noise(3, 2, 100)
    stems[2] = 0
    remixing = dataclasses.replace(PLAIN, leave_out_probability=0.5)
    there = np.array([remixed(stems, remixing, RATE, generator(seed)).any((1, 2)) for seed in range(1000)])
    assert not there[:, 2].any()
    assert there.any(1).all()
    both = there[:, :2].all(1).sum()
    assert 430 < both < 570  # both as drawn, or because neither was: 1/4 + 1/4
    always = dataclasses.replace(PLAIN, leave_out_probability=1.0)
    assert remixed(stems, always, RATE, generator())[:2].any((1, 2)).all()


@pytest.mark.parametrize("speed", [0.8, 1.0, 1.25])
def test_speed_changes_pitch_and_length_alone(speed: float) -> None:
    playing = Playing(speed=speed)
    needed = playing.samples(8000, RATE)
    found = played(tone(440, needed), playing, 8000, RATE)
    assert found.shape == (2, 8000)
    spectrum = np.abs(np.fft.rfft(found[0] * np.hanning(8000), 1 << 17))
    assert np.argmax(spectrum) * RATE / (1 << 17) == pytest.approx(440 * speed, abs=0.1)
    assert rms(found[:, -500:]) == pytest.approx(0.3 / np.sqrt(2), rel=0.05)  # enough was asked for
    short = played(tone(440, 4000), playing, 8000, RATE)
    assert not short[:, round(4000 / speed) + 2 :].any()
    assert short[:, : round(4000 / speed) - 2].any(axis=0).mean() > 0.99


def test_a_stretched_crop_is_full() -> None:
    pytest.importorskip("python_stretch", reason="python-stretch is not installed: pitch and tempo are not tested")
    for tempo in (0.88, 1.14):
        playing = Playing(semitones=-2.0, tempo=tempo)
        found = played(tone(440, playing.samples(8000, RATE)), playing, 8000, RATE)
        assert found.shape == (2, 8000)
        assert rms(found[:, -400:]) == pytest.approx(0.3 / np.sqrt(2), rel=0.1)


@given(st.integers(0, 10_000))
def test_what_is_drawn_is_in_range(seed: int) -> None:
    remixing = Remixing(stretch_probability=0.5, speed=(0.9, 1.1), vocals_speed=(0.7, 0.8))
    playing, vocals = draw_playing(remixing, generator(seed)), draw_playing(remixing, generator(seed), vocals=True)
    for found, (low, high) in ((playing, remixing.speed), (vocals, remixing.vocals_speed)):
        if found.speed != 1:
            assert low <= found.speed <= high
            assert found == Playing(speed=found.speed)
        else:
            assert -2 <= found.semitones <= 2
            assert 0.88 <= found.tempo <= 1.14


def test_how_often_crops_are_stretched() -> None:
    remixing = Remixing(stretch_probability=0.3)
    random = generator()
    assert 250 < sum(draw_playing(remixing, random).speed == 1 for _ in range(1000)) < 350  # 300 ± 15


def test_levels_and_silence() -> None:
    assert rms(at_unit_power(100 * noise(2, 500))) == pytest.approx(1, rel=1e-3)
    assert rms(at_unit_power(1e-6 * noise(2, 500))) < 1e-3
    silence = np.zeros((2, 2, 100), np.float32)
    assert not at_peak(silence, 0).any()
    assert not remixed(silence, Remixing(), RATE, generator()).any()
    assert rms(np.zeros((2, 0), np.float32)) == 0


def test_the_generator_decides_it_all_and_inputs_stay() -> None:
    stems, remixing = noise(3, 2, 400), Remixing()
    first, again, other = (remixed(stems, remixing, RATE, generator(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.01
    np.testing.assert_array_equal(stems, noise(3, 2, 400))


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"remix_probability": 1.5}, "remix_probability must be at most 1, got 1.5."),
        ({"leave_out_probability": -0.1}, "leave_out_probability must be at least 0, got -0.1."),
        ({"speed": (1.05, 0.95)}, "speed must be a low end and a high end, got 1.05, 0.95."),
        ({"vocals_speed": (0.1, 1.0)}, "vocals_speed must be at least 0.5, got 0.1."),
        ({"tempo": (1.0, 3.0)}, "tempo must be at most 2, got 3.0."),
        ({"pitch_semitones": (-13.0, 0.0)}, "pitch_semitones must be at least -12, got -13.0."),
        ({"tilt_db_per_octave": (0.0, 7.0)}, "tilt_db_per_octave must be at most 6, got 7.0."),
        ({"level_db": (-30.0, float("nan"))}, "level_db must be a finite number, got nan."),
        ({"gain_db": (-200.0, 0.0)}, "gain_db must be at least -100, got -200.0."),
        ({"crop_seconds": 0.0}, "crop_seconds must be above 0, got 0.0."),
    ],
)
def test_refusals(values: dict, error: str) -> None:
    with pytest.raises(ValueError) as caught:
        Remixing(**values)
    assert str(caught.value) == error
