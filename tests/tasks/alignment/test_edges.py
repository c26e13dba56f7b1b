"""Where the sound of a word begins and ends."""

from itertools import pairwise

import numpy as np
import pytest

from unbraid.tasks.alignment.edges import Levels, with_edges

RATE = 8000


def levels_of(*parts: tuple[float, float]) -> Levels:
    """Of tones, as seconds and amplitude, in blocks of an odd length."""
    audio = np.concatenate([a * np.sin(np.arange(round(s * RATE)) * 0.7) for s, a in parts]).astype(np.float32)[None]
    levels = Levels(RATE)
    blocks = [audio[:, i : i + 333] for i in range(0, audio.shape[1], 333)]
    assert all(a is b for a, b in zip(levels.over(iter(blocks)), blocks, strict=True))
    return levels


def test_levels_are_those_of_the_audio() -> None:
    levels = levels_of((0.5, 0.5), (0.5, 0.05))
    assert levels.seconds == pytest.approx(1.0)
    db = levels.db()
    assert len(db) == 100
    assert db[10] == pytest.approx(10 * np.log10(0.125), abs=0.3)
    assert db[60] - db[10] == pytest.approx(-20, abs=0.3)


def test_a_word_is_extended_to_its_sound() -> None:
    levels = levels_of((0.3, 0.001), (0.4, 0.5), (0.3, 0.001), (0.3, 0.5), (0.2, 0.001))
    words = [(0.5, 0.52), (1.1, 1.12)]
    assert with_edges(words, levels, starts=True) == [pytest.approx((0.3, 0.7)), pytest.approx((1.0, 1.3))]
    assert with_edges(words, levels, starts=False) == [pytest.approx((0.5, 0.7)), pytest.approx((1.1, 1.3))]


def test_words_without_a_pause_part_where_it_is_softest() -> None:
    levels = levels_of((0.2, 0.001), (0.3, 0.5), (0.02, 0.1), (0.3, 0.5), (0.2, 0.001))
    (first, second) = with_edges([(0.3, 0.32), (0.6, 0.62)], levels, starts=True)
    assert first[1] == second[0] == pytest.approx(0.5, abs=0.021)


def test_a_stop_inside_a_word_does_not_end_it() -> None:
    levels = levels_of((0.2, 0.001), (0.1, 0.5), (0.03, 0.001), (0.2, 0.5), (0.4, 0.001))
    assert with_edges([(0.22, 0.24)], levels, starts=True) == [pytest.approx((0.2, 0.53))]


def test_under_a_steady_sound_a_word_keeps_its_steps() -> None:
    """No edge can be told there, and half a second would be a guess."""
    levels = levels_of((3.0, 0.5))
    assert with_edges([(1.5, 1.52)], levels, starts=True) == [pytest.approx((1.5, 1.52))]


def test_a_word_above_a_softer_steady_sound_has_its_edges() -> None:
    levels = levels_of((1.0, 0.08), (0.4, 0.5), (1.0, 0.08))
    assert with_edges([(1.2, 1.22)], levels, starts=True) == [pytest.approx((1.0, 1.4))]


def test_words_keep_their_order_whatever_the_level() -> None:
    noise = np.random.default_rng(0)
    audio = noise.normal(0, 0.1, (1, 4 * RATE)).astype(np.float32) * np.repeat(noise.uniform(0, 1, 40), RATE // 10)
    levels = Levels(RATE)
    list(levels.over(iter([audio])))
    starts = np.sort(noise.uniform(0, 3.9, 30))
    words = [(float(a), float(min(a + 0.02, b))) for a, b in zip(starts, [*starts[1:], 4.0], strict=True)]
    for both in (True, False):
        timed = with_edges(words, levels, starts=both)
        assert all(0 <= start <= end <= 4.0 for start, end in timed)
        assert all(one[1] <= two[0] + 1e-9 for one, two in pairwise(timed))


def test_nothing_and_no_words() -> None:
    assert with_edges([], levels_of((0.1, 0.1)), starts=True) == []
    assert with_edges([(0.0, 0.1)], Levels(RATE), starts=True) == [(0.0, 0.1)]
