"""Pictures of an evaluation as PNG, if matplotlib is installed: how gains are spread, and spectrograms of a case.

Backgrounds are transparent and inks of a middle lightness, so that a page may be light or dark around them.
"""

import importlib.util
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from unbraid.dsp.stft import stft
from unbraid.evaluation.measures import Measure
from unbraid.evaluation.run import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Wave = NDArray[np.float32]
INK, BLUE, ORANGE = "#8a929b", "#4a90d9", "#e08a3c"
RANGE_DB = 70  # of spectrograms, below the loudest spot of the mixture
_FRAME_SECONDS, _DOTS_PER_INCH = 0.032, 110
_STYLE: Any = {
    "font.size": 10, "axes.titlesize": 11, "axes.edgecolor": INK, "axes.labelcolor": INK, "axes.titlecolor": INK,
    "xtick.color": INK, "ytick.color": INK, "text.color": INK, "axes.spines.top": False, "axes.spines.right": False,
    "font.family": "DejaVu Sans",
}  # fmt: skip


class Sounds(Protocol):
    """What was pulled apart, into what, and what should have become of it; all (T,) or (C, T)."""

    @property
    def mixture(self) -> Wave: ...
    @property
    def references(self) -> Wave | Sequence[Wave]: ...  # one for each source
    @property
    def estimates(self) -> Wave | Sequence[Wave]: ...


def available() -> bool:
    """Whether pictures can be drawn."""
    return importlib.util.find_spec("matplotlib") is not None


def histogram(results: Sequence[Result], measure: Measure) -> bytes:
    """How the improvement is spread over the mixtures."""
    gains = _known([result.scored.scores[measure.key].improvement for result in results])
    with _figure(5.6, 3.6) as figure:
        axes = figure.subplots()
        axes.hist(gains, bins=list(_bins(gains)), color=BLUE, edgecolor="none", rwidth=0.94)
        for value, style, name in ((np.mean(gains), "-", "mean"), (np.median(gains), ":", "median")):
            axes.axvline(float(value), color=ORANGE, linestyle=style, linewidth=1.8, label=f"{name} {value:.2f}")
        _label(axes, f"Distribution of {measure.improvement}", _gain_label(measure), "mixtures")
        axes.locator_params(axis="y", integer=True)
        axes.legend(frameon=False, labelcolor=INK)
        return _png(figure)


def scatter(results: Sequence[Result], measure: Measure) -> bytes:
    """The improvement against what there was to improve on."""
    scores = [result.scored.scores[measure.key] for result in results]
    with _figure(5.6, 3.6) as figure:
        axes = figure.subplots()
        axes.axhline(0, color=INK, linewidth=0.8)
        size = 26 if len(scores) <= 300 else 10
        axes.scatter([s.mixture for s in scores], [s.improvement for s in scores], s=size, color=BLUE, alpha=0.8, lw=0)
        unit = f" in {measure.unit}" if measure.unit else ""
        title = f"{measure.improvement} against the mixture's own {measure.name}"
        _label(axes, title, f"{measure.name} of the mixture{unit}", _gain_label(measure))
        return _png(figure)


def strips(gains: Mapping[str, Sequence[float]], label: str) -> bytes:
    """How gains are spread, a row of dots for each name, with their mean."""
    with _figure(7.2, 1.2 + 0.55 * len(gains)) as figure:
        axes = figure.subplots()
        axes.axvline(0, color=INK, linewidth=0.8)
        for row, values in enumerate(gains.values()):
            known = _known(values)
            axes.scatter(known, np.full(known.size, row), s=26, color=BLUE, alpha=0.6, lw=0)
            if known.size:
                axes.plot([known.mean()] * 2, [row - 0.3, row + 0.3], color=ORANGE, linewidth=1.8)
        axes.set_yticks(range(len(gains)), list(gains))
        axes.set_ylim(len(gains) - 0.5, -0.5)
        _label(axes, "Every song, and the mean", label, "")
        return _png(figure)


def spectrograms(case: Sounds, sample_rate: int) -> bytes:
    """The mixture, the references and below them their estimates, on one scale."""
    voices = len(case.references)
    frame = int(2 ** round(np.log2(_FRAME_SECONDS * sample_rate)))
    pictures = {(0, 0): ("mixture", case.mixture)}
    for i in range(voices):
        pictures[0, i + 1] = (f"reference {i + 1}", case.references[i])
        pictures[1, i + 1] = (f"estimate {i + 1}", case.estimates[i])
    powers = {place: _power(signal, frame) for place, (_, signal) in pictures.items()}
    top = 10 * np.log10(max(powers[0, 0].max(), 1e-20))
    seconds, nyquist = case.mixture.shape[-1] / sample_rate, sample_rate / 2000
    with _figure(1.2 + 3.4 * (voices + 1), 4.8) as figure:
        grid: NDArray[Any] = figure.subplots(2, voices + 1, sharex=True, sharey=True, squeeze=False)
        for place, axes in np.ndenumerate(grid):
            if place not in pictures:
                axes.axis("off")
                continue
            decibels = 10 * np.log10(np.maximum(powers[place], 1e-20)) - top
            image = axes.imshow(
                decibels.T, origin="lower", aspect="auto", cmap="magma", vmin=-RANGE_DB, vmax=0,
                extent=(0, seconds, 0, nyquist), interpolation="nearest",
            )  # fmt: skip
            axes.set_title(pictures[place][0])
        for axes in (grid[0, 0], *grid[1, 1:]):
            axes.set_xlabel("time in s")
            axes.xaxis.set_tick_params(labelbottom=True)
        for axes in (grid[0, 0], grid[1, 1]):
            axes.set_ylabel("frequency in kHz")
            axes.yaxis.set_tick_params(labelleft=True)
        bar = figure.colorbar(image, ax=grid, fraction=0.03, pad=0.015)
        bar.set_label("level in dB, 0 at the loudest\nspot of the mixture")
        bar.outline.set_visible(False)
        return _png(figure)


@contextmanager
def _figure(width: float, height: float) -> "Iterator[Figure]":
    """A figure of our style, so many inches in size, away from any window."""
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
    """Edges at round numbers, about as many as the square root of the mixtures."""
    spread = float(np.ptp(gains)) or 1.0
    wanted = spread / np.clip(np.sqrt(gains.size) * 1.5, 5, 40)
    power = 10.0 ** np.floor(np.log10(wanted))
    width = power * min((1, 2, 5, 10), key=lambda step: abs(np.log(step * power / wanted)))
    low, high = np.floor(gains.min() / width), np.floor(gains.max() / width) + 1
    return np.asarray(np.arange(low, high + 0.5) * width)


def _gain_label(measure: Measure) -> str:
    return f"{measure.improvement}{f' in {measure.unit}' if measure.unit else ''}\n({measure.variant})"


def _label(axes: "Axes", title: str, x: str, y: str) -> None:
    axes.set_title(title)
    axes.set_xlabel(x)
    axes.set_ylabel(y)


def _power(signal: Wave, frame: int) -> Wave:
    """(T,) or (C, T) -> (N, F), the mean over channels."""
    padded = np.pad(np.atleast_2d(signal), ((0, 0), (frame // 2, frame)))  # (C, T)
    return np.asarray(np.mean(np.abs(stft(padded, frame, frame // 4)) ** 2, axis=0))
