"""Run any audio Transformer over one's own pairs, and score what it makes of each source by its target.

    text          symbol error rate: insertions, deletions and substitutions over the symbols of the target
    spectrogram   log-spectral distance (see evaluation/audio/run.py), of frames side by side; from text, where the
                  lengths differ, 40 times the distance of levels after time warping (dsp/warping.py), both in dB
    waveform      SI-SDR in dB; of a vocoder, whose phases are its own, the log-spectral distance of the spectrograms

Where source and target are of one kind of sound, the same measure of the source as it is, is the baseline.
"""

import math
from dataclasses import dataclass

import numpy as np

from unbraid.audio.spectrogram_files import checked_levels, is_spectrogram, open_spectrogram
from unbraid.corpora.mixtures import Clip, read_clip
from unbraid.corpora.pairs import Cell, SourceTarget
from unbraid.dsp.arrays import FloatArray
from unbraid.dsp.mel import mel_levels
from unbraid.dsp.metrics import si_sdr
from unbraid.dsp.warping import warped_distance
from unbraid.evaluation.audio.run import spectral_distance
from unbraid.evaluation.text.scoring import Distance, closest
from unbraid.hub.spec import ModelSpec
from unbraid.tasks.any_to_any import AnyToAny

DECIBELS = 40  # of a level of 1


@dataclass(frozen=True)
class PairResult:
    """The score of one pair: a distance of texts, or a number of sounds."""

    name: str
    made: str = ""  # of texts: the model's, and the right one
    target: str = ""
    distance: Distance | None = None
    score: float = math.nan  # of sounds, in dB
    baseline: float = math.nan  # of the source as it is


def measure_of(spec: ModelSpec) -> str:
    """The measure of a model, in words."""
    reads, writes = spec.geometry.reads, spec.geometry.writes
    if writes == "text":
        return "symbol error rate"
    if writes == "waveform" and reads == "waveform":
        return "SI-SDR in dB"
    return "distance of levels in dB" if reads == "text" else "log-spectral distance in dB"


def score_pair(model: AnyToAny, pair: SourceTarget) -> PairResult:
    """Score what a model makes of a source."""
    source = pair.source.text if model.reads == "text" else pair.source.path
    if model.writes == "text":
        made, right = model.text(source), pair.target.text
        return PairResult(pair.name, made, right, closest(tuple(made), [tuple(right)]))
    output = np.concatenate(list(model.made(source)))
    is_wave = model.writes == "waveform"
    if is_wave and model.reads == "waveform":
        target, given = _samples(model.spec, pair.target), _samples(model.spec, pair.source)
        length = min(map(len, (output, target, given)))
        score, before = (float(si_sdr(one[:length], target[:length])) for one in (output, given))
        return PairResult(pair.name, score=score, baseline=before)
    levels, target = _as_levels(model.spec, output) if is_wave else output, _levels(model.spec, pair.target)
    if model.reads == "text":
        return PairResult(pair.name, score=DECIBELS * warped_distance(levels.clip(min=-1), target))
    has_baseline = model.reads == "spectrogram" and not is_wave
    before = _distance(_levels(model.spec, pair.source), target) if has_baseline else math.nan
    return PairResult(pair.name, score=_distance(levels, target), baseline=before)


def _distance(levels: FloatArray, target: FloatArray) -> float:
    frames = min(len(levels), len(target))
    return spectral_distance(levels[:frames], target[:frames])


def _samples(spec: ModelSpec, cell: Cell) -> FloatArray:
    return read_clip(Clip(cell.path), spec.sample_rate)


def _levels(spec: ModelSpec, cell: Cell) -> FloatArray:
    """A file as levels (N, F): a spectrogram, or that of a recording."""
    assert spec.mel is not None
    if is_spectrogram(cell.path):
        return checked_levels(open_spectrogram(cell.path, spec.mel.bins), cell.path)
    return _as_levels(spec, _samples(spec, cell))


def _as_levels(spec: ModelSpec, samples: FloatArray) -> FloatArray:
    assert spec.mel is not None
    return mel_levels(samples, spec.mel, spec.sample_rate)
