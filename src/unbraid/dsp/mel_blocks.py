"""The log-mel spectrogram of audio that comes in blocks, in constant memory."""

from collections.abc import Iterable, Iterator

import numpy as np

from unbraid.dsp.arrays import FloatArray
from unbraid.dsp.framing import Mel
from unbraid.dsp.mel import mel_levels

BLOCK_FRAMES = 1024


def mel_blocks(blocks: Iterable[FloatArray], mel: Mel, sample_rate: int) -> Iterator[FloatArray]:
    """Blocks (n,) -> levels (m, F), those of `mel_levels` over the whole; levels that are not normalized."""
    around = -(-mel.frame_samples // mel.hop_samples)  # frames on either side whose samples a frame reads
    least = (BLOCK_FRAMES + around) * mel.hop_samples
    held, before = np.zeros(0, np.float32), 0  # samples from `before` frames before the next frame on
    for block in blocks:
        held = np.concatenate((held, block))
        while len(held) >= before * mel.hop_samples + least:
            levels = mel_levels(held[: before * mel.hop_samples + least], mel, sample_rate)
            yield levels[before : before + BLOCK_FRAMES]
            kept = min(around, before + BLOCK_FRAMES)
            held = held[(before + BLOCK_FRAMES - kept) * mel.hop_samples :]
            before = kept
    if len(held) > before * mel.hop_samples:
        yield mel_levels(held, mel, sample_rate)[before:]
