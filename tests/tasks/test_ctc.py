"""Connectionist temporal classification against its definition: all paths, one by one."""

import itertools
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unbraid.tasks.decoding.ctc import BLANK, align, beam_search, greedy, score
from unbraid.tasks.decoding.search import log_softmax

NOTHING = -np.inf


def random_steps(steps: int, symbols: int, seed: int) -> np.ndarray:
    return log_softmax(2 * np.random.default_rng(seed).normal(size=(steps, symbols)))


def text_of(path: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(symbol for symbol, _ in itertools.groupby(path) if symbol != BLANK)


def all_texts(log_probs: np.ndarray) -> dict[tuple[int, ...], list[tuple[float, tuple[int, ...]]]]:
    """Every text with its paths and their log probabilities."""
    texts = defaultdict(list)
    for path in itertools.product(range(log_probs.shape[1]), repeat=len(log_probs)):
        texts[text_of(path)].append((float(log_probs[np.arange(len(path)), path].sum()), path))
    return texts


sizes = st.tuples(st.integers(1, 5), st.integers(2, 4), st.integers(0, 2**32 - 1))


@given(sizes)
@settings(max_examples=30, deadline=None)
def test_texts_are_as_likely_as_all_their_paths(size) -> None:
    log_probs = random_steps(*size)
    texts = all_texts(log_probs)
    scores = {text: score(log_probs, text) for text in texts}
    for text, paths in texts.items():
        assert scores[text] == pytest.approx(np.logaddexp.reduce([log for log, _ in paths]), abs=1e-9)
    assert np.exp(list(scores.values())).sum() == pytest.approx(1)


@given(sizes)
@settings(max_examples=30, deadline=None)
def test_the_search_finds_the_likeliest_texts(size) -> None:
    log_probs = random_steps(*size)
    scores = {text: score(log_probs, text) for text in all_texts(log_probs)}
    found = beam_search(log_probs, beams=10_000)
    assert {beam.symbols for beam in found} == scores.keys()
    for beam in found:
        assert beam.log_probability == pytest.approx(scores[beam.symbols], abs=1e-9)
    assert [beam.log_probability for beam in found] == sorted((b.log_probability for b in found), reverse=True)
    few = beam_search(log_probs, beams=2)
    assert len(few) <= 2
    assert all(beam.log_probability <= scores[beam.symbols] + 1e-9 for beam in few)  # paths may be lost, never added


@given(sizes)
@settings(max_examples=30, deadline=None)
def test_symbols_are_where_the_likeliest_path_has_them(size) -> None:
    log_probs = random_steps(*size)
    for text, paths in all_texts(log_probs).items():
        log, path = max(paths)
        spans = align(log_probs, text)
        assert tuple(span.symbol for span in spans) == text
        ours = np.full(len(log_probs), BLANK)
        for span in spans:
            assert span.end > span.start
            ours[span.start : span.end] = span.symbol
            steps = log_probs[span.start : span.end, span.symbol]
            assert span.log_probability == pytest.approx(steps.mean())
        assert log_probs[np.arange(len(ours)), ours].sum() == pytest.approx(log), (ours, path)


def test_the_likeliest_path_is_read_greedily() -> None:
    said = [0, 3, 3, 0, 3, 2, 2, 0]
    log_probs = log_softmax(5 * np.eye(4)[said])
    spans = greedy(log_probs)
    assert [(span.symbol, span.start, span.end) for span in spans] == [(3, 1, 3), (3, 4, 5), (2, 5, 7)]
    assert spans == align(log_probs, [3, 3, 2])
    assert beam_search(log_probs, 3)[0].symbols == (3, 3, 2)


def test_many_paths_can_outweigh_the_likeliest_one() -> None:
    """Graves's example: the blank path is the likeliest one (0.36), but the symbol has more of them (0.64)."""
    log_probs = np.log([[0.6, 0.4], [0.6, 0.4]])
    assert greedy(log_probs) == []
    best, second = beam_search(log_probs, 2)
    assert (best.symbols, second.symbols) == ((1,), ())
    assert np.exp(best.log_probability) == pytest.approx(0.64)


def test_texts_that_do_not_fit_into_the_steps() -> None:
    log_probs = random_steps(3, 3, seed=1)
    assert score(log_probs, [1, 1]) > NOTHING
    assert score(log_probs, [1, 1, 2]) == NOTHING  # a blank is needed between the first two
    with pytest.raises(ValueError, match=r"^3 steps cannot say 3 symbols\.$"):
        align(log_probs, [1, 1, 2])


def test_no_steps_say_nothing() -> None:
    none = np.zeros((0, 4))
    assert greedy(none) == align(none, []) == []
    assert score(none, []) == 0
    assert score(none, [1]) == NOTHING
    assert [beam.symbols for beam in beam_search(none, 3)] == [()]


def test_long_texts_do_not_underflow() -> None:
    log_probs = random_steps(1200, 12, seed=2)
    text = [span.symbol for span in greedy(log_probs)]
    assert len(text) > 800
    assert NOTHING < sum(span.log_probability for span in align(log_probs, text)) < 0
    assert NOTHING < score(log_probs, text) < 0
