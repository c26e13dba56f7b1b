"""Windows: their prompt, language and texts, which are decoded anew at higher temperatures where they are rejected."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unbraid.dsp.arrays import FloatArray
from unbraid.hub.tokens import ByteTokenizer, Tokens
from unbraid.models.audio_transformer.config import AudioTransformerConfig
from unbraid.runtime import Executor
from unbraid.tasks.transcription.whisper.options import Job, WhisperOptions
from unbraid.tasks.transcription.whisper.rules import Rules, log_softmax
from unbraid.tasks.transcription.whisper.search import Start, Text, best_text, best_texts
from unbraid.tasks.transcription.whisper.state import Caches, Heads, WindowState, encoded, of_window


@dataclass(frozen=True)
class WindowText:
    """The text of a window."""

    text: Text
    temperature: float  # at which it was found
    no_speech: float  # probability

    def is_speech(self, options: WhisperOptions) -> bool:
        """Whether somebody speaks: an unlikely text where the model sees no speech is none."""
        return self.no_speech <= options.no_speech or self.text.mean_log_prob > options.least_log_prob


class WindowDecoder:
    """Decodes windows, one or several at a time, with a model's two networks."""

    def __init__(
        self,
        networks: tuple[Executor, Executor],
        geometry: AudioTransformerConfig,
        tokens: Tokens,
        tokenizer: ByteTokenizer,
    ):
        """`networks` are the encoder and the decoder."""
        (self._encoder, self._decoder), self._geometry = networks, geometry
        self.tokens, self.tokenizer = tokens, tokenizer
        self._rules = Rules(tokens)

    def encode(self, *log_mels: FloatArray) -> Caches:
        """The memory of windows, by their spectrograms (N·stride, F)."""
        return encoded(self._encoder, self._geometry, *log_mels)

    def state(self, memory: Caches) -> WindowState:
        """Windows before their prompt."""
        return WindowState(self._decoder, self._geometry, memory)

    def languages(self, memory: Caches) -> dict[str, float]:
        """The probability of each language in a window, the likeliest first; English where the model knows no other."""
        if not self.tokens.languages:
            return {"en": 1.0}
        logits = self.state(of_window(memory, 0)).logits(np.array([[self.tokens.start]]))
        names, numbers = zip(*self.tokens.languages.items(), strict=True)
        found = np.exp(log_softmax(logits[:, list(numbers)]))[0]
        return dict(sorted(zip(names, found.tolist(), strict=True), key=lambda pair: -pair[1]))

    def about(self, language: str, task: Job) -> list[int]:
        """The tokens between the start and a text: language and task."""
        tokens = self.tokens
        chosen = tokens.translate if task == "translate" else tokens.transcribe
        return [tokens.languages[language], chosen] if chosen is not None else []

    @property
    def most_before(self) -> int:
        """Tokens before a window that fit in front of its text."""
        return self._geometry.target_steps // 2 - 1

    def alignment(self, memory: Caches, language: str, task: Job, text: Sequence[int], heads: Heads) -> FloatArray:
        """The attention weights (A, n + 1, N) of a text of n tokens and its end, in some heads."""
        about = [self.tokens.start, *self.about(language, task)]
        shown = np.array([[*about, self.tokens.no_timestamps, *text, self.tokens.end]])
        return self.state(memory).alignment(shown, heads)[:, len(about) : -1]

    def decode(
        self, memory: Caches, language: str, before: Sequence[int], options: WhisperOptions, seed: int = 0
    ) -> list[WindowText]:
        """The text of each window; `before` is the text that precedes them."""
        start, no_speech = self._start(memory, language, before, options)
        first = options.temperatures[0]
        alone = [start.of_window(item) for item in range(len(no_speech))]
        if first:
            texts = [best_text(one, self._rules, options, first, seed + i) for i, one in enumerate(alone)]
        else:
            texts = best_texts(start, self._rules, options)
        found = [WindowText(text, first, silent) for text, silent in zip(texts, no_speech, strict=True)]
        return [self._accepted(*pair, options, seed + i) for i, pair in enumerate(zip(alone, found, strict=True))]

    def _accepted(self, start: Start, first: WindowText, options: WhisperOptions, seed: int) -> WindowText:
        """The first text of a window, or where it is rejected the first better one at a higher temperature."""
        found, rest = [first], iter(options.temperatures[1:])
        while self._is_rejected(found[-1], options) and (temperature := next(rest, None)) is not None:
            text = best_text(start, self._rules, options, temperature, seed)
            found.append(WindowText(text, temperature, first.no_speech))
        if not self._is_rejected(found[-1], options):
            return found[-1]
        sound = [one for one in found if self.compression(one.text.tokens) <= options.most_compression]
        return max(sound or found, key=lambda one: one.text.mean_log_prob)

    def _start(
        self, memory: Caches, language: str, before: Sequence[int], options: WhisperOptions
    ) -> tuple[Start, list[float]]:
        """Windows after their prompt, and the probability of each that nobody speaks."""
        tokens, state = self.tokens, self.state(memory)
        prompt = [tokens.previous, *before[-self.most_before :]] if before else []
        items = len(memory["cross_keys_0"])
        logits = state.logits(np.array([[*prompt, tokens.start]] * items))
        no_speech = np.exp(log_softmax(logits)[:, tokens.no_speech]).tolist()
        about = self.about(language, options.task)
        if about:
            logits = state.logits(np.array([about] * items))
        room = self._geometry.target_steps - len(prompt) - 1 - len(about)
        most = min(self._geometry.target_steps // 2 - len(about), room)
        return Start(state, logits, most, tokens.end), no_speech

    def _is_rejected(self, found: WindowText, options: WhisperOptions) -> bool:
        """Whether the next temperature is tried: a loop, or an unlikely text where somebody speaks."""
        if self.compression(found.text.tokens) > options.most_compression:
            return True
        return found.text.mean_log_prob < options.least_log_prob and found.no_speech <= options.no_speech

    def compression(self, tokens: Sequence[int]) -> float:
        """How many times smaller a text becomes by zlib."""
        text = self.tokenizer.bytes_of(tokens)
        return len(text) / len(zlib.compress(text))
