"""cpWER: the word error rate of transcripts of people, with the best permutation of speakers (Watanabe et al., CHiME-6,
arXiv 2004.09249), by meeteval (von Neumann et al., arXiv 2307.11394).

A conversation is transcribed twice by one recogniser: each person alone, and as it is, in one stream. Words count as
they sound: in lower case, and without punctuation.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Self

from unbraid.corpora.conversations import Conversation
from unbraid.errors import RuntimeUnavailable, UsageError
from unbraid.evaluation.text.transcription import plain_words
from unbraid.tasks.separation.separator import Separator
from unbraid.tasks.transcription.result import Transcript
from unbraid.tasks.transcription.transcriber import Transcriber

MISSING = "cpWER needs the package meeteval; get it with `pip install meeteval`."


@dataclass(frozen=True)
class CpWer:
    """Errors in the words of a conversation."""

    errors: int
    words: int  # of the reference

    @property
    def rate(self) -> float:
        """The word error rate; NaN without words."""
        return self.errors / self.words if self.words else float("nan")

    @classmethod
    def sum_of(cls, each: Iterable[Self]) -> Self:
        """The errors of several conversations together."""
        found = list(each)
        return cls(sum(one.errors for one in found), sum(one.words for one in found))


@dataclass(frozen=True)
class WordScores:
    """Errors in the words of a conversation, with separation and without."""

    separated: CpWer
    mixed: CpWer  # all words in one stream


def check_texts(conversations: Sequence[Conversation], dataset: Path) -> None:
    """Refuse to score words without the package that does it, or where none are known.

    Raises:
        RuntimeUnavailable: meeteval is not installed.
        UsageError: no conversation has the texts of all that is said.
    """
    if find_spec("meeteval") is None:
        raise RuntimeUnavailable(MISSING)
    if not any(conversation.texts for conversation in conversations):
        raise UsageError(
            f"{dataset} says of no conversation all that is said in it; leave --recogniser out, or draw conversations "
            "of recordings with texts."
        )


def transcribe_and_score(transcriber: Transcriber, separator: Separator, conversation: Conversation) -> WordScores:
    """Transcribe a conversation whose texts are known, from file to words, as a user would, and count the errors.

    Raises:
        AudioError: the recording cannot be read.
        RuntimeUnavailable: meeteval is not installed.
    """
    assert conversation.texts is not None
    said = {name: _plain(text) for name, text in conversation.texts.items()}
    people, mixture = (transcriber.run(conversation.mixture, separator=one) for one in (separator, None))
    voices = Transcript.of(people, people.diagnostics).voices
    found = {name: _plain(" ".join(word.text for word in words)) for name, words in voices.items()}
    one_stream = {"": _plain(Transcript.of(mixture, mixture.diagnostics).text)}
    return WordScores(cp_word_errors(said, found), cp_word_errors(said, one_stream))


def _plain(text: str) -> str:
    return " ".join(plain_words(text))


def cp_word_errors(reference: Mapping[str, str], found: Mapping[str, str]) -> CpWer:
    """Errors of transcripts {speaker: words}; the names need not agree. A single stream is one speaker.

    Raises:
        RuntimeUnavailable: meeteval is not installed.
    """
    try:
        from meeteval.wer import cp_word_error_rate
    except ImportError:
        raise RuntimeUnavailable(MISSING) from None
    found = {name: text for name, text in found.items() if text.strip()} or {"": ""}
    rate = cp_word_error_rate(dict(reference), found, reference_sort=False, hypothesis_sort=False)
    return CpWer(int(rate.errors), int(rate.length))
