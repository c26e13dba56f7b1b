"""cpWER: the word error rate of transcripts of people, with the best permutation of speakers (Watanabe et al., CHiME-6,
arXiv 2004.09249), by meeteval (von Neumann et al., arXiv 2307.11394).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from unbraid.errors import RuntimeUnavailable

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
