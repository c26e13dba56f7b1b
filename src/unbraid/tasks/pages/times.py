"""Round times to write under a picture."""

from collections.abc import Sequence

_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
_MOST_TICKS = 6


def ticks(seconds: float) -> Sequence[float]:
    """A few round times from 0 on, as far as a recording goes."""
    step = next((step for step in _STEPS if seconds / step <= _MOST_TICKS), _STEPS[-1])
    return [step * i for i in range(int(seconds / step) + 1)]
