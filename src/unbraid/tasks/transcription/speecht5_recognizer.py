"""Speech recognition by a SpeechT5: pieces between pauses, each written symbol by symbol, by beam search.

A piece begins and ends in a pause, so that no window has to be stitched to another. The decoder does not tell when a
symbol is said; the words of a piece share its time by their letters.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from unbraid.dsp.arrays import Blocks, FloatArray
from unbraid.hub.spec import ModelSpec
from unbraid.hub.vocabulary import BEGIN, END, SPECIAL
from unbraid.models.audio_transformer.config import PretrainedSide
from unbraid.models.signatures import Arrays
from unbraid.models.speecht5.config import SpeechT5Config
from unbraid.runtime import Executor
from unbraid.tasks.decoding.ctc import Span
from unbraid.tasks.decoding.search import BeamSearch, DecodingOptions, Hypothesis, log_softmax
from unbraid.tasks.decoding.speecht5_frames import empty_cache
from unbraid.tasks.pauses import pieces
from unbraid.tasks.transcription.recognizer import Note, Recognizer, ignored, is_silent, vocabulary_of
from unbraid.tasks.transcription.transcript import Word, words_of
from unbraid.tasks.transcription.whisper.voice import holds_speech

BEAMS = 5
LENGTH_PENALTY = 1.0  # without it beams prefer texts that leave something out
SYMBOLS_A_SECOND = 25  # at most; fast speech has 20


class SpeechT5Recognizer(Recognizer):
    """A recogniser that writes the text of each piece."""

    def __init__(self, networks: Sequence[Executor], spec: ModelSpec):
        """`networks` are the encoder and the decoder of a model; they are closed with the recogniser."""
        assert isinstance(spec.geometry, SpeechT5Config)
        super().__init__(spec, PretrainedSide(spec.geometry.front), *networks)
        self.vocabulary = vocabulary_of(spec)
        self._sizes, (self._encoder, self._decoder) = spec.geometry, networks
        symbols = self.vocabulary.symbols
        self._written = np.array([len(symbol) == 1 for symbol in symbols])  # (V,); others are named by numbers
        self._written[: len(SPECIAL)] = False
        self._written[END] = True

    def words(self, blocks: Blocks, beams: int | None = None, note: Note = ignored) -> Iterator[Word]:
        """The words of blocks (1, n) at the model's rate, by beam search: 5 beams by default."""
        rate, windows, told = self.spec.sample_rate, self.spec.windows, False
        assert windows is not None
        for piece in pieces(blocks, round(windows.seconds * rate), rate):
            if is_silent(piece.audio) or not holds_speech(piece.audio, rate):
                continue
            text = self.read(piece.audio, beams or BEAMS)
            if not text.ended and not told:
                note(f"{self.spec.name} found no end of the text at {piece.begin / rate:.0f} s")
                told = True
            spans = spread(text, len(piece.audio))
            yield from (word.after(piece.begin / rate) for word in words_of(spans, self.vocabulary, 1 / rate))

    def read(self, audio: FloatArray, beams: int, length_penalty: float = LENGTH_PENALTY) -> Hypothesis:
        """The likeliest text of a waveform (T,) at the model's rate, of characters alone."""
        padded = np.pad(audio, (0, max(0, self._sizes.least_samples - len(audio))))
        memory = self._encoder.run({"waveform": np.ascontiguousarray(padded[None], np.float32)})
        most = max(1, round(len(audio) / self.spec.sample_rate * SYMBOLS_A_SECOND))
        search = BeamSearch(0, (), DecodingOptions(beams, length_penalty, most_symbols=most))
        state = empty_cache(self._sizes)
        rows = [0]
        while rows:
            state = {name: value[:, rows] for name, value in state.items()}
            logits, state = self.step([path.last for path in search.live], state, memory)
            rows = search.advance(log_softmax(np.where(self._written, logits, -np.inf)))
        return search.found()[0]

    def step(self, symbols: Sequence[int], past: Arrays, memory: Arrays) -> tuple[FloatArray, Arrays]:
        """The logits (B, V) behind the last symbols of B texts of one piece, and the caches.

        A text begins with the symbol of its end.
        """
        last = np.array([END if symbol == BEGIN else symbol for symbol in symbols], np.int64)
        found = self._decoder.run({"symbols": last, **past, **memory})
        return found["logits"], {name: found[f"new_{name}"] for name in past}


def spread(text: Hypothesis, samples: int) -> list[Span]:
    """The symbols of a text, evenly spread over so many samples."""
    edges = np.linspace(0, samples, len(text.symbols) + 1).round().astype(int)
    pairs = zip(text.symbols, edges[:-1], edges[1:], text.log_probabilities, strict=False)  # its end has no span
    return [Span(symbol, int(start), int(end), log) for symbol, start, end, log in pairs]
