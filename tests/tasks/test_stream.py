"""A track on its way through a model: passes, rates, what is paired with what, and what progress says."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine_fakes import noise, snr
from unbraid.audio import resample, resampled_length
from unbraid.errors import Cancelled
from unbraid.tasks.separation.stream import Feed, Track, resampled


def track(audio: np.ndarray, rate: int, block: int, known: bool = True) -> Track:
    def blocks() -> Iterator[np.ndarray]:
        return (audio[:, i : i + block] for i in range(0, audio.shape[1], block))

    return Track(rate, audio.shape[0], audio.shape[1] if known else None, blocks)


def twice(open_blocks: Callable[[], Iterator[np.ndarray]], passes: int = 1) -> Iterator[np.ndarray]:
    """A network with two stems that are both the mixture of the last pass."""
    for _ in range(passes - 1):
        for _ in open_blocks():
            pass
    return (np.stack((block, block)) for block in open_blocks())


rates = st.sampled_from([8000, 11025, 16000, 22050, 44100, 48000, 96000])


@given(rate=rates, model=rates, samples=st.integers(1, 3000), block=st.integers(1, 1500))
@settings(max_examples=60, deadline=None)
def test_stems_are_paired_with_the_input_sample_by_sample(rate: int, model: int, samples: int, block: int) -> None:
    x = noise(2, samples)
    feed = Feed(track(x, rate, block), model)
    pairs = list(feed.run(twice))
    whole = np.concatenate([whole for whole, _ in pairs], axis=-1)
    stems = np.concatenate([stems for _, stems in pairs], axis=-1)
    assert all(a.shape[-1] == b.shape[-1] > 0 for a, b in pairs)
    np.testing.assert_array_equal(whole, x)
    assert stems.shape == (2, 2, samples)
    if model == rate:
        np.testing.assert_array_equal(stems[0], x)


@given(rate=rates, model=rates, samples=st.integers(1, 3000), block=st.integers(1, 1500))
@settings(max_examples=40, deadline=None)
def test_at_the_models_rate(rate: int, model: int, samples: int, block: int) -> None:
    x = noise(1, samples)
    feed = Feed(track(x, rate, block), model, reference="model")
    stems = np.concatenate([stems for _, stems in feed.run(twice)], axis=-1)
    assert feed.output_rate == model
    assert stems.shape[-1] == resampled_length(samples, rate, model)
    np.testing.assert_allclose(stems[0], resample(x, rate, model), atol=1e-6)


@pytest.mark.parametrize(("rate", "model"), [(44100, 8000), (48000, 16000)])
def test_the_narrow_reference_is_the_input_without_what_lies_above_the_models_band(rate: int, model: int) -> None:
    t = np.arange(rate) / rate
    low, high = np.sin(2 * np.pi * 1000 * t), np.sin(2 * np.pi * 15000 * t)
    feed = Feed(track((low + high)[None].astype(np.float32), rate, 700), model, reference="narrow")
    pairs = list(feed.run(twice))
    whole = np.concatenate([whole for whole, _ in pairs], axis=-1)[0]
    assert len(whole) == rate
    middle = slice(2000, -2000)
    assert snr(low[middle], whole[middle]) > 90
    stems = np.concatenate([stems for _, stems in pairs], axis=-1)
    assert snr(whole[middle], stems[0, 0, middle]) > 90


def test_delay_is_compensated() -> None:
    """A click comes out where it went in."""
    x = np.zeros((1, 9000), np.float32)
    x[0, 4321] = 1
    feed = Feed(track(x, 44100, 1000), 16000)
    stems = np.concatenate([stems for _, stems in feed.run(twice)], axis=-1)
    assert abs(int(np.abs(stems[0, 0]).argmax()) - 4321) <= 1


def test_no_block_is_empty() -> None:
    x = noise(1, 100)
    sizes: list[int] = []

    def network(open_blocks: Callable[[], Iterator[np.ndarray]]) -> Iterator[np.ndarray]:
        for block in open_blocks():
            sizes.append(block.shape[1])
            yield block[None]

    list(Feed(track(x, 96000, 1), 8000).run(network))
    assert sum(sizes) == resampled_length(100, 96000, 8000)
    assert all(sizes)


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("passes", [1, 3])
def test_progress_only_grows_and_ends_at_the_total(passes: int, known: bool) -> None:
    told: list[tuple[float, float | None]] = []
    feed = Feed(track(noise(1, 8500), 8000, 1000, known), 8000, passes, progress=lambda *now: told.append(now))
    for _ in feed.run(partial(twice, passes=passes)):
        pass
    done = [now for now, _ in told]
    assert len(told) == 9 * passes
    assert all(b > a for a, b in pairwise(done))
    assert done[-1] == pytest.approx(8500 / 8000)
    assert {total for _, total in told} == {8500 / 8000 if known else None}


def test_only_the_last_pass_is_paired() -> None:
    x = noise(1, 500)
    feed = Feed(track(x, 8000, 100), 8000, passes=2)
    pairs = list(feed.run(partial(twice, passes=2)))
    np.testing.assert_array_equal(np.concatenate([whole for whole, _ in pairs], axis=1), x)


def test_what_progress_raises_gets_out() -> None:
    def stop(done: float, total: float | None) -> None:
        raise Cancelled("stopped")

    feed = Feed(track(noise(1, 500), 8000, 100), 8000, progress=stop)
    with pytest.raises(Cancelled, match="^stopped$"):
        list(feed.run(twice))


def test_what_is_kept_is_only_what_waits_for_an_answer() -> None:
    read = answered = most = 0

    def counted() -> Iterator[np.ndarray]:
        nonlocal read
        for block in np.split(noise(1, 100_000), 1000, axis=1):
            read += block.shape[1]
            yield block

    for whole, _ in Feed(Track(8000, 1, 100_000, counted), 8000).run(twice):
        most = max(most, read - answered)
        answered += whole.shape[1]
    assert answered == read
    assert most <= 200


def test_resampling_of_stems_keeps_their_axes() -> None:
    x = np.stack([noise(2, 1000, seed) for seed in range(3)])  # (S, C, T)
    blocks = (x[..., i : i + 130] for i in range(0, 1000, 130))
    found = np.concatenate(list(resampled(blocks, 8000, 16000)), axis=-1)
    for s in range(3):
        np.testing.assert_allclose(found[s], resample(x[s], 8000, 16000), atol=1e-6)
