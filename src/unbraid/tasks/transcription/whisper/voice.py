"""A voice activity gate: steady sound, from hiss to a hum, is no speech, though Whisper may hear words in it.

Syllables raise and lower the level of some band by far more than the statistics of noise do. A window may hold speech
if in one of eight bands the loud tenths of a second are at least 6 dB above the soft ones; bands far below the loudest
one do not count. Sounds that change, such as music, pass.
"""

import numpy as np

from unbraid.dsp.arrays import FloatArray
from unbraid.dsp.framing import Mel
from unbraid.dsp.whisper_mel import whisper_mel

BANDS = 8
SMOOTHED_FRAMES = 10  # 0.1 s
LOUD, SOFT = 95, 10  # percentiles
LEAST_DB = 6.0
FAR_DB = 40.0  # below the loudest band
DB = 40.0  # in a level of 1
FRAME_SECONDS, HOP_SECONDS, BINS = 0.025, 0.01, 80


def holds_speech(audio: FloatArray, sample_rate: int) -> bool:
    """Whether audio (T,) may hold speech, for networks that read another spectrogram than Whisper's."""
    frame, hop = (round(seconds * sample_rate) for seconds in (FRAME_SECONDS, HOP_SECONDS))
    if len(audio) <= frame // 2:
        return True
    return may_be_speech(whisper_mel(audio, Mel(frame, hop, BINS, form="whisper"), sample_rate))


def may_be_speech(log_mel: FloatArray) -> bool:
    """Whether the frames (N, F) of `whisper_mel` change as those of speech do; too few to tell may be speech."""
    frames = len(log_mel) // SMOOTHED_FRAMES
    if frames < SMOOTHED_FRAMES:
        return True
    power = 10 ** (DB / 10 * log_mel[: frames * SMOOTHED_FRAMES].astype(np.float64))
    bands = np.stack([part.mean(1) for part in np.array_split(power, BANDS, axis=1)])  # (8, N)
    levels = 10 * np.log10(bands.reshape(BANDS, frames, SMOOTHED_FRAMES).mean(2))  # (8, N / 10)
    loud, soft = np.percentile(levels, [LOUD, SOFT], axis=1)
    counts = loud >= loud.max() - FAR_DB
    return bool((loud - soft)[counts].max() >= LEAST_DB)
