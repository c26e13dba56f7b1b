"""What reports of speech and of music share: players, spectrograms of a case, prices, failures, cells of numbers.

Sounds of a case share one gain, so that they compare as they are, and the loudest of them just does not clip.
"""

import math
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from unbraid import audio
from unbraid.evaluation.page import player, tile
from unbraid.evaluation.run import Failure
from unbraid.evaluation.summary import Cost
from unbraid.evaluation.tables import DASH, number
from unbraid.files.workdir import temporary_folder

_PEAK = 0.9
_LISTEN_SECONDS = 30.0  # of each sound, so that the file stays small
WITHOUT = "There are no pictures, for matplotlib is not installed; get it with `pip install matplotlib`, and run again."


def price_tiles(cost: Cost) -> list[str]:
    """What it cost, to see at once."""
    peak = cost.peak_memory_bytes
    factor = f"{cost.cpu_factor:.3f} in CPU time; {cost.device}, {cost.precision}"
    return [
        tile("Real-time factor, wall clock", f"{cost.real_time_factor:.3f}", factor, "separation only"),
        tile("Peak memory", DASH if peak is None else f"{peak / 1e6:.0f} MB", "of the whole process, scoring included"),
    ]


def players(signals: Mapping[str, NDArray[np.float32]], sample_rate: int) -> str:
    """A player for each signal (C, T)."""
    loudest = max(float(np.abs(signal).max(initial=0)) for signal in signals.values())
    gain = _PEAK / loudest if loudest else 1.0
    most = round(_LISTEN_SECONDS * sample_rate)
    return "".join(
        player(
            _flac(signal[:, :most] * np.float32(gain), sample_rate),
            name + (f" (first {_LISTEN_SECONDS:.0f} s)" if signal.shape[1] > most else ""),
        )
        for name, signal in signals.items()
    )


def _flac(signal: NDArray[np.float32], sample_rate: int) -> bytes:
    """A signal (C, T) as a FLAC file of 16 bits."""
    with temporary_folder() as folder:
        path = folder / "sound.flac"
        audio.write(path, signal, sample_rate, audio.choose_format("flac", subtype="16"))
        return path.read_bytes()


def cell(value: float, digits: int, sign: bool = False) -> tuple[str, str]:
    """A number for a table: what is shown, what it is sorted by."""
    return number(value, digits, sign), f"{value:.6f}" if math.isfinite(value) else ""


def notes(sentences: Sequence[str]) -> str:
    """Sentences below a table."""
    return "".join(f'<p class="note">{escape(note[:1].upper() + note[1:])}.</p>' for note in sentences)


def failures(failed: Sequence[Failure], what: str) -> str:
    """What could not be scored, and why."""
    if not failed:
        return ""
    items = "".join(f"<li>{escape(f'{failure.name}: {failure.error}')}</li>" for failure in failed)
    return f"<h2>Failed</h2><p>These {what} could not be scored.</p><ul>{items}</ul>"
