"""Speech recognisers: audio at the model's rate in, words out.

There are three: `CtcRecognizer` stitches the steps of overlapping windows and then decodes them, `DecoderRecognizer`
decodes each window and then stitches words, and `WhisperRecognizer` moves its windows by the times that it writes. A
network attends to a whole window at once.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from unbraid.dsp.arrays import Blocks, FloatArray
from unbraid.dsp.overlap import windows
from unbraid.errors import UsageError
from unbraid.hub.names import entries
from unbraid.hub.spec import ModelSpec, read_spec
from unbraid.hub.vocabulary import Vocabulary
from unbraid.models.audio_transformer.config import Side, samples_in_step
from unbraid.models.audio_transformer.padding import steps_in
from unbraid.runtime import Executor
from unbraid.tasks.loading import LoadedModel, check_task
from unbraid.tasks.transcription.transcript import Word

Note = Callable[[str], None]
SILENCE = 1e-4  # -80 dB: the peak up to which a window is silent


def ignored(_: str) -> None:
    """A note that nobody reads."""


class Recognizer(LoadedModel, ABC):
    """A loaded model; use it as often as you like. `close()`, or a `with` statement, frees its memory."""

    def __init__(self, spec: ModelSpec, source: Side, *networks: Executor | LoadedModel):
        """Take over networks and the input side of the first.

        Raises:
            UsageError: the model is not a speech recogniser.
        """
        check_task(spec, "transcription")
        super().__init__(spec, *networks)
        self.hears_samples = spec.geometry.reads == "waveform"  # or else spectrograms
        self.step_samples = samples_in_step(source, spec.mel)
        self.step_seconds = self.step_samples / spec.sample_rate
        self._source = source

    @abstractmethod
    def words(self, blocks: Blocks, beams: int | None = None, note: Note = ignored) -> Iterator[Word]:
        """The words of blocks (1, n) at the model's rate, in constant memory; silent windows are skipped.

        `note` is told of anything unusual.
        """

    def log_probs_of(self, blocks: Blocks) -> Iterator[FloatArray]:
        """CTC's log probabilities (n, V) at all steps of blocks (1, n) at the model's rate, windows stitched.

        Raises:
            UsageError: the model has no CTC.
        """
        raise UsageError(
            f"{self.spec.name} has no CTC output, which tells when each symbol is said; for times of a known text "
            "choose a Wav2Vec2, a HuBERT, or an audio Transformer that was trained with CTC."
        )

    def for_stretches(self) -> "Recognizer":
        """The same recogniser, over the same networks, for stretches of a recording without what lies between them."""
        return self

    def steps(self, samples: int) -> int:
        """The number of steps in so many samples."""
        hop = self.spec.mel.hop_samples if self.spec.mel else 1
        return steps_in(self._source, -(-samples // hop))

    def windows(self, blocks: Blocks) -> Iterator[tuple[int, FloatArray]]:
        """Windows (T,) of blocks (1, n), each aligned with steps, and with its first step."""
        spec, samples = self.spec, self.step_samples
        assert spec.windows is not None
        length = max(1, round(spec.windows.seconds * spec.sample_rate / samples))
        overlap = min(round(spec.windows.overlap_seconds * spec.sample_rate / samples), length - 1)
        end = 0
        for window, new in windows(blocks, length * samples, overlap * samples):
            end += new
            begin = end - window.shape[1]
            skipped = -begin % samples  # the last window reaches back, not by whole steps
            yield (begin + skipped) // samples, window[0, skipped:]


def vocabulary_of(spec: ModelSpec) -> Vocabulary:
    """The symbols that a recogniser writes."""
    assert spec.vocabularies is not None
    return Vocabulary(spec.vocabularies.target)


def is_silent(window: FloatArray) -> bool:
    """Whether a window (T,) is below -80 dB everywhere."""
    return float(np.abs(window).max(initial=0.0)) <= SILENCE


def find_reader(spec: ModelSpec) -> Path | None:
    """A model on this machine that reads spectrograms and has the same target vocabulary."""
    for entry in entries():
        if entry.folder is None or entry.family != "audio_transformer":
            continue
        other = read_spec(entry.folder)
        reads = other.geometry.reads == "spectrogram"
        if reads and other.vocabularies and spec.vocabularies and other.vocabularies.target == spec.vocabularies.target:
            return entry.folder
    return None
