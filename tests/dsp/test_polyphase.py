"""Live sample-rate conversion: tones below the cut-off stay where they are, tones above it die, bits do not depend on
how the stream is cut, and nothing grows."""

import numpy as np
import pytest

from unbraid.dsp.polyphase import Conversion, reach

RATES = [(48000, 8000), (44100, 8000), (8000, 44100), (16000, 8000), (8000, 48000), (11025, 8000), (8000, 4000)]


def converted(x: np.ndarray, rates: tuple[int, int], sizes: list[int] | None = None) -> np.ndarray:
    conversion, made, start = Conversion(x.shape[:-1], *rates), [], 0
    for size in sizes or [x.shape[-1]]:
        conversion.push(x[..., start : start + size])
        start += size
        made.append(conversion.take(conversion.ready))
    return np.concatenate(made, -1)


def tone(hertz: float, rate: int, seconds: float = 0.5) -> np.ndarray:
    return np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate).astype(np.float32)


@pytest.mark.parametrize("rates", RATES)
@pytest.mark.parametrize("share", [0.01, 0.2, 0.35])
def test_a_tone_below_the_cut_off_stays_where_it_is(rates: tuple[int, int], share: float) -> None:
    hertz = share * min(rates)
    made = converted(tone(hertz, rates[0])[None], rates)[0]
    inner = slice(reach(*rates[::-1]) + 20, None)  # away from the sudden start
    assert np.abs(made - tone(hertz, rates[1])[: len(made)])[inner].max() < 1e-3


@pytest.mark.parametrize("rates", [(48000, 8000), (44100, 8000), (16000, 8000)])
def test_a_tone_above_half_of_the_lower_rate_dies(rates: tuple[int, int]) -> None:
    made = converted(tone(0.56 * rates[1], rates[0])[None], rates)[0]
    assert np.abs(made[100:]).max() < 10 ** (-60 / 20)


@pytest.mark.parametrize("rates", RATES)
def test_constants_stay(rates: tuple[int, int]) -> None:
    made = converted(np.ones((1, 5000), np.float32), rates)[0]
    np.testing.assert_allclose(made[2 * reach(*rates[::-1]) :], 1, atol=1e-6)


@pytest.mark.parametrize("rates", [*RATES, (8000, 8000)])
def test_each_output_comes_as_soon_as_it_may_and_bits_stay(rates: tuple[int, int]) -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(2, 3000)).astype(np.float32)
    whole, single = converted(x, rates), converted(x, rates, [1] * 3000)
    np.testing.assert_array_equal(whole, single)
    known = 3000 - reach(*rates)
    assert whole.shape == (2, -(-known * rates[1] // rates[0]))
    assert (whole.shape[1] - 1) * rates[0] / rates[1] < known


def test_the_same_rate_changes_nothing() -> None:
    x = np.random.default_rng(1).normal(size=(3, 777)).astype(np.float32)
    np.testing.assert_array_equal(converted(x, (8000, 8000), [7] * 111), x)


def test_only_what_is_needed_is_kept() -> None:
    conversion = Conversion((1,), 48000, 8000)
    for _ in range(200):
        conversion.push(np.zeros((1, 480), np.float32))
        conversion.take(conversion.ready)
    assert conversion._held.shape[1] <= 2 * reach(48000, 8000) + 480
