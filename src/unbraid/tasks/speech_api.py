"""One call for each task that makes speech, or its pronunciation: phonemize, synthesize, convert."""

from pathlib import Path

import numpy as np

from unbraid.audio import ArrayLike, Excerpt, ReadOptions, Source, TrackChoice, check_rate_given, is_array
from unbraid.dsp.arrays import FloatArray
from unbraid.hub.defaults import DEFAULTS
from unbraid.tasks.conversion.converter import MODEL as CONVERTER
from unbraid.tasks.conversion.converter import VoiceConverter
from unbraid.tasks.synthesis.phonemizer import Phonemizer
from unbraid.tasks.synthesis.speaker_vector import read_vector
from unbraid.tasks.synthesis.speecht5 import VOCODER, SpeechT5Synthesizer
from unbraid.tasks.synthesis.synthesizer import Synthesizer


def phonemize(text: str, model: str | Path = DEFAULTS["phonemes"], *, device: str = "auto") -> str:
    """The pronunciation of English words: phonemes in ARPAbet, without stress, " | " between words.

    `phonemize("cat") == "K AE T"`. For alternatives and probabilities, and for many texts, make one `Phonemizer`.

    Raises:
        ModelError: there is no such model, or its folder is damaged.
        UsageError: there are no words, or one has characters that the model does not know.
    """
    with Phonemizer(model, device=device) as phonemizer:
        return " | ".join(str(word.best) for word in phonemizer(text))


def synthesize(
    text: str,
    model: str | Path = DEFAULTS["acoustic model"],
    *,
    vocoder: str | Path | None = None,
    voice: str | Path | FloatArray | None = None,
    device: str = "auto",
) -> tuple[FloatArray, int]:
    """Synthesize speech from an English text: float32 (1, T), at most 1 in magnitude, and its sample rate in Hz.

    `vocoder` is a model that generates the waveform, instead of Griffin & Lim's algorithm. `voice` is who speaks in a
    SpeechT5: a vector (512,), a file of it, or a recording. For many texts make one `Synthesizer`; for long ones use
    its `blocks`.

    Raises:
        ModelError: there is no such model, or its folder is damaged.
        UsageError: the text is empty or has signs that cannot be pronounced, or a model does another task.
    """
    if voice is not None:
        speaker = voice if isinstance(voice, np.ndarray) else read_vector(Path(voice), device=device)
        with SpeechT5Synthesizer(model, speaker=speaker, vocoder=vocoder or VOCODER, device=device) as speaking:
            return speaking(text), speaking.sample_rate
    with Synthesizer(model, vocoder=vocoder, device=device) as synthesizer:
        return synthesizer(text), synthesizer.sample_rate


def convert(
    recording: Source | ArrayLike,
    voice: str | Path | FloatArray,
    model: str | Path = CONVERTER,
    *,
    sample_rate: int | None = None,
    track: TrackChoice = 0,
    reading: ReadOptions = ReadOptions(),
    vocoder: str | Path = VOCODER,
    device: str = "auto",
) -> FloatArray:
    """Say what is said in a recording in another voice: float32 (C, T) at its own rate, of its length, channels alike.

    `voice` is who is to speak: a recording of the person, a vector (512,), or a file of it. For `recording`, `track`
    and `reading` see `separate`; for many recordings and for long ones make one `VoiceConverter`.

    Raises:
        AudioError: a recording cannot be read.
        ModelError: there is no such model, or its folder is damaged.
        UsageError: the model does another task, the voice is another vector, or an array came without its sample rate,
            or a file with one.
    """
    check_rate_given("convert", recording, sample_rate)
    speaker = voice if isinstance(voice, np.ndarray) else read_vector(Path(voice), device=device)
    with VoiceConverter(model, speaker=speaker, vocoder=vocoder, device=device) as converter:
        if is_array(recording):
            return converter(recording, sample_rate or 0)
        return np.concatenate(list(converter.run(recording, Excerpt(track=track, reading=reading))), axis=1)
