"""The measures of speech: each by its name and its variant, and whether its package is installed.

A measure takes candidates (N, T) for one reference (T,), here the estimate and the mixture itself, and gives a
number for each, NaN where there is none (too short, no speech). SI-SDR and SDR are NumPy; PESQ and STOI
are the packages `pesq` (ITU-T P.862) and `pystoi` (Taal et al., 2011), which are optional.
"""

import importlib.util
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from unbraid.audio import resample
from unbraid.dsp.metrics import Array, si_sdr
from unbraid.errors import RuntimeUnavailable, UsageError
from unbraid.evaluation.bss import TAPS, bss_sdr

NARROW, WIDE = 8000, 16000  # Hz: the rates of PESQ


@dataclass(frozen=True)
class Measure:
    """A way to score an estimate of a reference."""

    key: str  # its name in --metrics
    name: str
    variant: str
    column: str  # in tables for machines
    unit: str  # "dB", or "" for a scale of its own
    digits: int  # worth printing
    score: Callable[[Array, Array], Array]  # (N, T), (T,) -> (N,)
    package: str | None = None  # that it needs

    @property
    def title(self) -> str:
        """Name, variant and unit, for headings."""
        return f"{self.name} ({self.variant})" + (f", {self.unit}" if self.unit else "")

    @property
    def improvement(self) -> str:
        """The name of the gain over the mixture."""
        return f"{self.name}i"


def measures_at(sample_rate: int) -> tuple[Measure, ...]:
    """All measures, for signals at a rate, the main one first."""
    wide = sample_rate >= WIDE
    band, standard, letters = ("wide", "P.862.2", "wb") if wide else ("narrow", "P.862.1", "nb")
    pesq_rate = WIDE if wide else NARROW
    return (
        Measure("si-sdr", "SI-SDR", "= SI-SNR, means removed", "si_sdr_zero_mean_db", "dB", 2, si_sdr),
        Measure("sdr", "SDR", f"BSS Eval 3, {TAPS} taps", f"sdr_bss_eval_{TAPS}_taps_db", "dB", 2, bss_sdr),
        Measure(
            "pesq", f"PESQ-{letters.upper()}", f"{band}-band {pesq_rate // 1000} kHz, MOS-LQO of {standard}",
            f"pesq_{letters}_mos_lqo", "", 2, partial(_pesq, sample_rate, pesq_rate, letters), "pesq",
        ),
        Measure("stoi", "STOI", "classic, 10 kHz", "stoi_classic", "", 3, partial(_stoi, sample_rate), "pystoi"),
    )  # fmt: skip


def check_metrics(names: Sequence[str] | None, known: Sequence[str], models: str = "") -> None:
    """Refuse other metrics than those known; MODELS are those that have them, to end a sentence with.

    Raises:
        UsageError: one was asked for, or none at all.
    """
    for name in names or ():
        if name not in known:
            raise UsageError(f"There is no metric {name!r}{models}; choose among {', '.join(known)}.")
    if names is not None and not names:
        raise UsageError(f"No metric is named; choose among {', '.join(known)}.")


def choose_measures(names: Sequence[str] | None, sample_rate: int) -> tuple[tuple[Measure, ...], list[str]]:
    """The measures of these names, or all whose packages are here; and a sentence for each that is left out.

    Raises:
        UsageError: there is no measure of that name.
        RuntimeUnavailable: the package of one that was asked for by name is not installed.
    """
    known = measures_at(sample_rate)
    check_metrics(names, [measure.key for measure in known])
    wanted = tuple(measure for measure in known if names is None or measure.key in names)
    missing = [m for m in wanted if m.package and importlib.util.find_spec(m.package) is None]
    sentences = [
        f"{m.name} needs the package {m.package}, which is not installed; get it with `pip install {m.package}`."
        for m in missing
    ]
    if missing and names is not None:
        raise RuntimeUnavailable(sentences[0])
    return tuple(m for m in wanted if m not in missing), [f"{sentence} It is left out." for sentence in sentences]


def _pesq(sample_rate: int, rate: int, mode: str, estimates: Array, reference: Array) -> Array:
    import pesq

    def score(estimate: Array) -> float:
        try:
            return float(pesq.pesq(rate, heard, estimate, mode))
        except (pesq.NoUtterancesError, pesq.BufferTooShortError):
            return np.nan

    heard, *candidates = resample(np.vstack((reference, estimates)).astype(np.float32), sample_rate, rate)
    return np.array([score(candidate) for candidate in candidates])


def _stoi(sample_rate: int, estimates: Array, reference: Array) -> Array:
    from pystoi import stoi

    def score(estimate: Array) -> float:
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)  # of a signal with less than 30 frames (0.4 s) of sound
            try:
                return float(stoi(reference, estimate, sample_rate, extended=False))
            except (RuntimeWarning, ValueError):
                return np.nan

    return np.array([score(estimate) for estimate in estimates])
