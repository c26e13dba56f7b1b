"""The best path of lines, against a search of all paths, and against dynamic programming in plain Python."""

import itertools
import math

import numpy as np
import pytest

from unbraid.tasks.alignment import trellis
from unbraid.tasks.alignment.trellis import Steps, Trellis, align_lines, best_path, least_steps
from unbraid.tasks.decoding.ctc import align

A, B, SPACE = 4, 5, 6
Lines = list[list[list[int]]]


def log_probs(steps: int, seed: int, symbols: int = 7) -> np.ndarray:
    logits = np.random.default_rng(seed).normal(0, 2, (steps, symbols))
    return logits - np.logaddexp.reduce(logits, 1, keepdims=True)


def heard(lines: Lines, probs: np.ndarray, space: int | None = None) -> Steps:
    steps = Steps(lines, space)
    steps.add(probs)
    return steps


def labels_of(lines: Lines, kept: tuple[int, ...]) -> list[tuple]:
    """The states that a path goes through for these lines: stars by their number, symbols and gaps by their place."""
    states: list[tuple] = [("star", 0)]
    for number, line in enumerate(lines):
        places = [(w, s) for w, word in enumerate(line) for s in range(len(word))]
        inside: list[tuple] = []
        for i, (w, s) in enumerate(places):
            if i:
                inside.append(("gap" if places[i - 1][0] == w else "between", number, i))
            inside.append(("symbol", number, i, line[w][s]))
        states += [*(inside if number in kept else []), ("star", number + 1)]
    return states


def score(state: tuple, row: np.ndarray, space: int | None) -> float:
    quiet = row[0] if space is None else max(row[0], row[space])
    if state[0] == "star":
        return max(quiet - row.max(), -trellis.STAR_LOSS)
    if state[0] == "symbol":
        return row[state[3]] - row.max()
    return (row[0] if state[0] == "gap" else quiet) - row.max()


def plain(lines: Lines, probs: np.ndarray, loss: float, space: int | None = None) -> dict[tuple[int, ...], float]:
    """The score of the best path for each choice of lines, by dynamic programming over its states."""
    best = {}
    for kept in itertools.chain.from_iterable(
        itertools.combinations(range(len(lines)), n) for n in range(len(lines) + 1)
    ):
        states = labels_of(lines, kept)
        # stars of lines that are left out cost nothing to pass: neighbours are one
        states = [s for i, s in enumerate(states) if not (s[0] == "star" and i and states[i - 1][0] == "star")]
        scores = [-math.inf] * len(states)
        for n, row in enumerate(probs):
            before = scores
            scores = []
            for i, state in enumerate(states):
                if n == 0:
                    ways = [0.0 if i <= 1 else -math.inf]
                else:
                    ways = [before[i], before[i - 1] if i else -math.inf]
                    symbol = state[0] == "symbol" and i > 1 and states[i - 2][0] == "symbol"
                    if symbol and states[i - 2][3] != state[3] and follows(states[i - 2], state):
                        ways.append(before[i - 2])
                scores.append(max(ways) + score(state, row, space))
        end = max(scores[-1], scores[-2] if len(scores) > 1 else -math.inf)
        left_out = sum(len(word) for i, line in enumerate(lines) if i not in kept for word in line)
        best[kept] = end - loss * left_out
    return best


def follows(one: tuple, two: tuple) -> bool:
    """A star between two lines may be passed over only if no line between them is left out."""
    return two[1] - one[1] <= 1


def found(lines: Lines, probs: np.ndarray, loss: float, space: int | None = None) -> tuple[float, tuple[int, ...]]:
    steps = heard(lines, probs, space)
    made = Trellis.of(lines, steps.symbols, loss)
    path = best_path(steps.relative, made)
    total = float(steps.relative[np.arange(len(path)), made.columns[path]].sum())
    spans, _ = align_lines(steps, lines, loss)
    left_out = sum(len(word) for line, said in zip(lines, spans, strict=True) if said is None for word in line)
    return total - loss * left_out, tuple(i for i, said in enumerate(spans) if said is not None)


TEXTS: list[Lines] = [
    [[[A]]],
    [[[A, A]]],
    [[[A, B], [B]]],
    [[[A]], [[B]], [[A, B]]],
    [[[A, A], [B]], [[B, A]], [[A]]],
]


@pytest.mark.parametrize("lines", TEXTS)
@pytest.mark.parametrize("loss", [0.3, 1.5, 30.0])
@pytest.mark.parametrize("space", [None, SPACE])
def test_it_is_the_best_of_all_paths(lines: Lines, loss: float, space: int | None) -> None:
    for seed in range(12):
        probs = log_probs(9, seed)
        ours, theirs = found(lines, probs, loss, space), plain(lines, probs, loss, space)
        assert ours[0] == pytest.approx(max(theirs.values()), abs=1e-4)
        assert theirs[ours[1]] == pytest.approx(ours[0], abs=1e-4)


@pytest.mark.parametrize("lines", TEXTS[:4])
def test_it_is_the_best_of_every_path_tried_one_by_one(lines: Lines) -> None:
    """Without a choice of lines: every sequence of states of five steps, and the rules of CTC."""
    probs = log_probs(5, 3)
    steps = heard(lines, probs)
    made = Trellis.of(lines, steps.symbols, 1000.0)
    if least_steps(lines) > 5:
        pytest.fail("the text does not fit")
    best = -math.inf
    for path in itertools.product(range(len(made.columns)), repeat=5):
        moves = [b - a for a, b in itertools.pairwise(path)]
        allowed = path[0] <= 1 and path[-1] >= len(made.columns) - 2
        allowed = allowed and all(
            m in (0, 1) or (m == 2 and made.skips[b] == 0) for m, b in zip(moves, path[1:], strict=True)
        )
        if allowed:
            best = max(best, float(steps.relative[np.arange(5), made.columns[list(path)]].sum()))
    assert found(lines, probs, 1000.0)[0] == pytest.approx(best, abs=1e-4)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    random = np.random.default_rng(2)
    lines = [[[int(symbol) for symbol in random.integers(4, 30, 3)]] for _ in range(12)]
    steps = heard(lines, log_probs(200, 1, symbols=30))
    made = Trellis.of(lines, steps.symbols, 4.0)
    whole = best_path(steps.relative, made)
    monkeypatch.setattr(trellis, "round", lambda _: size, raising=False)
    assert len(set(whole.tolist())) > 40
    assert best_path(steps.relative, made).tolist() == whole.tolist()


def test_one_line_without_stars_to_spare_is_forced_alignment() -> None:
    """Where the likeliest text is the text, the symbols have the steps that `decoding.ctc.align` gives them."""
    text = [A, B, B, A]
    logits = np.full((40, 7), -4.0)
    logits[:, 0] = 2.0
    for symbol, step in zip(text, (5, 11, 20, 33), strict=True):
        logits[step : step + 2] = -4.0
        logits[step : step + 2, symbol] = 2.0
    probs = logits - np.logaddexp.reduce(logits, 1, keepdims=True)
    (line,), stars = align_lines(heard([[text]], probs), [[text]], 3.0)
    assert line is not None
    for ours, theirs in zip(line[0], align(probs, text), strict=True):
        assert (ours.symbol, ours.start, ours.end) == (theirs.symbol, theirs.start, theirs.end)
        assert ours.log_probability == pytest.approx(theirs.log_probability, abs=1e-6)
    assert stars.tolist() == [*range(5), *range(35, 40)]


def test_what_the_text_does_not_have_is_star() -> None:
    logits = np.full((30, 7), -6.0)
    logits[:, 0] = 4.0
    for step, symbol in {2: A, 8: B, 12: B, 16: A, 24: B}.items():
        logits[step] = -6.0
        logits[step, symbol] = 4.0
    probs = logits - np.logaddexp.reduce(logits, 1, keepdims=True)
    lines = [[[A]], [[A, A, A, A]], [[A, B]]]
    (first, second, third), stars = align_lines(heard(lines, probs), lines, 3.0)
    assert second is None
    assert first is not None
    assert [(span.start, span.end) for span in first[0]] == [(2, 3)]
    assert third is not None
    assert [(span.start, span.end) for span in third[0]] == [(16, 17), (24, 25)]
    assert {8, 12} <= set(stars.tolist())


def test_a_line_is_said_as_long_as_it_loses_less_than_the_threshold() -> None:
    probs = np.log(np.array([[0.5, 0, 0, 0, 0.02, 0.48, 0]] * 4) + 1e-12)  # A is 25 times less likely than a blank
    loss = math.log(25)
    assert found([[[A]]], probs, loss * 1.01)[1] == (0,)
    assert found([[[A]]], probs, loss * 0.99)[1] == ()


def test_the_space_may_be_said_or_not() -> None:
    """Between words a space costs no more than a blank, nor does it have to be there."""
    lines = [[[A], [B]]]
    for middle in (0, SPACE):
        probs = np.log(np.full((3, 7), 1e-4))
        for n, symbol in enumerate((A, middle, B)):
            probs[n, symbol] = 0.0
        assert found(lines, probs, 1.0, SPACE) == (pytest.approx(0.0), (0,))


def test_a_loss_of_gaps_keeps_a_line_together() -> None:
    """A symbol that is heard twice, less surely where the next one is near."""
    probs = np.full((300, 7), 1e-4)
    probs[:, 0] = 1.0
    probs[[10, 295], 0] = 1e-4
    probs[10, A], probs[290, A], probs[295, B] = 1.0, 0.2, 1.0
    for gap_loss, first in ((0.0, 10), (0.02, 290)):
        steps = Steps([[[A, B]]], gap_loss=gap_loss)
        steps.add(np.log(probs / probs.sum(1, keepdims=True)))
        (line,), _ = align_lines(steps, [[[A, B]]], 30.0)
        assert line is not None
        assert [span.start for span in line[0]] == [first, 295]


def test_the_fewest_steps() -> None:
    assert least_steps([[[A, A]], [[A, B]]]) == 6  # a gap between each two of the three As
    assert least_steps([[[A], [B]]]) == 2


def test_only_the_symbols_of_the_text_are_kept() -> None:
    steps = Steps([[[3000]]])
    for seed in range(3):
        steps.add(log_probs(50, seed, symbols=5000))
    assert steps.relative.shape == (150, 4)
    assert len(steps) == 150


def test_ten_thousand_steps_need_little_memory() -> None:
    """Moves at every state of every step would be 40 MB here, of an hour 18 GB."""
    import tracemalloc

    lines = [[[A, B], [A]]] * 660
    steps = Steps(lines)
    steps.add(log_probs(10_000, 5).astype(np.float32))
    made = Trellis.of(lines, steps.symbols, 1.0)
    relative = steps.relative
    tracemalloc.start()
    best_path(relative, made)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8e6
