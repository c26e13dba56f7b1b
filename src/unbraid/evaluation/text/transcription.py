"""Run a model over recordings and compare its transcripts to the reference texts.

A recording is transcribed as by `unbraid transcribe`. Words count as they sound: in lower case, and without
punctuation, after normalisation (see normalization.py). Time is that of transcribing, wall clock and CPU, neither
reading nor scoring nor loading.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from unbraid import audio
from unbraid.corpora.transcripts import Utterance
from unbraid.dsp.arrays import FloatArray
from unbraid.evaluation.run import TimedResult, timed
from unbraid.evaluation.text.scoring import Distance, edit_distance
from unbraid.files.normalization import normalized
from unbraid.tasks.transcription.result import Transcript

Transcribes = Callable[[FloatArray, int], Transcript]  # the words of an array (C, T) at a sample rate
_WORD = re.compile(r"\w+(?:'\w+)*")


@dataclass(frozen=True)
class TranscriptResult(TimedResult):
    """The scores of one recording."""

    utterance: Utterance
    words: tuple[str, ...]  # of the model
    distance: Distance  # to the reference


def transcribe_and_score(transcriber: Transcribes, utterance: Utterance) -> TranscriptResult:
    """Transcribe one recording, as a user would, and count the errors."""
    sound, rate = audio.read(utterance.clip.path)  # (C, T)
    found, wall, cpu = timed(lambda: transcriber(sound, rate))
    words, said = plain_words(found.text), plain_words(utterance.text)
    distance = Distance(edit_distance(words, said), len(said))
    return TranscriptResult(utterance.name, sound.shape[1] / rate, wall, cpu, utterance, words, distance)


def plain_words(text: str) -> tuple[str, ...]:
    """The words of a text in lower case, without punctuation."""
    return tuple(_WORD.findall(normalized(text).lower()))
