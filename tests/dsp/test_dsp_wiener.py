"""The multichannel Wiener filter against its formulas, written as loops in float64."""

import numpy as np
import pytest

from engine_fakes import snr
from unbraid.dsp.wiener import Sums, estimate, mixture_scale

EPS = float(np.finfo(np.float32).eps)


def literal(magnitudes: np.ndarray, mixture: np.ndarray, iterations: int) -> np.ndarray:
    """Sources (S, C, N, F) of one mixture (C, N, F): norbert's equations, one bin at a time."""
    sources, _, frames, bins = magnitudes.shape
    x = mixture.astype(np.complex128)
    y = magnitudes / (EPS + magnitudes.sum(0)) * x
    if not iterations:
        return y
    scale = max(1.0, np.abs(x).max() / 10)
    x, y = x / scale, y / scale
    for _ in range(iterations):
        v = (np.abs(y) ** 2).mean(1)  # (S, N, F)
        r = np.zeros((sources, bins, 2, 2), complex)
        for j in range(sources):
            for f in range(bins):
                for n in range(frames):
                    r[j, f] += np.outer(y[j, :, n, f], y[j, :, n, f].conj())
                r[j, f] /= EPS + v[j, :, f].sum()
        for n in range(frames):
            for f in range(bins):
                c = sum(v[j, n, f] * r[j, f] for j in range(sources)) + np.sqrt(EPS) * np.eye(2)
                for j in range(sources):
                    y[j, :, n, f] = v[j, n, f] * r[j, f] @ np.linalg.inv(c) @ x[:, n, f]
    return y * scale


def streamed(magnitudes: np.ndarray, mixture: np.ndarray, iterations: int, segments: int) -> np.ndarray:
    """The same in passes over segments, as the front end runs it, for one item."""
    pieces = [
        (m[:, None].astype(np.float32), x[None].astype(np.complex64))
        for m, x in zip(np.array_split(magnitudes, segments, 2), np.array_split(mixture, segments, 1), strict=True)
    ]
    spatial, peak = [], 0.0
    for _ in range(iterations):
        sums = Sums()
        for m, x in pieces:
            sums.add(estimate(m, x, spatial, peak), x)
        peak = sums.peak
        spatial.append(sums.spatial())
    return np.concatenate([estimate(m, x, spatial, peak)[:, 0] for m, x in pieces], axis=2)


def scene(sources: int, level: float, frames: int = 9, bins: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Magnitudes that are not quite right, of sources that come from different directions."""
    random = np.random.default_rng(sources)
    shape = (sources, 1, frames, bins)
    dry = (random.normal(size=shape) + 1j * random.normal(size=shape)) * random.gamma(0.5, size=shape)
    direction = random.normal(size=(sources, 2, 1, 1)) + 1j * random.normal(size=(sources, 2, 1, 1))
    images = level * dry * direction
    return np.abs(images) * random.uniform(0.7, 1.3, images.shape), images.sum(0)


@pytest.mark.parametrize("iterations", [0, 1, 2])
@pytest.mark.parametrize(("sources", "level"), [(2, 1.0), (3, 0.05), (5, 300.0)])
def test_the_filter_is_the_literal_one(sources: int, level: float, iterations: int) -> None:
    magnitudes, mixture = scene(sources, level)
    expected = literal(magnitudes, mixture, iterations)
    for segments in (1, 3):
        found = streamed(magnitudes, mixture, iterations, segments)
        assert found.dtype == np.complex64
        assert snr(expected, found) > 70  # float32 determinants; the published code has them too


def test_segments_do_not_matter() -> None:
    magnitudes, mixture = scene(3, 1.0, frames=20)
    for segments in (2, 7, 20):
        assert snr(streamed(magnitudes, mixture, 2, 1), streamed(magnitudes, mixture, 2, segments)) > 100


def test_sources_of_different_directions_come_apart_better() -> None:
    """What the filter is for: with directions in play, it beats the masks it starts from."""
    random = np.random.default_rng(0)
    dry = random.normal(size=(2, 1, 200, 3)) + 1j * random.normal(size=(2, 1, 200, 3))
    images = dry * np.array([[1.0, 0.2], [0.2, 1.0]])[:, :, None, None]
    mixture = images.sum(0)
    masks, filtered = (streamed(np.abs(images), mixture, iterations, 1) for iterations in (0, 1))
    assert snr(images, filtered) > snr(images, masks) + 3


def test_items_of_a_batch_do_not_see_each_other() -> None:
    (m, x), (m2, x2) = scene(2, 1.0), scene(2, 1.0, frames=9)
    both = (np.stack((m, m2), 1).astype(np.float32), np.stack((x, x2)).astype(np.complex64))
    sums = Sums()
    sums.add(estimate(*both, [], 0.0), both[1])
    found = estimate(*both, [sums.spatial()], sums.peak)
    assert snr(streamed(m, x, 1, 1), found[:, 0]) > 100


def test_silence_stays_silent_and_finite() -> None:
    magnitudes, mixture = np.zeros((3, 2, 5, 4)), np.zeros((2, 5, 4))
    assert not streamed(magnitudes, mixture, 2, 2).any()


def test_one_silent_source_stays_silent() -> None:
    magnitudes, mixture = scene(3, 1.0)
    magnitudes[1] = 0
    found = streamed(magnitudes, mixture, 1, 2)
    assert np.isfinite(found).all()
    assert not found[1].any()


def test_the_scale_is_one_up_to_ten() -> None:
    assert [mixture_scale(peak) for peak in (0.0, 1.0, 10.0, 25.0)] == [1.0, 1.0, 1.0, 2.5]
