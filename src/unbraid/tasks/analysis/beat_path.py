"""The likeliest beats and bars: a bar pointer that steps from beat to beat, by the Viterbi algorithm.

After Krebs, Böck & Widmer, "Rhythmic pattern modeling for beat and downbeat tracking in musical audio" (ISMIR 2013). A
state is a beat at a frame, with the time to the next beat and its place in a bar of four or three. Since nothing
changes between two beats, a step is a whole beat, and each beat is scored at once, by the evidence at its start, its
half, its quarters and its thirds. The tempo may change a little at each beat, and at a price to any other. Long
recordings are decoded in passages of two minutes that continue one another, so that memory does not grow.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from unbraid.dsp.arrays import FloatArray

PERIODS = np.arange(24, 111)  # frames of 10 ms from beat to beat: 250 to 54.5 a minute
METRES = (4, 3)
PLACES = 7  # in a bar: 0 to 3 of four, 4 to 6 of three
PARTS = ((0, 0.0), (1, 0.5), (2, 0.25), (2, 0.75), (3, 1 / 3), (3, 2 / 3))  # kind of evidence, place between beats
KINDS = 4
SPAN_FRAMES = 1000  # over which a mean of scores is a log probability
BEFORE = np.array([3, 0, 1, 2, 6, 4, 5])  # the place before each place

_PASSAGE, _COMMITTED = 12000, 9000  # frames
_CHANGE = 5.0  # price of a change of tempo, times its log ratio
_JUMP = 12.0  # price of any other tempo, and any other place in the bar
_NEVER = -1e9
_STEPS = (0, 1, -1, 2, -2)  # of the period, from beat to beat
_OTHER = len(_STEPS)  # a jump


class Weights(NamedTuple):
    """How evidence speaks for beats."""

    places: FloatArray  # (PLACES, KINDS, D)
    tempo: FloatArray  # (2,) of log(period / 50 frames) and its square
    three: float  # of bars of three


class Beat(NamedTuple):
    """A beat of a path."""

    frame: int
    period: int  # index into PERIODS, to the next beat
    place: int  # 0 to 3 in bars of four, 4 to 6 in bars of three


def best_path(evidence: FloatArray, weights: Weights) -> tuple[list[Beat], float]:
    """The beats of evidence (N, D), and their mean score, a log probability for ten seconds."""
    points = np.einsum("nd,pkd->npk", evidence, weights.places)  # (N, PLACES, KINDS)
    logs = np.log(PERIODS / 50)
    prior = (weights.tempo[0] * logs + weights.tempo[1] * logs**2)[:, None]  # (K, 1)
    prior = prior + np.where(np.arange(PLACES) < METRES[0], 0.0, weights.three)  # (K, PLACES)
    beats: list[Beat] = []
    first, score = 0, 0.0
    while True:
        passage = points[first : first + _PASSAGE]
        found, value = _decoded(passage, prior, beats.pop() if beats else None)
        beats += [beat._replace(frame=beat.frame + first) for beat in found]
        is_last = first + _PASSAGE >= len(points)
        score += value if is_last else value * _COMMITTED / _PASSAGE
        if is_last or not found:
            return beats, score / max(1.0, len(points) / SPAN_FRAMES)
        beats = [beat for beat in beats if beat.frame <= first + _COMMITTED]
        first = beats[-1].frame


def _decoded(points: FloatArray, prior: FloatArray, begun: Beat | None) -> tuple[list[Beat], float]:
    """The best beats of a passage (N, PLACES, KINDS), of which the first may be known, and the score of the path."""
    frames, periods = len(points), len(PERIODS)
    padded = np.pad(points, ((0, int(PERIODS[-1])), (0, 0), (0, 0)))
    offsets = [(kind, np.round(PERIODS * place).astype(int)) for kind, place in PARTS]
    shares = (PERIODS / SPAN_FRAMES)[:, None]
    values = np.full((frames, periods, PLACES), _NEVER, np.float32)  # leaving a beat at a frame
    choices = np.zeros((frames, periods, PLACES), np.uint8)
    jumps = np.zeros((frames, 2), np.uint8)  # period and place as the best path arrives
    rows = np.arange(periods)
    for now in range(frames):
        arriving = _arriving(values, now, rows, free=begun is None)
        if begun is not None and now == 0:
            arriving[begun.period, begun.place] = 0
        chosen, choices[now], jumps[now] = _changed(arriving)
        if chosen.max() > _NEVER / 2:
            seen = prior.copy()
            for kind, offset in offsets:
                seen += padded[now + offset, :, kind]
            values[now] = chosen + seen * shares
    return _traced(values, choices, jumps)


def _arriving(values: FloatArray, now: int, rows: npt.NDArray[np.int_], *, free: bool) -> FloatArray:
    """The values (K, PLACES) of beats at a frame, by the period before them."""
    before = now - PERIODS
    arriving = values[np.maximum(before, 0), rows][:, BEFORE]
    arriving[before < 0] = 0.0 if free else _NEVER  # the first beat of all
    return arriving


_PRICES = {
    step: _CHANGE * np.abs(np.log(PERIODS[abs(step) :] / PERIODS[: len(PERIODS) - abs(step)])).astype(np.float32)
    for step in _STEPS
    if step
}


def _changed(arriving: FloatArray) -> tuple[FloatArray, npt.NDArray[np.uint8], tuple[int, int]]:
    """Values after the best change of tempo, which it was, and the state that any other tempo is reached from."""
    best, choice = arriving.copy(), np.zeros(arriving.shape, np.uint8)
    for code, step in enumerate(_STEPS):
        if step == 0:
            continue
        to = slice(step, None) if step > 0 else slice(None, step)
        source = slice(None, -step) if step > 0 else slice(-step, None)
        moved = arriving[source] - _PRICES[step][:, None]
        better = moved > best[to]
        best[to][better] = moved[better]
        choice[to][better] = code
    period, place = divmod(int(arriving.argmax()), PLACES)
    other = arriving[period, place] - _JUMP
    better = best < other
    best[better] = other
    choice[better] = _OTHER
    return best, choice, (period, place)


def _traced(
    values: FloatArray, choices: npt.NDArray[np.uint8], jumps: npt.NDArray[np.uint8]
) -> tuple[list[Beat], float]:
    """The path back from the best state whose next beat lies behind the end."""
    frames = len(values)
    tail = np.arange(max(0, frames - int(PERIODS[-1])), frames)
    open_ = np.where((tail[:, None] + PERIODS >= frames)[..., None], values[tail], _NEVER)
    if not open_.size or open_.max() <= _NEVER / 2:
        return [], 0.0
    at, period, place = map(int, np.unravel_index(int(open_.argmax()), open_.shape))
    score, frame = float(open_.max()), int(tail[at])
    beats = []
    while True:
        beats.append(Beat(frame, period, place))
        code = int(choices[frame, period, place])
        if code == _OTHER:
            period, place = map(int, jumps[frame])
        else:
            period -= _STEPS[code]
        if frame - PERIODS[period] < 0:
            return beats[::-1], score
        frame -= int(PERIODS[period])
        place = int(BEFORE[place])
