"""Plots of distributions of scores as PNG, if matplotlib is installed.

Backgrounds are transparent and inks of a middle lightness, so that a page may be light or dark around them.
"""

import importlib.util
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, BLUE, ORANGE = "#8a929b", "#4a90d9", "#e08a3c"
_DOTS_PER_INCH = 110
_STYLE: Any = {
    "font.size": 10, "axes.titlesize": 11, "axes.edgecolor": INK, "axes.labelcolor": INK, "axes.titlecolor": INK,
    "xtick.color": INK, "ytick.color": INK, "text.color": INK, "axes.spines.top": False, "axes.spines.right": False,
    "font.family": "DejaVu Sans",
}  # fmt: skip


def available() -> bool:
    """Whether pictures can be drawn."""
    return importlib.util.find_spec("matplotlib") is not None


def histogram(values: Sequence[float], title: str, label: str, noun: str) -> bytes:
    """The distribution of values over items, such as mixtures, with mean and median."""
    known = _known(values)
    with figure(5.6, 3.6) as drawn:
        axes = drawn.subplots()
        axes.hist(known, bins=list(_bins(known)), color=BLUE, edgecolor="none", rwidth=0.94)
        for value, style, name in ((np.mean(known), "-", "mean"), (np.median(known), ":", "median")):
            axes.axvline(float(value), color=ORANGE, linestyle=style, linewidth=1.8, label=f"{name} {value:.2f}")
        _label(axes, title, label, noun)
        axes.locator_params(axis="y", integer=True)
        axes.legend(frameon=False, labelcolor=INK)
        return _png(drawn)


def scatter(x: Sequence[float], y: Sequence[float], title: str, labels: tuple[str, str]) -> bytes:
    """Points, and the line y = 0."""
    with figure(5.6, 3.6) as drawn:
        axes = drawn.subplots()
        axes.axhline(0, color=INK, linewidth=0.8)
        axes.scatter(x, y, s=26 if len(x) <= 300 else 10, color=BLUE, alpha=0.8, lw=0)
        _label(axes, title, *labels)
        return _png(drawn)


def strips(groups: Mapping[str, Sequence[float]], title: str, label: str) -> bytes:
    """A row of dots for each group, with their mean."""
    with figure(7.2, 1.2 + 0.55 * len(groups)) as drawn:
        axes = drawn.subplots()
        axes.axvline(0, color=INK, linewidth=0.8)
        for row, values in enumerate(groups.values()):
            known = _known(values)
            axes.scatter(known, np.full(known.size, row), s=26, color=BLUE, alpha=0.6, lw=0)
            if known.size:
                axes.plot([known.mean()] * 2, [row - 0.3, row + 0.3], color=ORANGE, linewidth=1.8)
        axes.set_yticks(range(len(groups)), list(groups))
        axes.set_ylim(len(groups) - 0.5, -0.5)
        _label(axes, title, label, "")
        return _png(drawn)


@contextmanager
def figure(width: float, height: float) -> "Iterator[Figure]":
    """A figure in our style, of a size in inches, without a window."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE):
        yield Figure(figsize=(width, height), layout="constrained", dpi=_DOTS_PER_INCH)


def _png(figure: "Figure") -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png", transparent=True)
    return file.getvalue()


def _known(values: Sequence[float]) -> NDArray[np.float64]:
    return np.array([value for value in values if np.isfinite(value)])


def _bins(gains: NDArray[np.float64]) -> NDArray[np.float64]:
    """Edges at round numbers, about as many as the square root of the number of values."""
    spread = float(np.ptp(gains)) or 1.0
    wanted = spread / np.clip(np.sqrt(gains.size) * 1.5, 5, 40)
    power = 10.0 ** np.floor(np.log10(wanted))
    width = power * min((1, 2, 5, 10), key=lambda step: abs(np.log(step * power / wanted)))
    low, high = np.floor(gains.min() / width), np.floor(gains.max() / width) + 1
    return np.asarray(np.arange(low, high + 0.5) * width)


def _label(axes: "Axes", title: str, x: str, y: str) -> None:
    axes.set_title(title)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
