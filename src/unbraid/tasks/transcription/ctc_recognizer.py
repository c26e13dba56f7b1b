"""Speech recognition by CTC alone: Wav2Vec2 and HuBERT."""

from collections.abc import Iterator

import numpy as np

from unbraid.dsp.arrays import Blocks
from unbraid.hub.spec import ModelSpec
from unbraid.hub.vocabulary import PADDING
from unbraid.models.audio_transformer.config import PretrainedSide
from unbraid.models.wav2vec2.config import Wav2Vec2Config
from unbraid.runtime import Executor
from unbraid.tasks.decoding.ctc import FloatArray, align, beam_search, greedy
from unbraid.tasks.decoding.search import log_softmax
from unbraid.tasks.transcription.recognizer import Note, Recognizer, ignored, is_silent, vocabulary_of
from unbraid.tasks.transcription.stitching import blanks, joined_steps, pieces
from unbraid.tasks.transcription.transcript import SPACE, Word, words_of

PAUSE_SECONDS = 0.5  # steps without speech, at which CTC's output is cut into pieces
PIECE_SECONDS = 30.0  # longest piece where nobody pauses


class CtcRecognizer(Recognizer):
    """A recogniser whose windows are stitched by their steps, and decoded afterwards."""

    def __init__(self, network: Executor, spec: ModelSpec):
        """`network` is the only graph of a model; it is closed with the recogniser."""
        assert isinstance(spec.geometry, Wav2Vec2Config)
        super().__init__(spec, PretrainedSide(spec.geometry), network)  # it reads as one before an audio Transformer
        self.vocabulary = vocabulary_of(spec)
        self._network = network

    def words(self, blocks: Blocks, beams: int | None = None, note: Note = ignored) -> Iterator[Word]:
        """The words of blocks (1, n) at the model's rate, greedily, or by prefix beam search with several beams."""
        symbols = self.vocabulary.symbols
        quiet = [number for number, symbol in enumerate(symbols) if number == PADDING or symbol == SPACE]
        pause, most = (max(1, round(length / self.step_seconds)) for length in (PAUSE_SECONDS, PIECE_SECONDS))
        for first, piece in pieces(self.log_probs_of(blocks), quiet, pause, most):
            spans = align(piece, beam_search(piece, beams)[0].symbols) if beams and beams > 1 else greedy(piece)
            yield from words_of(spans, self.vocabulary, self.step_seconds, first)

    def log_probs_of(self, blocks: Blocks) -> Iterator[FloatArray]:
        """CTC's log probabilities (n, V) at all steps of blocks (1, n) at the model's rate, windows stitched."""
        return joined_steps((first, self._heard(window)) for first, window in self.windows(blocks))

    def log_probs(self, audio: FloatArray) -> FloatArray:
        """Log probabilities (N, V) of the symbols in a waveform (T,) at the model's rate."""
        padded = np.pad(audio, (0, max(0, self.spec.geometry.least_samples - len(audio))))
        waveform = np.ascontiguousarray(padded[None], np.float32)  # (1, T)
        return log_softmax(self._network.run({"waveform": waveform})["logits"][0])

    def _heard(self, window: FloatArray) -> FloatArray:
        return blanks(self.steps(len(window)), len(self.vocabulary)) if is_silent(window) else self.log_probs(window)
