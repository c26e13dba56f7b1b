"""One call from a recording to its stems, or from words to how they are spoken."""

from pathlib import Path

import numpy as np

from unbraid.audio import Source, read
from unbraid.dsp import FloatArray
from unbraid.errors import UsageError
from unbraid.phonemizer import MODEL, Phonemizer
from unbraid.separator import Separator


def separate(
    recording: Source | FloatArray,
    model: str | Path = "speech-2",
    *,
    sample_rate: int | None = None,
    device: str = "auto",
) -> dict[str, FloatArray]:
    """Pull a recording apart: {stem: float32 (C, T)} at its own sample rate, channels and length.

    `recording` is a path, a binary file object, or an array (C, T) with its `sample_rate` in Hz. For many recordings
    make one `Separator`; for long ones use its `blocks`.

    Raises:
        AudioError: the recording cannot be read or separated as it is.
        ModelError: there is no such model, or its folder is damaged.
        UsageError: an array came without its sample rate, or a file with one.
    """
    if isinstance(recording, np.ndarray):
        if sample_rate is None:
            raise UsageError("An array needs its sample rate: separate(audio, sample_rate=44100).")
    elif sample_rate is not None:
        raise UsageError("A file has its own sample rate; sample_rate goes with an array.")
    with Separator(model, device=device) as separator:
        if isinstance(recording, np.ndarray):
            return separator(recording, sample_rate or 0)
        audio, rate = read(recording)
        return separator(audio, rate)


def phonemize(text: str, model: str | Path = MODEL, *, device: str = "auto") -> str:
    """Say how English words are spoken: phonemes in ARPAbet, without stress, words apart by " | ".

    `phonemize("cat") == "K AE T"`. For alternatives and probabilities, and for many texts, make one `Phonemizer`.

    Raises:
        ModelError: there is no such model, or its folder is damaged.
        UsageError: there are no words, or one has characters that the model does not know.
    """
    with Phonemizer(model, device=device) as phonemizer:
        return " | ".join(str(word.best) for word in phonemizer(text))
