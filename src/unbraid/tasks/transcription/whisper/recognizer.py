"""Speech recognition by Whisper: windows that move by the last time written, in constant memory."""

import copy
import dataclasses
import itertools
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Self

import numpy as np

from unbraid.dsp.arrays import Blocks, FloatArray
from unbraid.dsp.whisper_mel import whisper_mel
from unbraid.errors import ModelError
from unbraid.hub.spec import ModelSpec
from unbraid.hub.tokens import ByteTokenizer, Tokens, read_tokenizer
from unbraid.models.audio_transformer.config import AudioTransformerConfig, as_audio_transformer
from unbraid.runtime import Executor
from unbraid.tasks.loading import ModelFolder
from unbraid.tasks.pauses import Ahead, Piece, pieces
from unbraid.tasks.transcription.recognizer import Note, Recognizer, ignored, is_silent
from unbraid.tasks.transcription.transcript import Word
from unbraid.tasks.transcription.whisper.loops import without_loop
from unbraid.tasks.transcription.whisper.options import WhisperOptions, check_options
from unbraid.tasks.transcription.whisper.phrases import Phrase, cut_at_times
from unbraid.tasks.transcription.whisper.state import Caches, of_window
from unbraid.tasks.transcription.whisper.voice import may_be_speech
from unbraid.tasks.transcription.whisper.window import WindowDecoder, WindowText
from unbraid.tasks.transcription.whisper.words import in_order, spread_words, timed_words

FORGET_TEMPERATURE = 0.5  # a text found above it does not lead the next window: it may be wrong
SURE_LANGUAGE = 0.5  # probability
SHORTEST_SECONDS = 0.1  # of a window
SAME_PHRASES = 3  # phrases of the same words, one after the other, of which the further ones are a loop


class WhisperRecognizer(Recognizer):
    """A recogniser that writes phrases with times, of which the last one tells where its next window begins."""

    def __init__(
        self,
        networks: tuple[Executor, Executor],
        spec: ModelSpec,
        tokenizer: ByteTokenizer,
        options: WhisperOptions = WhisperOptions(),
    ):
        """`networks` are the encoder and the decoder of a model; they are closed with the recogniser.

        Raises:
            UsageError: the model lacks the language or the task.
            ModelError: an attention head that is to follow the words is not in the network.
        """
        geometry = as_audio_transformer(spec.geometry)
        super().__init__(spec, geometry.source, *networks)
        assert spec.tokens and spec.mel and spec.windows
        check_options(options, spec.tokens, spec.name)
        self._options, self._tokens, self._mel = options, spec.tokens, spec.mel
        self._heads = alignment_heads(spec.tokens, geometry, spec.name)
        self._samples = round(spec.windows.seconds * spec.sample_rate)
        self._decoder = WindowDecoder(networks, geometry, spec.tokens, tokenizer)

    @classmethod
    def open(cls, folder: ModelFolder, options: WhisperOptions) -> Self:
        """The recogniser of a model folder.

        Raises:
            UsageError, ModelError: as the class, or the folder's tokens are damaged.
            RuntimeUnavailable: the device is not there.
        """
        spec, geometry = folder.spec, as_audio_transformer(folder.spec.geometry)
        assert spec.tokens
        tokenizer = read_tokenizer(folder.path, spec.tokens)
        check_options(options, spec.tokens, spec.name)
        alignment_heads(spec.tokens, geometry, spec.name)  # errors before the networks are opened
        encoder, decoder = folder.open(*geometry.graphs)
        return cls((encoder, decoder), spec, tokenizer, options)

    def for_stretches(self) -> Recognizer:
        """The same recogniser, which times words by attention, and does not read on from the text of the window before.

        Phrases share one time across a pause, and what somebody said before is easily heard again after it.
        """
        other = copy.copy(self)
        other._options = dataclasses.replace(self._options, word_times=True, follow=False)
        return other

    def words(self, blocks: Blocks, beams: int | None = None, note: Note = ignored) -> Iterator[Word]:
        """The words of blocks (1, n) at the model's rate, by beam search: 5 beams by default."""
        options = self._options if beams is None else dataclasses.replace(self._options, beams=beams)
        if options.batch == 1:
            return in_order(self._read_on(Ahead(blocks), _Run(self._decoder, options, note)))
        return in_order(self._read_together(blocks, options, note))

    def _read_together(self, blocks: Blocks, options: WhisperOptions, note: Note) -> Iterator[Word]:
        """The words of blocks, several pieces at a time."""
        run, rate = _Run(self._decoder, dataclasses.replace(options, follow=False), note), self.spec.sample_rate
        heard = self._heard(pieces(blocks, self._samples, rate))
        while batch := list(itertools.islice(heard, options.batch)):
            found = run.phrases([(log_mel, len(one.audio) / rate, one.begin / rate) for one, log_mel in batch])
            for (one, _), (phrases, seconds, memory) in zip(batch, found, strict=True):
                yield from self._worded(phrases, run, memory, one)
                moved = round(seconds * rate)  # what the model did not finish is read on from there
                rest = Ahead(iter([one.audio[None, moved:]]))
                yield from self._read_on(rest, run, one.begin + moved)

    def _read_on(self, audio: Ahead, run: "_Run", place: int = 0) -> Iterator[Word]:
        """The words of audio from a place in the recording on, window by window."""
        rate = self.spec.sample_rate
        while len(window := audio.window(self._samples)) >= SHORTEST_SECONDS * rate:
            moved, one = len(window), Piece(place, window)
            for _, log_mel in self._heard([one]):
                ((phrases, seconds, memory),) = run.phrases([(log_mel, len(window) / rate, place / rate)])
                yield from self._worded(phrases, run, memory, one)
                moved = min(len(window), round(seconds * rate))
            audio.move(moved)
            place += moved

    def _heard(self, found: Iterable[Piece]) -> Iterator[tuple[Piece, FloatArray]]:
        """The pieces in which somebody may speak, with their spectrograms."""
        for one in found:
            if len(one.audio) >= SHORTEST_SECONDS * self.spec.sample_rate and not is_silent(one.audio):
                log_mel = self._log_mel(one.audio)
                if self._may_be_speech(log_mel, len(one.audio)):
                    yield one, log_mel

    def _log_mel(self, window: FloatArray) -> FloatArray:
        """The spectrogram (N·stride, F) of a window (n,), filled up with silence."""
        return whisper_mel(np.pad(window, (0, self._samples - len(window))), self._mel, self.spec.sample_rate)

    def _may_be_speech(self, log_mel: FloatArray, samples: int) -> bool:
        return not self._options.vad or may_be_speech(log_mel[: samples // self._mel.hop_samples])

    def _worded(self, phrases: list[Phrase], run: "_Run", memory: Caches, piece: Piece) -> Iterator[Word]:
        """The words of the phrases of a piece, in the recording's time."""
        tokenizer, language = self._decoder.tokenizer, run.language or "en"
        if not phrases or not self._options.word_times:
            found = [spread_words(phrase, tokenizer, language) for phrase in phrases]
        else:
            texts = [token for phrase in phrases for token in phrase.tokens]
            alignment = self._decoder.alignment(memory, language, self._options.task, texts, self._heads)
            steps = max(1, len(piece.audio) // self.step_samples)
            found = timed_words(phrases, alignment[..., :steps], tokenizer, language)
        yield from (word.after(piece.begin / self.spec.sample_rate) for words in found for word in words)


class _Run:
    """One recording: its language, and the text so far."""

    def __init__(self, decoder: WindowDecoder, options: WhisperOptions, note: Note):
        self._decoder, self._options, self._note = decoder, options, note
        self.language = options.language
        self._prompt = decoder.tokenizer.encode(f" {options.prompt.strip()}") if options.prompt.strip() else []
        self._before: deque[int] = deque(maxlen=decoder.most_before)
        self._last: deque[tuple[int, ...]] = deque(maxlen=SAME_PHRASES)
        self._windows, self._said_loop = 0, False

    def phrases(self, windows: Sequence[tuple[FloatArray, float, float]]) -> list[tuple[list[Phrase], float, Caches]]:
        """Of each window its phrases, by how many seconds the next one begins later, and its memory.

        Windows are spectrograms with their lengths and places in seconds; they are read together.
        """
        decoder, options = self._decoder, self._options
        memory = decoder.encode(*(log_mel for log_mel, _, _ in windows))
        if self.language is None:
            self.language, probability = next(iter(decoder.languages(memory).items()))
            if decoder.tokens.languages:
                sure = "is" if probability >= SURE_LANGUAGE else "may be"
                self._note(f"the language {sure} {self.language} ({probability:.0%}); --language sets another")
        found = decoder.decode(memory, self.language, self._context(), options, self._windows + 1)
        self._windows += len(windows)
        return [
            (*self._accepted(text, seconds, begin), of_window(memory, item))
            for item, (text, (_, seconds, begin)) in enumerate(zip(found, windows, strict=True))
        ]

    def _accepted(self, found: WindowText, seconds: float, begin: float) -> tuple[list[Phrase], float]:
        """The phrases of a window of so many seconds, without loops, and by how many the next one begins later."""
        decoder = self._decoder
        if not found.is_speech(self._options):
            return [], seconds
        text = found.text
        kept = without_loop(text.tokens)
        if kept < len(text.tokens):
            self._tell_loop(begin)
        cut = cut_at_times(text.tokens[:kept], text.logs, decoder.tokens.first_time, seconds)
        if found.temperature > FORGET_TEMPERATURE or kept < len(text.tokens):
            self._before.clear()
        else:
            self._before.extend(text.tokens[: cut.used])
        return [phrase for phrase in cut.phrases if self._is_new(phrase, begin)], cut.moved

    def _context(self) -> list[int]:
        """The text before the window: the prompt, and as much of what was said as fits behind it."""
        if not self._options.follow:
            return self._prompt[-self._decoder.most_before :]
        room = max(0, self._decoder.most_before - len(self._prompt))
        return [*self._prompt, *[*self._before][len(self._before) - min(room, len(self._before)) :]]

    def _is_new(self, phrase: Phrase, begin: float) -> bool:
        """Whether a phrase has words, and is not the same again for the fourth time."""
        if not self._decoder.tokenizer.decode(phrase.tokens).strip():
            return False
        if len(self._last) == SAME_PHRASES and all(phrase.tokens == last for last in self._last):
            self._tell_loop(begin + phrase.start)
            self._before.clear()
            return False
        self._last.append(phrase.tokens)
        return True

    def _tell_loop(self, seconds: float) -> None:
        """Say once that a loop was left out."""
        if not self._said_loop:
            self._note(f"the model repeated itself from {seconds:.0f} s on; the repeats are left out")
        self._said_loop = True


def alignment_heads(tokens: Tokens, geometry: AudioTransformerConfig, name: str) -> tuple[tuple[int, int], ...]:
    """The heads that follow the words: the checkpoint's, or all of the upper half of the layers.

    Raises:
        ModelError: the network lacks one of them.
    """
    layers, heads = geometry.decoder_layers, geometry.heads
    for layer, head in tokens.alignment_heads:
        if layer >= layers or head >= heads:
            raise ModelError(f"{name}: its network has {layers} layers of {heads} heads, no head {layer}, {head}.")
    every = itertools.product(range(layers // 2, layers), range(heads))
    return tuple(sorted(tokens.alignment_heads)) or tuple(every)
