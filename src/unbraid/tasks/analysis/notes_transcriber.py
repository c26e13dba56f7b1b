"""Notes of audio by a network of activations, Basic Pitch, in constant memory.

    with NoteTranscriber() as transcriber:
        notes = transcriber(audio, sample_rate)
        tracker = transcriber.tracker(sample_rate, stem="piano")     # blocks as they come: push(…), then finish()

The network reads windows of two seconds. They begin a whole number of frames apart, and of each only the middle counts,
so that frames of neighbouring windows join and a frame's time is its number. A window is scaled by its own extremes, in
which a faint rest of other stems becomes loud: frames where the stem is not heard beside its recording (`levels`) count
as silent.
"""

from dataclasses import replace
from pathlib import Path
from typing import Self

import numpy as np

from unbraid.audio import ArrayLike, as_audio, checked_rate
from unbraid.dsp.arrays import FloatArray
from unbraid.errors import UsageError
from unbraid.hub.defaults import DEFAULTS
from unbraid.hub.spec import ModelSpec
from unbraid.models.basic_pitch.config import LOWEST_PITCH, BasicPitchConfig
from unbraid.runtime import Engine, Executor
from unbraid.tasks.analysis.levels import Mono, heard
from unbraid.tasks.analysis.notes import Note, Notes
from unbraid.tasks.analysis.notes_decoding import DecodingOptions, decode
from unbraid.tasks.loading import Loaded, LoadedModel, check_task, load

MARGIN_FRAMES = 16  # at both ends of a window, which do not count
BATCH = 8  # windows
PIECE_FRAMES, CUT_FRAMES = 26_000, 3000  # decoded at once: five minutes, cut at the quietest of the last 35 s
PITCHES = {"bass": (23, 67), "vocals": (36, 84)}  # of MIDI, that a stem has
DRUMS = "drums"
SILENT, NOTHING = "it is silent", "no note is heard in it"


class NoteTranscriber(LoadedModel):
    """A loaded model; use it as often as you like. `close()`, or a `with` statement, frees its memory."""

    def __init__(
        self,
        model: str | Path | Loaded = DEFAULTS["notes"],
        *,
        options: DecodingOptions = DecodingOptions(),
        device: str = "auto",
        threads: int | None = None,
    ):
        """Load a model by name or folder.

        Raises:
            ModelError: there is no such model, or its folder is damaged.
            RuntimeUnavailable: the device is not there.
            UsageError: the model hears no notes.
        """
        spec, (self._executor,) = load(model, lambda spec: check_task(spec, "notes"), Engine(device, threads=threads))
        super().__init__(spec, self._executor)
        self.options = options

    @classmethod
    def over(cls, executor: Executor, spec: ModelSpec, options: DecodingOptions = DecodingOptions()) -> Self:
        """A transcriber over an executor of one's own: another engine, or a fake in a test."""
        return cls(Loaded(spec, (executor,)), options=options)

    def tracker(self, sample_rate: int, stem: str | None = None) -> "NoteTracker":
        """Take blocks of a recording, or of a stem of it, as they come.

        Raises:
            UsageError: the stem is the drums.
        """
        check_pitched(stem)
        return NoteTracker(self._executor, self.spec, self.options, sample_rate, stem)

    def __call__(
        self, audio: ArrayLike, sample_rate: int, *, stem: str | None = None, recording: ArrayLike | None = None
    ) -> Notes:
        """The notes of an array (C, T); if it is a `stem`, `recording` (C, T) is what it was separated from.

        Raises:
            AudioError: it is not an array of real numbers (C, T), is empty, or holds NaN or infinity.
            UsageError: the recording has another length, or the stem is the drums.
        """
        samples, rate = as_audio(audio), checked_rate(sample_rate)
        around = None if recording is None else as_audio(recording)
        if around is not None and around.shape[1] != samples.shape[1]:
            raise UsageError("A stem and its recording must have as many samples; give both from their beginning.")
        tracker = self.tracker(rate, stem)
        for start in range(0, samples.shape[1], rate):
            block = slice(start, start + rate)
            tracker.push(samples[:, block], None if around is None else around[:, block])
        return tracker.finish()


def check_pitched(stem: str | None) -> None:
    """Refuse the drums, in which the network would hear notes that nobody plays.

    Raises:
        UsageError: the stem is the drums.
    """
    if stem == DRUMS:
        raise UsageError("Drums have no pitch, so their notes are not written down; name another stem.")


class NoteTracker:
    """Takes the blocks of a stem, and of the recording around it, and gives its notes at the end."""

    def __init__(
        self, executor: Executor, spec: ModelSpec, options: DecodingOptions, sample_rate: int, stem: str | None
    ) -> None:
        sizes = spec.geometry
        assert isinstance(sizes, BasicPitchConfig)
        self._executor, self._spec, self._options, self._stem, self._sizes = executor, spec, options, stem, sizes
        self._audio, self._recording = (Mono(sample_rate, spec.sample_rate, sizes.hop_samples) for _ in range(2))
        self._kept = sizes.frames - 2 * MARGIN_FRAMES  # frames that count in a window
        self._waiting = np.zeros(MARGIN_FRAMES * sizes.hop_samples, np.float32)  # samples of windows to come
        self._found: list[FloatArray] = []  # activations (2, n, P) that are not decoded
        self._decoded, self._notes, self._has_recording = 0, list[Note](), False

    def push(self, stem: FloatArray, recording: FloatArray | None = None) -> None:
        """Take a block (C, n), and of a stem the same samples of the recording that it was separated from."""
        if recording is not None:
            self._has_recording = True
            self._recording(recording)
        self._take(self._audio(stem))
        if sum(found.shape[1] for found in self._found) >= PIECE_FRAMES:
            self._decode(is_last=False)

    def finish(self) -> Notes:
        """The notes of all blocks, in the order of their starts."""
        self._recording.finish()
        self._take(self._audio.finish())
        self._take(np.zeros(self._sizes.window_samples, np.float32))
        self._decode(is_last=True)
        seconds = self._audio.samples / self._spec.sample_rate
        inside = (replace(note, end=min(note.end, seconds)) for note in self._notes if note.start < seconds)
        notes = tuple(sorted(inside, key=lambda note: (note.start, note.pitch)))
        reason = None
        if not notes:
            frames = -(-self._audio.samples // self._sizes.hop_samples)
            reason = NOTHING if heard(self._audio.powers(frames), None, self._frame_rate).any() else SILENT
        return Notes(notes, self._spec.name, self._stem, seconds=seconds, reason=reason)

    @property
    def _frame_rate(self) -> float:
        return self._spec.sample_rate / self._sizes.hop_samples

    def _take(self, mono: FloatArray) -> None:
        """Run the network on the windows that samples (m,) complete."""
        self._waiting = np.concatenate((self._waiting, mono))
        size, hop = self._sizes.window_samples, self._kept * self._sizes.hop_samples
        while len(self._waiting) >= size:
            count = min(BATCH, (len(self._waiting) - size) // hop + 1)
            self._run(np.stack([self._waiting[i * hop : i * hop + size] for i in range(count)]))
            self._waiting = self._waiting[count * hop :]

    def _run(self, windows: FloatArray) -> None:
        """Keep the activations of the middle of windows (B, T)."""
        outputs = self._executor.run({"audio": np.ascontiguousarray(windows)})
        both = np.stack([outputs["notes"], outputs["onsets"]])[:, :, MARGIN_FRAMES:-MARGIN_FRAMES]  # (2, B, n, P)
        self._found.append(both.reshape(2, -1, both.shape[-1]))

    def _decode(self, *, is_last: bool) -> None:
        """The notes of the activations so far, up to a quiet frame near their end if there are more to come."""
        found = np.concatenate(self._found, axis=1)  # (2, N, P)
        frames = found.shape[1]
        powers = self._audio.powers(self._decoded + frames)[self._decoded :]
        around = self._recording.powers(self._decoded + frames)[self._decoded :] if self._has_recording else None
        found = found * heard(powers, around, self._frame_rate)[:, None]
        lowest, highest = (pitch - LOWEST_PITCH for pitch in PITCHES.get(self._stem or "", (0, 127)))
        found[..., : max(0, lowest)] = found[..., highest + 1 :] = 0
        end = frames if is_last else frames - CUT_FRAMES + int(found[0, -CUT_FRAMES:].sum(1).argmin())
        for start, stop, pitch, amplitude in decode(found[0, :end], found[1, :end], self._options):
            begins, ends = ((self._decoded + frame) / self._frame_rate for frame in (start, stop))
            self._notes.append(Note(begins, ends, pitch + LOWEST_PITCH, amplitude))
        self._found, self._decoded = [np.concatenate(self._found, axis=1)[:, end:]], self._decoded + end


def notes_of(
    audio: ArrayLike,
    sample_rate: int,
    model: str | Path = DEFAULTS["notes"],
    *,
    stem: str | None = None,
    recording: ArrayLike | None = None,
    options: DecodingOptions = DecodingOptions(),
    device: str = "auto",
) -> Notes:
    """The notes of an array (C, T), as `NoteTranscriber` gives them, which see.

    Raises:
        AudioError, UsageError: as calling a `NoteTranscriber`.
        ModelError: there is no such model, or its folder is damaged.
    """
    with NoteTranscriber(model, options=options, device=device) as transcriber:
        return transcriber(audio, sample_rate, stem=stem, recording=recording)
