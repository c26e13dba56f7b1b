"""Singing from speech: WORLD analyses a voice and resynthesises it on the pitches of a melody.

A voice is f0, spectral envelope and aperiodicity in frames of 5 ms (Morise et al., IEICE Trans. 2016, E99-D 7). For
singing, pauses are removed, voiced frames last longer, f0 is the melody's with portamento and vibrato, and the envelope
is scaled in frequency, as by another size of the vocal tract. Unvoiced frames, the consonants, stay as they are.
Between phrases of the melody there is silence.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType

import numpy as np
import numpy.typing as npt

from unbraid.corpora.rendering.effects import Array
from unbraid.corpora.rendering.melody import Tone, into_range, phrases
from unbraid.corpora.rendering.plan import SingerPlan
from unbraid.errors import lacking

Frames = npt.NDArray[np.float64]
FRAME_SECONDS = 0.005
_LOWEST_RATE = 16000  # WORLD's analysis looks at frequencies up to 7.9 kHz
_PAUSE_DB, _LONGEST_PAUSE = -40.0, 20  # below the loudest frame; frames of a pause that stay
_VIBRATO_AFTER = 0.2  # seconds of a note
_DRIFT_FRAMES, _DRIFT_CENTS = 40, 8.0  # random drift of the pitch
_SMALLEST_POWER = 1e-12
_DITHER = 1e-5  # WORLD makes NaN of digital silence
_F0_HZ = (60.0, 600.0)


@dataclass(frozen=True)
class Voice:
    """A voice taken apart."""

    sample_rate: int
    f0: Frames  # (N,) Hz, 0 where unvoiced
    envelope: Frames  # (N, F) power
    aperiodicity: Frames  # (N, F) 0 to 1

    @property
    def pitch_hz(self) -> float:
        """The median pitch in Hz; 0 without voiced frames."""
        voiced = self.f0[self.f0 > 0]
        return float(np.median(voiced)) if voiced.size else 0.0


def world() -> ModuleType:
    """The package that has WORLD.

    Raises:
        RuntimeUnavailable: it is not installed.
    """
    try:
        return import_module("pyworld")
    except ModuleNotFoundError:
        raise lacking("Singing", "pyworld") from None


def analysis_rate(sample_rate: int) -> int:
    """The rate at which a recording is to be analysed."""
    return max(_LOWEST_RATE, sample_rate)


def analysed(speech: Array, sample_rate: int) -> Voice:
    """The voice of a recording (T,), without its pauses."""
    sound = speech + _DITHER * np.random.default_rng(0).standard_normal(len(speech))
    w = world()
    rough, times = w.dio(sound, sample_rate, f0_floor=_F0_HZ[0], f0_ceil=_F0_HZ[1])
    f0 = w.stonemask(sound, rough, times, sample_rate) * speech.any()
    envelope = w.cheaptrick(sound, f0, times, sample_rate)
    aperiodicity = w.d4c(sound, f0, times, sample_rate)
    kept = _spoken(envelope)
    return Voice(sample_rate, f0[kept], envelope[kept], aperiodicity[kept])


def sing(
    voice: Voice,
    melody: Sequence[Tone],
    seconds: float,
    singer: SingerPlan,
    random: np.random.Generator,
    detune_cents: float = 0.0,
) -> Array:
    """The melody (T,) at the voice's rate, sung in its range; silent without a melody or a voice."""
    f0, source = pitched(voice, melody, seconds, singer, random)
    f0, sung, source = f0 * 2 ** (detune_cents / 1200), source >= 0, source.clip(0)
    samples = round(seconds * voice.sample_rate)
    if not len(voice.f0) or not sung.any():
        return np.zeros(samples, np.float32)
    envelope = _moved(voice.envelope, singer.formants)[source] * _faded(sung)[:, None]
    sound = world().synthesize(
        f0, np.maximum(envelope, _SMALLEST_POWER), voice.aperiodicity[source], voice.sample_rate, 1000 * FRAME_SECONDS
    )
    return np.pad(sound[:samples], (0, max(0, samples - len(sound)))).astype(np.float32)


def pitched(
    voice: Voice, melody: Sequence[Tone], seconds: float, singer: SingerPlan, random: np.random.Generator
) -> tuple[Frames, npt.NDArray[np.int64]]:
    """What is sung in each frame (N,): f0 in Hz, 0 where unvoiced, and the frame of the voice, -1 between phrases."""
    f0 = np.zeros(round(seconds / FRAME_SECONDS))
    source = np.full(len(f0), -1, np.int64)
    order = _stretched(voice.f0, singer.stretch)
    line = into_range(melody, 1.4 * voice.pitch_hz) if voice.pitch_hz else []
    position = round(singer.start * len(order))
    for phrase in phrases(line):
        first, last = round(phrase[0].start / FRAME_SECONDS), min(len(f0), round(phrase[-1].end / FRAME_SECONDS))
        if last - first < 10:
            continue
        source[first:last] = order[(position + np.arange(last - first)) % len(order)]
        f0[first:last] = contour(phrase, last - first, singer, random)
        position += last - first
    return f0 * (voice.f0[source] > 0) * (source >= 0) if len(voice.f0) else f0, source


def contour(phrase: Sequence[Tone], count: int, singer: SingerPlan, random: np.random.Generator) -> Frames:
    """f0 in Hz (count,) of a phrase, from its start on."""
    time = phrase[0].start + FRAME_SECONDS * np.arange(count)
    starts = np.array([tone.start for tone in phrase])
    playing = np.searchsorted(starts, time, side="right") - 1
    pitch = np.array([tone.pitch for tone in phrase], np.float64)[playing.clip(0)]
    glide = max(1, round(singer.portamento_seconds / FRAME_SECONDS))
    window = np.hanning(glide + 2)
    padded = np.pad(pitch, (len(window) // 2, len(window) - 1 - len(window) // 2), mode="edge")
    pitch = np.convolve(padded, window / window.sum(), "valid")
    held = time - starts[playing.clip(0)]
    depth = singer.vibrato_cents * np.clip((held - _VIBRATO_AFTER) / 0.3, 0, 1)
    vibrato = depth * np.sin(2 * np.pi * singer.vibrato_hz * held)
    knots = np.arange(0, count + _DRIFT_FRAMES, _DRIFT_FRAMES)
    drift = np.interp(np.arange(count), knots, random.normal(0, _DRIFT_CENTS, len(knots)))
    return np.asarray(440 * 2 ** ((pitch - 69 + (vibrato + drift) / 100) / 12), np.float64)


def _spoken(envelope: Frames) -> npt.NDArray[np.int64]:
    """Which frames are kept: all but the long pauses."""
    level = 10 * np.log10(envelope.sum(1) + _SMALLEST_POWER)
    silent = level < level.max() + _PAUSE_DB
    run = np.zeros(len(level), np.int64)
    for i in range(len(level)):
        run[i] = (run[i - 1] if i else 0) + 1 if silent[i] else 0
    return np.flatnonzero(run <= _LONGEST_PAUSE)


def _stretched(f0: Frames, stretch: float) -> npt.NDArray[np.int64]:
    """The order of the voice's frames with the voiced ones prolonged."""
    ends = np.cumsum(np.where(f0 > 0, stretch, 1.0))
    total = int(ends[-1]) if len(ends) else 0
    return np.searchsorted(ends, np.arange(total), side="right").clip(0, max(0, len(f0) - 1))


def _moved(envelope: Frames, factor: float) -> Frames:
    """Every resonance `factor` times as high."""
    if factor == 1:
        return envelope
    bins = np.arange(envelope.shape[1])
    place = (bins / factor).clip(0, bins[-1])
    below = place.astype(np.int64).clip(0, bins[-1] - 1)
    share = place - below
    log = np.log(envelope + _SMALLEST_POWER)
    return np.asarray(np.exp((1 - share) * log[:, below] + share * log[:, below + 1]), np.float64)


def _faded(sung: npt.NDArray[np.bool_]) -> Frames:
    """Power over time: 1 within phrases, with soft ends of 30 ms."""
    window = np.hanning(8)[1:-1]
    soft = np.convolve(sung.astype(np.float64), window / window.sum(), "same")
    return np.where(sung, soft, 0.0) ** 2
