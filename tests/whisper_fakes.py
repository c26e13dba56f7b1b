"""A Whisper that hears tones: each is a word, and it writes phrases with their times as the real ones do."""

from collections.abc import Callable, Sequence

import numpy as np

from unbraid.hub.spec import Mel, ModelSpec, Windows
from unbraid.hub.tokens import ByteTokenizer, Tokens
from unbraid.models.audio_transformer.whisper import whisper_config
from unbraid.tasks.transcription.whisper.options import WhisperOptions
from unbraid.tasks.transcription.whisper.recognizer import WhisperRecognizer

RATE, STEPS, WRITTEN, HEADS, WIDTH = 16000, 50, 80, 2, 8  # windows of 1 s
WORDS = [b" one", b" two", b" three", b" four"]
END = 256 + len(WORDS)
NAMES = ["end", "start", "en", "de", "ja", "translate", "transcribe", "lm", "previous", "no_speech", "no_timestamps"]
NUMBER = {name: END + i for i, name in enumerate(NAMES)}
FIRST_TIME = END + len(NAMES)
SYMBOLS = FIRST_TIME + STEPS + 1
HERTZ = [500.0, 1000.0, 2000.0, 4000.0]
SURE = 20.0  # logit of what is heard
TOKENS = Tokens(
    SYMBOLS, END, NUMBER["start"], NUMBER["previous"], NUMBER["no_speech"], NUMBER["no_timestamps"],
    NUMBER["transcribe"], NUMBER["translate"], {name: NUMBER[name] for name in ("en", "de", "ja")},
    suppressed_first=(32, END), alignment_heads=((0, 1),),
)  # fmt: skip
TOKENIZER = ByteTokenizer([*(bytes([byte]) for byte in range(256)), *WORDS])
GEOMETRY = whisper_config(
    HEADS * WIDTH, HEADS, (1, 1), hidden=20, symbols=SYMBOLS, bins=80, steps=(STEPS, WRITTEN)
)  # fmt: skip
SPEC = ModelSpec(
    "tiny-whisper", "audio_transformer", RATE, 1, (), GEOMETRY, "MIT", "a test",
    windows=Windows(1.0, 0.0), mel=Mel(400, 160, 80, form="whisper"), tokens=TOKENS,
)  # fmt: skip
Script = Callable[
    [np.ndarray, list[int]], Sequence[int]
]  # spectrogram (N, F), tokens before the window -> its text; empty: unsure


def time(seconds: float) -> int:
    """The token of a time."""
    return FIRST_TIME + round(seconds / 0.02)


class Encoder:
    """Keeps the spectrograms; the memory of one is its number."""

    device, reason = "fake", "a test asked for it"

    def __init__(self) -> None:
        self.seen: list[np.ndarray] = []
        self.closed = False

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        items = len(inputs["log_mel"])
        assert inputs["log_mel"].shape == (items, 2 * STEPS, 80) and inputs["lengths"].shape == (items,)
        numbers = np.arange(len(self.seen), len(self.seen) + items, dtype=np.float32)
        self.seen.extend(inputs["log_mel"])
        memory = np.broadcast_to(numbers[None, :, None, None, None], (1, items, HEADS, STEPS, WIDTH))
        return {"cross_keys": memory, "cross_values": memory}

    def close(self) -> None:
        self.closed = True


class Decoder:
    """Writes a script's text; its cache holds the tokens so far, from which it knows the place."""

    device, reason = "fake", "a test asked for it"

    def __init__(self, encoder: Encoder, script: Script, language: str = "de", no_speech: float = 0.0):
        self._encoder, self._script, self._language, self._no_speech = encoder, script, language, no_speech
        self.closed = False

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        past, tokens = inputs["self_keys_0"], inputs["symbols"]
        new = np.broadcast_to(tokens[:, None, :, None], (len(tokens), HEADS, tokens.shape[1], WIDTH))
        kept = np.concatenate((past, new.astype(np.float32)), axis=2)
        assert kept.shape[2] <= WRITTEN  # there are no more positions
        numbers = inputs["cross_keys_0"][:, 0, 0, 0].astype(int)  # of the windows, which have as many rows each
        assert len(tokens) % len(numbers) == 0 and inputs["lengths"].shape == numbers.shape
        windows = np.repeat(numbers, len(tokens) // len(numbers))
        rows = kept[:, 0, :, 0].astype(int).tolist()
        logits = np.stack([self._logits(row, self._encoder.seen[i]) for row, i in zip(rows, windows, strict=True)])
        alignment = np.zeros((len(numbers), len(inputs["heads_0"]), tokens.size, STEPS), np.float32)
        for row in range(tokens.size):  # a diagonal, behind the start, language and task
            place = 10 * max(0, row - 3)
            alignment[0, :, row, place : place + 10] = 1.0
        return {"logits": logits, "alignment": alignment, "new_self_keys_0": kept, "new_self_values_0": kept}

    def _logits(self, tokens: list[int], log_mel: np.ndarray) -> np.ndarray:
        logits = np.zeros(SYMBOLS, np.float32)
        start = tokens.index(NUMBER["start"])
        said = tokens[start + 3 :]
        if len(tokens) == start + 1:
            logits[NUMBER[self._language]] = SURE
            if self._no_speech:
                logits[NUMBER["no_speech"]] = 2 * SURE
            return logits
        before = tokens[1:start] if tokens[0] == NUMBER["previous"] else []
        written = self._script(log_mel, before)
        text = [*written, END] if written else []
        if said == text[: len(said)] and len(said) < len(text):
            logits[text[len(said)]] = SURE
        return logits

    def close(self) -> None:
        self.closed = True


def heard(log_mel: np.ndarray, _: list[int]) -> list[int]:
    """The tones in a window as phrases; one that the window's end may cut off is left to the next window."""
    loud = log_mel.max(1) > log_mel.max() - 0.75  # 30 dB
    edges = np.flatnonzero(np.diff(np.concatenate(([0], loud.astype(int), [0]))))
    text: list[int] = []
    spans = list(zip(edges[::2] / 100, edges[1::2] / 100, strict=True))
    for i, (begin, end) in enumerate(spans):
        if end >= 0.99 and i:
            return [*text, time(begin)]
        band = int(log_mel[int(begin * 100) + 3 : int(end * 100) - 2].mean(0).argmax())
        tone = int(np.argmin([abs(band - b) for b in _bands()]))
        text += [time(begin), 256 + tone, time(end)]
    return text


def _bands() -> list[int]:
    from unbraid.dsp.slaney_mel import slaney_filters

    filters = slaney_filters(SPEC.mel, RATE)  # type: ignore[arg-type]
    return [int(filters[:, round(hertz / 40)].argmax()) for hertz in HERTZ]


def tones(*words: tuple[int, float], seconds: float) -> np.ndarray:
    """Audio (1, T) with tones of 0.2 s: (which, when)."""
    audio, clock = np.zeros(round(seconds * RATE), np.float32), np.arange(round(0.2 * RATE)) / RATE
    for tone, begin in words:
        place = round(begin * RATE)
        audio[place : place + len(clock)] = (
            0.3 * np.sin(2 * np.pi * HERTZ[tone] * clock) * np.hanning(len(clock)) ** 0.2
        )
    return audio[None]


def recognizer(
    script: Script = heard, options: WhisperOptions = WhisperOptions(), *, no_speech: float = 0.0
) -> WhisperRecognizer:
    encoder = Encoder()
    return WhisperRecognizer((encoder, Decoder(encoder, script, no_speech=no_speech)), SPEC, TOKENIZER, options)
