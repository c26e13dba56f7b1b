"""Pictures in constant memory: where a sound is in time and frequency, however it comes in and however long it is."""

import io

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unbraid.tasks.pages.lane import (
    MOST_COLUMNS,
    OVERLAP,
    ROWS,
    Columns,
    Lane,
    bands,
    decibels,
    hops_apart,
    row_weights,
    top_hz,
)
from unbraid.tasks.pages.picture import LEVELS, colour_map, picture

RATE = 16000


def seen(signal: np.ndarray, sizes: tuple[int, ...] = (5000,), rate: int = RATE) -> Lane:
    """A signal (C, T) shown in blocks of these sizes, over and over."""
    lane, at, turn = Lane(rate, *signal.shape), 0, 0
    while at < signal.shape[1]:
        size = sizes[turn % len(sizes)]
        lane.add(signal[:, at : at + size])
        at, turn = at + size, turn + 1
    lane.finish()
    return lane


def sine(hz: float, seconds: float, rate: int = RATE) -> np.ndarray:
    return np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)[None].astype(np.float32)


def frequency_of(row: int) -> float:
    edges = np.geomspace(40, top_hz(RATE), ROWS + 1)
    return float(np.sqrt(edges[row] * edges[row + 1]))


@pytest.mark.parametrize("hz", [100, 440, 1000, 6000])
def test_a_tone_is_in_the_row_of_its_frequency(hz):
    spectrum = seen(sine(hz, 2.0)).spectrogram().mean(1)
    assert frequency_of(int(spectrum.argmax())) == pytest.approx(hz, rel=0.12)
    assert decibels(spectrum.max()) - decibels(np.median(spectrum)) > 40


def test_a_click_is_in_the_column_of_its_time():
    click = np.zeros((1, 2 * RATE), np.float32)
    click[0, round(1.25 * RATE)] = 1
    lane = seen(click)
    for power in (lane.spectrogram().sum(0), lane.level()):
        column_seconds = 2.0 * lane.span / power.size
        assert abs((power.argmax() + 0.5) * column_seconds - 1.25) <= column_seconds


def test_level_is_the_mean_square_over_channels():
    stereo = np.concatenate((0.5 * sine(440, 1.0), 0 * sine(440, 1.0)))
    lane = seen(stereo)
    assert lane.power == pytest.approx(0.5**2 / 2 / 2, rel=1e-3)
    np.testing.assert_allclose(lane.level()[1:-2], 0.0625, rtol=0.05)


@given(st.lists(st.integers(1, 7000), min_size=1, max_size=5), st.integers(1, 20000))
@settings(max_examples=30, deadline=None)
def test_blocks_do_not_matter(sizes, samples):
    signal = np.random.default_rng(0).normal(0, 0.1, (2, samples)).astype(np.float32)
    whole, parts = seen(signal, (samples,)), seen(signal, tuple(sizes))
    np.testing.assert_allclose(parts.spectrogram(), whole.spectrogram(), rtol=1e-4, atol=1e-9)
    np.testing.assert_allclose(parts.level(), whole.level(), rtol=1e-4, atol=1e-9)
    assert (parts.span, parts.power) == pytest.approx((whole.span, whole.power))
    assert whole.span >= 1


def test_hours_fit_into_as_many_columns_as_minutes():
    columns = Columns(2)
    values = np.stack((np.arange(1000.0), np.ones(1000)), axis=1)
    for turn in range(500):
        columns.add(values + np.array([1000.0 * turn, 0.0]))
    means = columns.means()
    assert MOST_COLUMNS / 2 < means.shape[1] <= MOST_COLUMNS
    np.testing.assert_allclose(means[1], 1)
    assert (np.diff(means[0]) > 0).all()
    each = columns.span / means.shape[1]
    np.testing.assert_allclose(means[0, :-1], np.arange(means.shape[1] - 1) * each + (each - 1) / 2)


@pytest.mark.parametrize("rate", [50, 8000, 44100, 192000])
@pytest.mark.parametrize("samples", [1, 7, 3000])
def test_any_rate_and_length(rate, samples):
    lane = seen(np.full((1, samples), 0.5, np.float32), rate=rate)
    assert lane.spectrogram().shape[0] == ROWS
    assert np.isfinite(lane.spectrogram()).all()
    assert lane.power == pytest.approx(0.25)


def test_every_row_is_a_mean():
    np.testing.assert_allclose(row_weights(4096, 44100).sum(0), 1, rtol=1e-3)


def test_brighter_is_louder_and_silence_is_dark():
    table = colour_map()[:LEVELS, 1:].astype(float)
    assert (np.diff(table @ [0.2126, 0.7152, 0.0722]) > 0).all()
    power = np.zeros((ROWS, 30), np.float32)
    power[0] = 1.0  # the lowest frequency
    with av.open(io.BytesIO(picture(power, 0.0)), format="png_pipe") as file:
        image = next(file.decode(video=0)).to_ndarray(format="rgb24")
    assert image.shape == (ROWS, 30, 3)
    assert (image[-1] == table[-1]).all()  # at the bottom
    assert (image[:-1] == table[0]).all()


def test_spectra_of_long_signals_are_computed_less_often_and_still_see_every_sample():
    assert [hops_apart(n * MOST_COLUMNS) for n in (0, 0.5, 1.9, 2, 3.9, 4, 1000)] == [1, 1, 1, 2, 2, 4, 4]
    assert OVERLAP == 4  # so that frames touch


def test_a_click_late_in_a_long_signal_is_in_the_column_of_its_time():
    click = np.zeros((1, 300 * RATE), np.float32)
    click[0, round(251.3 * RATE)] = 1
    lane = seen(click, (65536,))
    power = lane.spectrogram().sum(0)
    column_seconds = 300.0 * lane.span / power.size
    assert abs((power.argmax() + 0.5) * column_seconds - 251.3) <= column_seconds


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 192000])
def test_bands_leave_out_only_zeros(rate: int) -> None:
    frame = 1024
    weights = row_weights(frame, rate)  # (F, R)
    parts = np.random.default_rng(0).random((3, frame + 2)).astype(np.float32)  # (n, 2 F)
    power = np.zeros((3, ROWS), np.float32)
    for band in bands(weights):
        power[:, band.rows] += parts[:, band.parts] @ band.weights
    np.testing.assert_allclose(power, (parts[:, ::2] + parts[:, 1::2]) @ weights, rtol=1e-5)
