"""Score a text-to-speech model by round trip: synthesise, transcribe with an independent recogniser, count word errors.

A recogniser whose symbols are words, such as digits, writes no others, so only texts of words that it knows are scored.
Digits are words here: "305" is three zero five. Time is that of synthesis, wall clock and CPU.
"""

import dataclasses
from collections.abc import Sequence

from unbraid.corpora.transcripts import Utterance
from unbraid.evaluation.run import timed
from unbraid.evaluation.text.scoring import Distance, edit_distance
from unbraid.evaluation.text.transcription import Transcribes, TranscriptResult, plain_words
from unbraid.hub.spec import ModelSpec
from unbraid.hub.vocabulary import SPECIAL, Vocabulary
from unbraid.tasks.synthesis.synthesizer import Synthesizer
from unbraid.tasks.synthesis.text_frontend import DIGIT_WORDS
from unbraid.tasks.transcription.transcript import holds_words


def synthesise_and_score(synthesizer: Synthesizer, transcriber: Transcribes, utterance: Utterance) -> TranscriptResult:
    """Synthesise one text, and count the errors in its transcript."""
    sound, wall, cpu = timed(lambda: synthesizer(utterance.text))
    heard, said = spelled_words(transcriber(sound, synthesizer.sample_rate).text), spelled_words(utterance.text)
    distance = Distance(edit_distance(heard, said), len(said))
    utterance = dataclasses.replace(utterance, text=" ".join(said))  # so that both are shown alike
    seconds = sound.shape[1] / synthesizer.sample_rate
    return TranscriptResult(utterance.name, seconds, wall, cpu, utterance, heard, distance)


def spelled_words(text: str) -> tuple[str, ...]:
    """The words of a text in lower case, without punctuation; digits one by one, as words."""
    spaced = "".join(f" {DIGIT_WORDS[sign]} " if sign in DIGIT_WORDS else sign for sign in text)
    return plain_words(spaced)


def transcribable(utterances: Sequence[Utterance], known: frozenset[str] | None) -> list[Utterance]:
    """The utterances whose words a recogniser knows; None: it knows any."""
    if known is None:
        return list(utterances)
    return [utterance for utterance in utterances if known.issuperset(spelled_words(utterance.text))]


def known_words(recogniser: ModelSpec) -> frozenset[str] | None:
    """The words that a model knows; None: any."""
    if recogniser.vocabularies is None:  # a Whisper, which writes any word
        return None
    vocabulary = Vocabulary(recogniser.vocabularies.target)
    if not holds_words(vocabulary):
        return None
    return frozenset(word for symbol in vocabulary.symbols[len(SPECIAL) :] for word in spelled_words(symbol))
