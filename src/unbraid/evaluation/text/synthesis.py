"""Let a model say texts, and another one that knows nothing of them write down what it hears.

A recogniser that reads words as symbols, such as digits, hears no others; so of the texts those count that are made of
words it knows. Digits are words here: "305" is three zero five. Time is that of speaking, wall clock and CPU.
"""

import dataclasses
import time
from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from unbraid.corpora.transcripts import Utterance
from unbraid.evaluation.run import Failure, attempts, gathered
from unbraid.evaluation.text.scoring import Distance, edit_distance
from unbraid.evaluation.text.transcription import HeardEvaluation, HeardResult, Transcribes, plain_words
from unbraid.hub.spec import ModelSpec
from unbraid.hub.vocabulary import SPECIAL, Vocabulary
from unbraid.tasks.synthesis.text_frontend import DIGIT_WORDS
from unbraid.tasks.transcription.transcript import holds_words


class Says(Protocol):
    """What is needed of a Synthesizer here."""

    sample_rate: int

    def __call__(self, text: str) -> NDArray[np.float32]:
        """A text as it is said: (1, T)."""
        ...


class SaidEvaluation(HeardEvaluation):
    """Results as they come in."""

    def say(
        self, synthesizer: Says, transcriber: Transcribes, utterances: Sequence[Utterance]
    ) -> Iterator[Failure | None]:
        """One text after the other being said, heard and scored, or failing."""
        found = attempts(utterances, lambda utterance: say_and_score(synthesizer, transcriber, utterance))
        return gathered(found, self.results, self.failures)


def say_and_score(synthesizer: Says, transcriber: Transcribes, utterance: Utterance) -> HeardResult:
    """Say one text, and count what is heard wrong."""
    wall, cpu = time.perf_counter(), time.process_time()
    sound = synthesizer(utterance.text)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    heard, said = spelled_words(transcriber(sound, synthesizer.sample_rate).text), spelled_words(utterance.text)
    distance = Distance(edit_distance(heard, said), len(said))
    utterance = dataclasses.replace(utterance, text=" ".join(said))  # so that both are shown alike
    return HeardResult(utterance, heard, distance, sound.shape[1] / synthesizer.sample_rate, wall, cpu)


def spelled_words(text: str) -> tuple[str, ...]:
    """The words of a text in lower case, without punctuation; digits one by one, as words."""
    spaced = "".join(f" {DIGIT_WORDS[sign]} " if sign in DIGIT_WORDS else sign for sign in text)
    return plain_words(spaced)


def hearable(utterances: Sequence[Utterance], known: frozenset[str] | None) -> list[Utterance]:
    """Those whose words a recogniser can write; None: it can write any."""
    if known is None:
        return list(utterances)
    return [utterance for utterance in utterances if known.issuperset(spelled_words(utterance.text))]


def known_words(recogniser: ModelSpec) -> frozenset[str] | None:
    """The words that a model can write; None: any."""
    assert recogniser.vocabularies is not None
    vocabulary = Vocabulary(recogniser.vocabularies.target)
    if not holds_words(vocabulary):
        return None
    return frozenset(word for symbol in vocabulary.symbols[len(SPECIAL) :] for word in spelled_words(symbol))
