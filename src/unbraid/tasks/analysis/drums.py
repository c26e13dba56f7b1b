"""Kick, snare and hi-hat of a stem of drums, as notes of General MIDI's percussion: onsets in a band of each.

A drum is hit where the level of its band rises within 20 ms by more than a threshold, and by more than in the 30 ms
before and after (spectral flux; Bello et al., "A tutorial on onset detection in music signals", IEEE TSAP 13, 2005).
Levels are means of logarithms over parts of a band, so that a hit counts that fills all of it. Bands and thresholds are
the best of dev songs. Memory grows by 4 kB for a second.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from unbraid.dsp.arrays import FloatArray
from unbraid.dsp.frame_stream import FrameStream
from unbraid.dsp.stft import hann
from unbraid.tasks.analysis.levels import Mono, heard
from unbraid.tasks.analysis.notes import Note, Notes

MODEL, STEM = "onsets in bands", "drums"
RATE, FRAME_SAMPLES, HOP_SAMPLES = 44100, 2048, 441
FRAMES_PER_SECOND = RATE / HOP_SAMPLES
SILENT, NOTHING = "it is silent", "no drum is heard in it"
HIT_SECONDS = 0.1  # that a note lasts
_FLOOR = 1e-3  # power of a part of a band, relative to the loudest hits, below which it counts as silence
_SMALLEST = 1e-9
_LAG, _SPAN, _APART = 3, 3, 5  # frames: before a rise, around a peak, and from hit to hit
_LOUDEST = 1.5  # decades of a rise, of a note at full velocity


class Drum(NamedTuple):
    """A drum, and how it is heard."""

    pitch: int  # of General MIDI's percussion
    edges_hz: tuple[float, ...]  # of the parts of its band
    rise: float  # decades of power


DRUMS = (
    Drum(36, (30, 60, 90), 0.4),  # kick
    Drum(38, (200, 300, 450, 700, 1100, 1700), 0.3),  # snare
    Drum(42, (9000, 13000, 18000), 0.2),  # hi-hat
)


class DrumTracker:
    """Takes the blocks of a stem of drums, and of the recording around it, and gives its notes at the end."""

    def __init__(self, sample_rate: int) -> None:
        self._stem, self._recording = (Mono(sample_rate, RATE, HOP_SAMPLES) for _ in range(2))
        self._frames, self._powers = FrameStream(FRAME_SAMPLES, HOP_SAMPLES), list[FloatArray]()
        self._window = hann(FRAME_SAMPLES)
        hz = np.fft.rfftfreq(FRAME_SAMPLES, 1 / RATE)
        self._parts = [
            slice(*np.searchsorted(hz, pair).tolist())
            for drum in DRUMS
            for pair in zip(drum.edges_hz[:-1], drum.edges_hz[1:], strict=True)
        ]

    def push(self, stem: FloatArray, recording: FloatArray) -> None:
        """Take a block (C, n) of the drums, and the same samples of the recording that they were separated from."""
        self._recording(recording)
        self._see(self._frames.add(self._stem(stem)))

    def finish(self) -> Notes:
        """The notes of all blocks, in the order of their starts."""
        self._recording.finish()
        self._see(self._frames.add(self._stem.finish()))
        self._see(self._frames.finish())
        seconds = self._stem.samples / RATE
        parts = np.concatenate(self._powers) if self._powers else np.zeros((0, len(self._parts)), np.float32)
        sounding, recording = (mono.powers(len(parts)) for mono in (self._stem, self._recording))
        levels, is_heard = _decades(parts), heard(sounding, recording, FRAMES_PER_SECOND)
        found, first = list[Note](), 0
        for drum in DRUMS:
            count = len(drum.edges_hz) - 1
            found += _hits(drum, levels[:, first : first + count].mean(1), is_heard)
            first += count
        notes = tuple(sorted(found, key=lambda note: (note.start, note.pitch)))
        silent = not heard(sounding, None, FRAMES_PER_SECOND).any()
        reason = None if notes else SILENT if silent else NOTHING
        return Notes(notes, MODEL, STEM, seconds=seconds, reason=reason)

    def _see(self, frames: FloatArray) -> None:
        """Keep the powers of the parts of all bands (n, parts) in these frames."""
        if len(frames):
            power = np.square(np.abs(np.fft.rfft(frames * self._window))).astype(np.float32)
            self._powers.append(np.stack([power[:, part].sum(1) for part in self._parts], 1))


def _decades(powers: FloatArray) -> FloatArray:
    """Powers (N, parts) as levels, 0 where they are as strong as the strongest hits of all drums."""
    loudest = float(np.percentile(powers.sum(1), 99)) if len(powers) else 0.0
    return np.asarray(np.log10(powers / max(loudest, _SMALLEST) + _FLOOR), np.float32)


def _hits(drum: Drum, level: FloatArray, is_heard: npt.NDArray[np.bool_]) -> list[Note]:
    """The notes of a drum, of the level (N,) of its band in decades."""
    if not len(level):
        return []
    before = np.pad(level, (_LAG, 0), mode="edge")
    rise = level - np.lib.stride_tricks.sliding_window_view(before, _LAG).max(1)[: len(level)]
    around = np.lib.stride_tricks.sliding_window_view(np.pad(rise, _SPAN), 2 * _SPAN + 1).max(1)
    notes, last = list[Note](), -_APART
    for frame in np.flatnonzero((rise >= around) & (rise > drum.rise) & is_heard).tolist():
        if frame - last >= _APART:
            last, start = frame, frame / FRAMES_PER_SECOND
            notes.append(
                Note(start, start + HIT_SECONDS, drum.pitch, min(1.0, 0.3 + 0.7 * float(rise[frame]) / _LOUDEST))
            )
    return notes
