"""Activity of outputs, and the pieces that they are cut into."""

import numpy as np

from unbraid.dsp.stretches import stretches
from unbraid.tasks.conversation.activity import FLOOR_DB, SOFTEST_DB, Levels, active, active_over_time
from unbraid.tasks.conversation.pieces import LONGEST, Piece, Seam, cut


def test_levels_do_not_depend_on_blocks() -> None:
    stems = np.random.default_rng(0).normal(size=(3, 2, 2345)).astype(np.float32)
    whole, parts = Levels(1000), Levels(1000)
    whole.add(stems)
    for start in range(0, 2345, 97):
        parts.add(stems[..., start : start + 97])
    expected = np.square(stems[..., :2300]).mean(1).reshape(3, 23, 100).mean(-1)
    np.testing.assert_allclose(whole.finish()[:, :23], expected, rtol=1e-5)
    np.testing.assert_allclose(parts.finish(), whole.finish(), rtol=1e-5)
    assert whole.finish().shape == (3, 24)


def test_leaks_pauses_and_breaths_are_not_active() -> None:
    powers = np.array([[1, 1, 1, 1e-9, 0], [0.5, 0.1, 1, 0, 0]], np.float32)
    assert active(powers).tolist() == [[True, True, True, False, False], [True, False, True, False, False]]
    soft = np.array([[1.0] * 9 + [10 ** (-(FLOOR_DB + 1) / 10)]], np.float32)
    assert active(soft).tolist() == [[True] * 9 + [False]]
    assert not active(np.zeros((2, 5), np.float32)).any()
    assert active(np.zeros((2, 0), np.float32)).shape == (2, 0)


def test_two_who_talk_at_once_are_active_between_their_syllables() -> None:
    """Each has a loud frame where the other one is 15 dB softer; frame by frame, one of them seems to speak."""
    soft = 10**-1.5
    powers = np.array([[1, 1, soft] * 10, [soft, soft, 1] * 10], np.float32)
    assert not active(powers).all(0).any()
    assert active_over_time(powers)[:, 1:-1].all()
    leak = np.stack((powers[0], soft * powers[0]))  # the same syllables, softer throughout
    assert active_over_time(leak)[:, 1:-1].all(1).tolist() == [True, False]
    assert not active_over_time(leak)[1].any()


def test_silence_within_a_syllable_of_speech_is_not_active() -> None:
    powers = np.ones((1, 9), np.float32)
    powers[0, 4] = 10 ** (-(SOFTEST_DB + 1) / 10)
    assert active_over_time(powers)[0].tolist() == [True] * 4 + [False] + [True] * 4
    assert not active_over_time(np.zeros((2, 5), np.float32)).any()
    assert active_over_time(np.zeros((2, 0), np.float32)).shape == (2, 0)


def test_stretches() -> None:
    frames = np.array([1, 1, 0, 1, 0, 0, 1], bool)
    assert list(stretches(frames)) == [(0, 2), (3, 4), (6, 7)]
    assert list(stretches(frames, 2)) == [(0, 4), (6, 7)]
    assert list(stretches(np.zeros(4, bool))) == []


def test_pieces_end_at_pauses_and_at_seams_that_disagree() -> None:
    speaks = np.zeros((2, 40), bool)
    speaks[0, 2:20] = speaks[0, 25:30] = speaks[1, 5:15] = True
    powers = speaks.astype(np.float32)
    assert cut(speaks, powers) == [Piece(0, 2, 20), Piece(0, 25, 30), Piece(1, 5, 15)]
    seams = [Seam(800, (-3.0, 20.0)), Seam(1200, (20.0, 20.0))]
    assert cut(speaks, powers, seams, 100) == [Piece(0, 2, 8), Piece(0, 8, 20), Piece(0, 25, 30), Piece(1, 5, 15)]


def test_long_pieces_are_cut_where_they_are_softest() -> None:
    powers = np.ones((1, 100), np.float32)
    powers[0, [24, 48, 75]] = 0.5
    pieces = cut(np.ones((1, 100), bool), powers)
    assert [piece.start for piece in pieces] == [0, 24, 48, 75]
    assert max(piece.frames for piece in pieces) <= LONGEST
