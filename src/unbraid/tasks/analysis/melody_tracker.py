"""The melody of a voice by swift-f0 (Nieradzik, arXiv 2508.18440), in constant memory but for a few numbers a frame.

    tracker = MelodyTracker(sample_rate)
    for stems in separator.blocks("song.mp3"):
        tracker.push(stems["vocals"], sum(stems.values()))
    melody = tracker.finish()

swift-f0 gives a pitch and a confidence every 16 ms. Frames are voiced where it is confident and the stem is heard
beside the rest of the recording (`levels`); octave errors are mended (`octaves`).
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from unbraid.audio import ArrayLike, as_audio, checked_rate
from unbraid.dsp.arrays import FloatArray
from unbraid.dsp.pitch import pitch_hz, pitch_of
from unbraid.dsp.stretches import stretches
from unbraid.errors import RuntimeUnavailable
from unbraid.tasks.analysis.levels import Mono, heard
from unbraid.tasks.analysis.melody import Melody, Values
from unbraid.tasks.analysis.notes import Note, Notes
from unbraid.tasks.analysis.octaves import mended

MODEL = "swift-f0"
SAMPLE_RATE, HOP_SAMPLES = 16000, 256
LOWEST_HZ, HIGHEST_HZ = 65.0, 1400.0  # of a singing voice: C2 to F6
VOICED, SUSTAINED = 0.5, 0.3  # confidence that a passage has somewhere, and everywhere; chosen on dev songs
LEAST_FRAMES = 4  # of a voiced passage: 64 ms
LEAST_SECONDS = 0.2  # of voice in a recording that has a melody
NO_VOICE = "no voice with a pitch is heard in it"
SILENT = "it is silent"


class MelodyTracker:
    """Takes the blocks of a voice, and of the recording around it, and gives its melody at the end."""

    def __init__(self, sample_rate: int, *, threads: int | None = None) -> None:
        """Open the network.

        Raises:
            RuntimeUnavailable: swift-f0 is not installed.
        """
        self._stream = _detector(threads).stream(LOWEST_HZ, HIGHEST_HZ)
        self._voice, self._recording = (Mono(sample_rate, SAMPLE_RATE, HOP_SAMPLES) for _ in range(2))
        self._found: list[tuple[npt.NDArray[np.float32], ...]] = [(np.zeros(0, np.float32),) * 3]
        self._has_recording = False

    def push(self, voice: FloatArray, recording: FloatArray | None = None) -> None:
        """Take a block (C, n) of a voice, and the same samples of the recording that it was separated from."""
        self._track(self._voice(voice))
        if recording is not None:
            self._has_recording = True
            self._recording(recording)

    def finish(self) -> Melody:
        """The melody of all blocks."""
        self._track(self._voice.finish())
        if self._voice.samples:
            self._keep(self._stream.flush())
        self._recording.finish()
        pitch, confidence, level = (
            np.concatenate(parts).astype(np.float64) for parts in zip(*self._found, strict=True)
        )
        frames, seconds = len(pitch), self._voice.samples / SAMPLE_RATE
        powers = self._voice.powers(frames)
        recording = self._recording.powers(frames) if self._has_recording else None
        sustained = (confidence >= SUSTAINED) & heard(powers, recording, SAMPLE_RATE / HOP_SAMPLES)
        hz = np.zeros(frames)
        for start, end in stretches(sustained):
            if end - start >= LEAST_FRAMES and confidence[start:end].max() >= VOICED:
                hz[start:end] = pitch_hz(mended(pitch_of(pitch[start:end]), confidence[start:end]))
        if np.count_nonzero(hz) * HOP_SAMPLES < LEAST_SECONDS * SAMPLE_RATE:
            reason = NO_VOICE if heard(powers, None, 1).any() else SILENT
            return Melody(MODEL, notes=Notes((), MODEL, seconds=seconds, reason=reason), seconds=seconds, reason=reason)
        times = np.arange(frames) * HOP_SAMPLES / SAMPLE_RATE
        notes = Notes(_notes(times, hz, np.where(hz > 0, confidence, 0.0), level), MODEL, seconds=seconds)
        return Melody(MODEL, times, hz, confidence, notes, seconds=seconds)

    def _track(self, mono: FloatArray) -> None:
        if len(mono):
            self._keep(self._stream.push(mono, SAMPLE_RATE))

    def _keep(self, found: Any) -> None:
        parts = (found.pitch_hz, found.confidence, found.loudness_db)
        self._found.append(tuple(part.astype(np.float32) for part in parts))


def melody_of(
    voice: ArrayLike, sample_rate: int, *, recording: ArrayLike | None = None, threads: int | None = None
) -> Melody:
    """The melody of an array (C, T) that holds one voice; `recording` (C, T) is what it was separated from.

    Raises:
        AudioError: it is not an array of real numbers (C, T), is empty, or holds NaN or infinity.
        RuntimeUnavailable: swift-f0 is not installed.
    """
    audio, rate = as_audio(voice), checked_rate(sample_rate)
    around = None if recording is None else as_audio(recording)
    tracker = MelodyTracker(rate, threads=threads)
    for start in range(0, audio.shape[1], rate):
        block = slice(start, start + rate)
        tracker.push(audio[:, block], None if around is None else around[:, block])
    return tracker.finish()


def check_installed() -> None:
    """Say how to get swift-f0 where it is not.

    Raises:
        RuntimeUnavailable: it is not installed.
    """
    _package()


def _package() -> Any:
    try:
        import swift_f0
    except ModuleNotFoundError:
        raise RuntimeUnavailable(
            "The melody needs swift-f0, which is not installed; get it with `pip install 'unbraid[analysis]'`."
        ) from None
    return swift_f0


def _detector(threads: int | None) -> Any:
    return _package().SwiftF0(threads=threads, spin=False)


def _notes(times: Values, hz: Values, confidence: Values, level: Values) -> tuple[Note, ...]:
    """The melody as notes of one pitch each, by swift-f0's segmentation."""
    package = _package()
    found = package.segment_notes(package.PitchResult(times, hz, confidence, level))
    notes = []
    for note in found:
        inside = (times >= note.start) & (times < note.end)
        pitch = round(float(pitch_of(np.array(note.pitch_hz))))
        notes.append(Note(note.start, note.end, pitch, float(confidence[inside].mean())))
    return tuple(notes)
