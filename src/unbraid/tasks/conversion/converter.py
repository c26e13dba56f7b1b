"""VoiceConverter: speech in the voice that a vector describes, of any length in constant memory.

    with VoiceConverter("microsoft/speecht5_vc", speaker=vector) as converter:
        audio = converter(audio, sample_rate)       # (C, T) in and out, at the same rate

Channels are mixed. The recording is cut at its pauses into pieces, which a SpeechT5 reads one after the other; silence
and steady sound become silence. See `parts` for their lengths, levels and seams.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Self

import numpy as np

from unbraid.audio import ArrayLike, Excerpt, Source, as_audio, checked_rate
from unbraid.dsp.arrays import Blocks, FloatArray
from unbraid.dsp.downmix import Downmix
from unbraid.dsp.rumble import without_rumble
from unbraid.hub.defaults import DEFAULTS
from unbraid.hub.spec import ModelSpec
from unbraid.models.hifigan.config import HifiganConfig
from unbraid.models.speecht5.config import SpeechT5Config
from unbraid.runtime import Engine, Executor
from unbraid.tasks.conversion.parts import Part, silence, stretched, waveforms
from unbraid.tasks.decoding.speecht5_frames import Spoken, write_frames
from unbraid.tasks.loading import Loaded, LoadedModel, check_task, load
from unbraid.tasks.pauses import Piece, pieces
from unbraid.tasks.results import Diagnostics, Run
from unbraid.tasks.separation.stream import PassProgress, Progress, Track, resampled
from unbraid.tasks.synthesis.speaker_vector import checked_vector
from unbraid.tasks.synthesis.speecht5 import VOCODER
from unbraid.tasks.transcription.recognizer import is_silent
from unbraid.tasks.transcription.whisper.voice import holds_speech
from unbraid.tasks.vocoder import Vocoder, vocoder_for

MODEL = DEFAULTS["voice conversion"]
MOST_TIMES = 2.0  # as long as a piece may become, before it is stretched
NOTED_TIMES = 1.3  # from which on a piece that became longer or shorter is noted
CONTEXT_FRAMES = 64  # around a part, of a vocoder that does not tell


class VoiceConverter(LoadedModel):
    """Loaded models; use it as often as you like. `close()`, or a `with` statement, frees their memory."""

    def __init__(
        self,
        model: str | Path | Loaded = MODEL,
        *,
        speaker: FloatArray,
        vocoder: str | Path | Vocoder = VOCODER,
        device: str = "auto",
        threads: int | None = None,
    ):
        """Load a model and its vocoder by name or folder; `speaker` (S,) describes the new voice.

        Raises:
            ModelError: there is no such model, or its folder is damaged.
            RuntimeUnavailable: the device is not there.
            UsageError: a model does another task, the vocoder takes other spectrograms, or the speaker is another
                vector.
        """
        loaded = load(model, _sizes, Engine(device, threads=threads))
        super().__init__(loaded.spec, *loaded.executors)
        self._encoder, *self._writing = loaded.executors
        spec, self._sizes = loaded.spec, _sizes(loaded.spec)
        self.speaker = checked_vector(speaker, self._sizes.speaker, spec.name)
        vocoder = vocoder_for(spec, vocoder, device=device, threads=threads)
        self._networks.append(vocoder)
        assert spec.mel is not None and spec.windows is not None
        self._vocoder, self._hop, self._longest = vocoder, spec.mel.hop_samples, spec.windows.seconds

    @classmethod
    def over(cls, executors: tuple[Executor, ...], spec: ModelSpec, speaker: FloatArray, vocoder: Vocoder) -> Self:
        """A converter over executors of one's own: another engine, or fakes in a test."""
        return cls(Loaded(spec, executors), speaker=speaker, vocoder=vocoder)

    def __call__(self, audio: ArrayLike, sample_rate: int) -> FloatArray:
        """Convert an array (C, T): float32 (C, T) with all channels alike.

        Raises:
            AudioError: it is not an array of real numbers (C, T), is empty, or holds NaN or infinity.
        """
        track, diagnostics = Track.of(as_audio(audio), checked_rate(sample_rate)), Diagnostics(self.spec.name)
        return np.concatenate(list(self._converted(track, None, diagnostics)), axis=1)

    def run(self, source: Source, excerpt: Excerpt = Excerpt(), *, progress: Progress | None = None) -> Run[FloatArray]:
        """Convert an excerpt of a file: blocks (C, n) at its own rate, of its length, in constant memory.

        The run's `diagnostics.notice` names the first piece whose length changed by much, if any.

        Raises:
            AudioError: the file cannot be read.
        """
        diagnostics = Diagnostics(self.spec.name)
        return Run.over_file(source, excerpt, lambda track: self._converted(track, progress, diagnostics), diagnostics)

    def speak(self, waveform: FloatArray, *, dropout: bool = True) -> Spoken:
        """The spectrogram of a waveform (T,) at the model's rate in the new voice; `dropout` is that of the pre-net."""
        padded = np.pad(waveform, (0, max(0, self._sizes.least_samples - len(waveform))))
        memory = self._encoder.run({"waveform": np.ascontiguousarray(padded[None], np.float32)})
        most = MOST_TIMES * len(padded) / self._hop / self._sizes.stride
        return write_frames(self._writing, self._sizes, memory, self.speaker, int(most) + 1, dropout=dropout)

    def _converted(self, track: Track, progress: Progress | None, diagnostics: Diagnostics) -> Iterator[FloatArray]:
        """Blocks (C, n) of a track in the new voice."""
        rate, own, read, given = track.sample_rate, self.spec.sample_rate, 0, 0

        def counted() -> Blocks:
            nonlocal read
            for block in PassProgress(progress, 1, track).reported(track.blocks()):
                read += block.shape[1]
                yield block

        mixed = without_rumble(Downmix(rate).blocks(counted()), rate)
        made = self._waveform(resampled(mixed, rate, own), diagnostics)
        for block in resampled((block[None] for block in made), own, rate):
            block = block[:, : read - given]
            given += block.shape[1]
            if block.shape[1]:
                yield np.repeat(block, track.channels, axis=0)
        if given < read:
            yield np.zeros((track.channels, read - given), np.float32)

    def _waveform(self, blocks: Blocks, diagnostics: Diagnostics) -> Iterator[FloatArray]:
        """Blocks (1, n) at the model's rate in the new voice, (m,), in whole frames."""
        config = self._vocoder.spec.geometry
        context = config.context_frames if isinstance(config, HifiganConfig) else CONTEXT_FRAMES
        parts = self._parts(blocks, diagnostics)
        return waveforms(parts, self._vocoder, context, self._hop, self.spec.sample_rate)

    def _parts(self, blocks: Blocks, diagnostics: Diagnostics) -> Iterator[Part]:
        """The parts of blocks (1, n) at the model's rate, one behind the other."""
        rate, hop, bins, samples = self.spec.sample_rate, self._hop, self._sizes.bins, 0

        def counted() -> Blocks:
            nonlocal samples
            for block in blocks:
                samples += block.shape[1]
                yield block

        place = 0  # frames so far
        for piece in pieces(counted(), round(self._longest * rate), rate):
            first, end = (round(at / hop) for at in (piece.begin, piece.begin + len(piece.audio)))
            if first > place:
                yield silence(first - place, bins)
            if end > first:
                yield self._part(piece, end - first, diagnostics)
            place = max(place, end)
        if (rest := -(-samples // hop) - place) > 0:
            yield silence(rest, bins)

    def _part(self, piece: Piece, frames: int, diagnostics: Diagnostics) -> Part:
        """A piece in so many frames."""
        audio, rate = piece.audio, self.spec.sample_rate
        if is_silent(audio) or not holds_speech(audio, rate):
            return silence(frames, self._sizes.bins)
        spoken = self.speak(audio)
        times, noted = len(spoken.log_mel) / frames, diagnostics.notice is not None
        if not noted and not (spoken.ended and 1 / NOTED_TIMES <= times <= NOTED_TIMES):
            change = f"took {times:.1f} times as long" if spoken.ended else "found no end"
            diagnostics.note(f"the new voice {change} at {piece.begin / rate:.0f} s, and was fitted to its place")
        level = float(np.sqrt(np.mean(np.square(audio, dtype=np.float64))))
        return Part(stretched(spoken.log_mel, frames), level, max(1.0, float(np.abs(audio).max())))


def _sizes(spec: ModelSpec) -> SpeechT5Config:
    check_task(spec, "voice conversion")
    assert isinstance(spec.geometry, SpeechT5Config)
    return spec.geometry
