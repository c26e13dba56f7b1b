"""Sample-rate conversion of live audio: a windowed sinc that looks a known number of samples ahead, and no further.

Output m lies at the input time t = m · from / to and is a weighted sum of the inputs around it,

    y[m] = Σ_k x[k] h(t - k),    h(t) = 2f sinc(2f t) · Kaiser window,

with the cutoff f below half of the lower rate (Smith & Gossett, "A flexible sampling-rate conversion method", 1984).
Every output is summed on its own, so that its bits do not depend on how many are asked for at once.
"""

import math
from functools import lru_cache

import numpy as np

from unbraid.dsp.arrays import FloatArray

ZERO_CROSSINGS = 16  # of the sinc on each side
CUTOFF = 0.45  # of the lower rate; 0.5 is where aliasing begins
BETA = 8.0  # of the Kaiser window: -80 dB


class Conversion:
    """A stream (…, n) at one rate, of which outputs at another are taken as they become computable.

    Before the first sample the stream is silent. Only inputs that are still needed are kept.
    """

    def __init__(self, shape: tuple[int, ...], from_rate: int, to_rate: int):
        self._from, self._to = (rate // math.gcd(from_rate, to_rate) for rate in (from_rate, to_rate))
        self._side = reach(from_rate, to_rate)
        self._first = min(0, 1 - self._side)  # of the inputs that are held
        self._held: FloatArray = np.zeros((*shape, -self._first), np.float32)
        self._given = 0

    @property
    def ready(self) -> int:
        """The number of outputs, those taken included, that the inputs so far suffice for."""
        known = self._first + self._held.shape[-1] - self._side  # outputs lie before this input
        return max(0, -(-known * self._to // self._from))

    def push(self, inputs: FloatArray) -> None:
        """Add the inputs (…, n) that follow."""
        self._held = np.concatenate((self._held, inputs), -1)

    def take(self, until: int) -> FloatArray:
        """The next outputs (…, m), up to number `until` of all, which must be ready."""
        start, self._given = self._given, until
        whole, part = divmod(start * self._from, self._to)  # integers without limit; the rest is small
        steps = part + self._from * np.arange(until - start)
        place = steps // self._to + (whole - self._first)  # of the input that an output follows
        if not self._side:
            made = self._held[..., place]
        else:
            taps = _taps(self._from, self._to)
            windows = self._held[..., place[:, None] + np.arange(1 - self._side, self._side + 1)]  # (…, m, taps)
            made = (windows * taps[steps % self._to]).sum(-1, dtype=np.float32)
        needed = until * self._from // self._to + min(0, 1 - self._side)
        self._held, self._first = self._held[..., needed - self._first :], needed
        return made


def reach(from_rate: int, to_rate: int) -> int:
    """The number of inputs on each side of an output that it is made of; none where the rates are one."""
    return 0 if from_rate == to_rate else math.ceil(ZERO_CROSSINGS * max(1.0, from_rate / to_rate))


@lru_cache(maxsize=4)
def _taps(from_rate: int, to_rate: int) -> FloatArray:
    """The weights (phases, taps) of outputs that lie phase / to_rate behind an input."""
    side = reach(from_rate, to_rate)
    cutoff = 2 * CUTOFF * min(1.0, to_rate / from_rate)
    distance = np.arange(to_rate)[:, None] / to_rate - np.arange(1 - side, side + 1)  # (phases, taps) in inputs
    window = np.i0(BETA * np.sqrt(np.maximum(0.0, 1 - (distance / side) ** 2))) / np.i0(BETA)
    taps = np.sinc(cutoff * distance) * window
    return (taps / taps.sum(1, keepdims=True)).astype(np.float32)
