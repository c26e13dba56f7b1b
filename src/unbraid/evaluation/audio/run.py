"""Run an audio-to-audio model over recordings, and score it beside a baseline.

A denoiser turns the spectrogram of a noisy voice into that of the voice; the baseline is the noisy spectrogram. A
vocoder turns the spectrogram of a voice into a waveform; the baseline is Griffin & Lim's algorithm. The measure of
both is the log-spectral distance of log-mel spectrograms (see `dsp.mel`),

    LSD = mean over frames of √(mean over bands of (ΔdB)²),

and of waveforms besides STOI, where `pystoi` is installed. Silent recordings, and for denoisers those without
noise, are left out and counted. Time is that of the network alone.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from unbraid.corpora import Mixture, read_mixture
from unbraid.corpora.noise import AddedNoise, noisy
from unbraid.dsp.arrays import FloatArray
from unbraid.dsp.griffin_lim import ITERATIONS, griffin_lim
from unbraid.dsp.mel import mel_levels, to_db
from unbraid.evaluation.measures import Measure
from unbraid.evaluation.run import TimedResult, timed
from unbraid.evaluation.speech.scoring import is_alone, is_quiet
from unbraid.hub.spec import Mel, ModelSpec
from unbraid.tasks.audio_to_audio import AudioToAudio

LSD, STOI = "lsd", "stoi"
VoiceState = Literal["scored", "silent", "alone"]


@dataclass(frozen=True)
class ScorePair:
    """A measure of the baseline, and of the model."""

    without: float
    model: float


@dataclass(frozen=True)
class SoundResult(TimedResult):
    """The scores of one recording."""

    scores: dict[str, ScorePair]  # by LSD and STOI; empty where the recording is left out
    state: VoiceState = "scored"  # of the voice: silent, or alone in what was heard


def is_vocoder(spec: ModelSpec) -> bool:
    """Whether a model turns spectrograms into waveforms."""
    return spec.task == "vocoder"


def baseline(spec: ModelSpec) -> str:
    """The baseline that a model is compared to."""
    return f"Griffin-Lim, {ITERATIONS} iterations" if is_vocoder(spec) else "noisy input"


def score_spectrogram(converter: AudioToAudio, mixture: Mixture, noise: AddedNoise | None) -> SoundResult:
    """Score the spectrogram that a model makes of a noisy voice."""
    spec, mel, rate = converter.spec, _mel(converter.spec), converter.spec.sample_rate
    heard, (voice,) = read_mixture(mixture, rate)  # (T,), (1, T)
    if noise:
        heard = noisy(heard, mixture.name, rate, noise)
    levels, wanted = mel_levels(heard, mel, rate), mel_levels(voice, mel, rate)
    reads_waves = spec.geometry.reads == "waveform"
    made, wall, cpu = timed(lambda: converter(heard if reads_waves else levels))
    if is_quiet(voice) or is_alone(voice, heard):
        state: VoiceState = "silent" if is_quiet(voice) else "alone"
        return SoundResult(mixture.name, heard.size / rate, wall, cpu, {}, state)
    scores = {LSD: ScorePair(spectral_distance(levels, wanted), spectral_distance(made, wanted))}
    return SoundResult(mixture.name, heard.size / rate, wall, cpu, scores)


def score_vocoder(converter: AudioToAudio, mixture: Mixture, stoi: Measure | None = None) -> SoundResult:
    """Score the waveform that a model makes of a voice's spectrogram."""
    mel, rate = _mel(converter.spec), converter.spec.sample_rate
    _, (voice,) = read_mixture(mixture, rate)  # (1, T)
    levels = mel_levels(voice, mel, rate)
    made, wall, cpu = timed(lambda: converter(levels))
    if is_quiet(voice):
        return SoundResult(mixture.name, voice.size / rate, wall, cpu, {}, "silent")
    both = np.stack([griffin_lim(levels, mel, rate), made])[:, : voice.size]  # (2, T)
    distances = [spectral_distance(mel_levels(audio, mel, rate), levels) for audio in both]
    scores = {LSD: ScorePair(*distances)}
    if stoi:
        scores[STOI] = ScorePair(*map(float, stoi.score(both, voice)))
    return SoundResult(mixture.name, voice.size / rate, wall, cpu, scores)


def spectral_distance(levels: FloatArray, wanted: FloatArray) -> float:
    """Log-spectral distance in dB of levels (N, F)."""
    difference = np.asarray(to_db(levels), np.float64) - to_db(wanted)
    return float(np.sqrt(np.mean(difference**2, axis=-1)).mean())


def _mel(spec: ModelSpec) -> Mel:
    assert spec.mel is not None
    return spec.mel
