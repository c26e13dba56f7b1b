"""Whether a recogniser of digits has heard digits.

It has nothing else to write, and makes digits of any speech, and of music; its confidence tells. The floor is on the
mean over the first hundred digits of a recording, and was chosen on dev recordings (docs/transcription.md).
"""

from collections.abc import Iterator
from itertools import chain, islice
from statistics import fmean

from unbraid.errors import AudioError
from unbraid.hub.spec import ModelSpec
from unbraid.hub.vocabulary import SPECIAL
from unbraid.tasks.transcription.transcript import Word

LEAST_CONFIDENCE = 0.7
_HEARD = 100  # digits: a recording may have any number


def knows_digits_alone(spec: ModelSpec) -> bool:
    """Whether a recogniser writes digits and nothing else."""
    texts = spec.vocabularies  # None: it writes tokens, as Whisper does
    return texts is not None and all(symbol.isdigit() for symbol in texts.target[len(SPECIAL) :])


def checked_digits(words: Iterator[Word], spec: ModelSpec) -> Iterator[Word]:
    """The words, as they come, unless a recogniser of digits has made them of something else.

    Raises:
        AudioError: it has.
    """
    first = list(islice(words, _HEARD)) if knows_digits_alone(spec) else []
    if first and (confidence := fmean(word.confidence for word in first)) < LEAST_CONFIDENCE:
        raise AudioError(
            f"This does not sound like digits, and {spec.name} knows nothing else: its confidence is {confidence:.2f}, "
            f"at least {LEAST_CONFIDENCE:g} is needed. For dictation get `unbraid models pull openai/whisper-base` "
            "(99 languages) or facebook/wav2vec2-base-960h (English) and name it with -m; --force (force=True) gives "
            "the digits anyway."
        )
    yield from chain(first, words)
