"""The spectrogram that a SpeechT5 writes, step by step, of a text or of a waveform.

The decoder starts from a frame of zeros, and is fed the last frame of each of its steps until the probabilities of the
end add up to a half. The dropout of its pre-net, without which it repeats itself, is drawn from a seed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unbraid.dsp.arrays import FloatArray
from unbraid.models.signatures import Arrays
from unbraid.models.speecht5.config import SpeechT5Config
from unbraid.models.speecht5.layout import PRENET_LAYERS
from unbraid.runtime import Executor

KEPT = 0.5  # probability of a feature behind the layers of the pre-net
ENDED = 0.5  # sum of the probabilities of the end in a step


@dataclass(frozen=True)
class Spoken:
    """The spectrogram of a sentence or of a piece of speech."""

    log_mel: FloatArray  # (N, F)
    ended: bool  # by the model; otherwise cut off at the limit


def write_frames(
    networks: Sequence[Executor],
    sizes: SpeechT5Config,
    memory: Arrays,
    speaker: FloatArray,
    most_steps: int,
    *,
    dropout: bool = True,
) -> Spoken:
    """The spectrogram of what an encoder has read, in the voice of a speaker (1, S).

    `networks` are the decoder and the post-net, `memory` the encoder's outputs; `dropout` is that of the pre-net.
    """
    decoder, post = networks
    past, random = empty_cache(sizes), np.random.default_rng(0)
    frame, written, ended = np.zeros((1, sizes.bins), np.float32), list[FloatArray](), False
    while not ended and len(written) < max(1, most_steps):
        kept = np.ones((1, PRENET_LAYERS * sizes.prenet), np.float32)
        if dropout:
            kept = (random.random(kept.shape) < KEPT).astype(np.float32) / np.float32(KEPT)
        found = decoder.run({"frame": frame, "kept": kept, "speaker": speaker, **past, **memory})
        past = {name: found[f"new_{name}"] for name in past}
        written.append(found["new_frames"].reshape(sizes.stride, sizes.bins))
        frame, ended = written[-1][-1:], bool(_probability(found["stop"]).sum() >= ENDED)
    refined = post.run({"log_mel": np.concatenate(written)[None]})["refined"][0]
    return Spoken(refined, ended)


def empty_cache(sizes: SpeechT5Config, rows: int = 1) -> Arrays:
    """The keys and values of a decoder before its first step, (L, B, H, 0, D/H)."""
    empty = np.zeros((sizes.decoder_layers, rows, sizes.heads, 0, sizes.features // sizes.heads), np.float32)
    return dict.fromkeys(("self_keys", "self_values"), empty)


def _probability(logits: FloatArray) -> FloatArray:
    """The logistic function."""
    return (1 / (1 + np.exp(-np.clip(logits, -60, 60)))).astype(np.float32)
