"""The cross-attention of a Whisper over one window: which audio each token of a text looks at, in every head."""

import itertools
from contextlib import closing

import numpy as np

from unbraid.dsp.arrays import FloatArray
from unbraid.dsp.whisper_mel import whisper_mel
from unbraid.hub.tokens import read_tokenizer
from unbraid.models.audio_transformer.config import as_audio_transformer
from unbraid.tasks.loading import ModelFolder
from unbraid.tasks.transcription.whisper.options import WhisperOptions
from unbraid.tasks.transcription.whisper.window import WindowDecoder

END = "<end>"


def cross_attention(
    folder: ModelFolder, audio: FloatArray, text: str | None, options: WhisperOptions = WhisperOptions(beams=1)
) -> tuple[tuple[str, ...], FloatArray]:
    """The tokens of a window (T,) at the model's rate, the end included, and weights (L, H, M, N) on its steps.

    The text is the given one, or what the model writes without times in the likeliest language.
    """
    spec, geometry = folder.spec, as_audio_transformer(folder.spec.geometry)
    assert spec.tokens and spec.mel and spec.windows
    samples = round(spec.windows.seconds * spec.sample_rate)
    encoder, decoder = folder.open(*geometry.graphs)
    with closing(encoder), closing(decoder):
        window = WindowDecoder((encoder, decoder), geometry, spec.tokens, read_tokenizer(folder.path, spec.tokens))
        log_mel = whisper_mel(np.pad(audio, (0, samples - len(audio))), spec.mel, spec.sample_rate)
        memory = window.encode(log_mel)
        language = next(iter(window.languages(memory)))
        if text is None:
            written = window.decode(memory, language, [], options)[0].text.tokens
            tokens = [token for token in written if token < spec.tokens.end]
        else:
            tokens = window.tokenizer.encode(f" {text.strip()}")[: window.most_before]
        heads = tuple(itertools.product(range(geometry.decoder_layers), range(geometry.heads)))
        weights = window.alignment(memory, language, options.task, tokens, heads)  # (L·H, M, N)
    labels = tuple(window.tokenizer.decode([token]).replace(" ", "␣") for token in tokens)
    return (*labels, END), weights.reshape(geometry.decoder_layers, geometry.heads, *weights.shape[1:])
