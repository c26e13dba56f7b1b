"""Who has which output when."""

import numpy as np
import pytest

from unbraid.tasks.conversation.pieces import Piece
from unbraid.tasks.conversation.timeline import MARGIN_FRAMES, NOBODY, timeline_of

PIECES = [Piece(0, 10, 20), Piece(0, 22, 30), Piece(1, 12, 18)]
LINE = timeline_of(PIECES, [0, 1, 2], 2, 50, 3)


def test_margins_belong_to_the_nearer_piece() -> None:
    first, second = LINE.owners
    assert (first[10 - MARGIN_FRAMES : 21] == 0).all() and (first[21 : 30 + MARGIN_FRAMES] == 1).all()
    assert first[10 - MARGIN_FRAMES - 1] == first[30 + MARGIN_FRAMES] == NOBODY
    assert (second[12 - MARGIN_FRAMES : 18 + MARGIN_FRAMES] == 2).all()


@pytest.mark.parametrize("cell", [10, 7.3])
def test_gates_fade_and_never_exceed_the_claim(cell: float) -> None:
    samples = round(50 * cell)
    gates, claim = LINE.gates(0, samples, cell), LINE.claim(0, samples, cell)
    assert gates.shape == (3, 2, samples)
    assert (gates.sum(0) <= claim + 1e-6).all() and claim.max() == pytest.approx(1)
    assert np.abs(np.diff(gates, axis=-1)).max() <= 1 / cell + 1e-6  # no clicks
    parts = [LINE.gates(start, min(13, samples - start), cell) for start in range(0, samples, 13)]
    np.testing.assert_allclose(np.concatenate(parts, -1), gates, atol=1e-6)


def test_a_muted_piece_is_nobodys() -> None:
    assert (timeline_of(PIECES, [0, 1, NOBODY], 2, 50, 2).owners[1] == NOBODY).all()


def test_a_short_gap_between_two_pieces_of_a_person_is_theirs() -> None:
    pieces = [Piece(0, 0, 10), Piece(0, 25, 40), Piece(0, 80, 90), Piece(1, 0, 10), Piece(1, 25, 40)]
    owners = timeline_of(pieces, [0, 0, 0, 1, 2], 2, 100, 3).owners
    assert (owners[0, :43] == 0).all() and (owners[0, 43:77] == NOBODY).all()
    assert (owners[1, 13:22] == NOBODY).all()
