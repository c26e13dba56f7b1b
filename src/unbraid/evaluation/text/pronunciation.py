"""Run a model over the words of a dictionary and compare its pronunciations to the dictionary's.

Words are pronounced many at a time, by the beam search that `unbraid phonemize` uses. Time is that of pronouncing,
wall clock, neither reading nor scoring nor loading.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from unbraid.corpora.pronunciations import Entry
from unbraid.errors import Cancelled
from unbraid.evaluation.run import Evaluation, Failure, timed
from unbraid.evaluation.text.scoring import Distance, closest
from unbraid.tasks.synthesis.phonemizer import Phonemizer, SpokenWord

BATCH_WORDS = 256


@dataclass(frozen=True)
class WordResult:
    """The scores of one word."""

    entry: Entry
    phonemes: tuple[str, ...]  # of the model
    probability: float
    distance: Distance  # to the closest pronunciation


@dataclass
class WordEvaluation(Evaluation[WordResult]):
    """The scores of words, and the time that pronouncing them took."""

    wall_seconds: float = 0.0

    def pronounce(self, phonemizer: Phonemizer, entries: Sequence[Entry]) -> Iterator[Failure | None]:
        """Pronounce and score one batch of words after another."""
        for first in range(0, len(entries), BATCH_WORDS):
            some = entries[first : first + BATCH_WORDS]
            try:
                found, wall, _ = timed(partial(phonemizer.pronounce, [entry.word for entry in some]))
            except Cancelled:
                raise
            except Exception as error:
                self.failures += (failed := [Failure(entry.word, error) for entry in some])
                yield from failed
                continue
            self.wall_seconds += wall
            self.results += [score(entry, found[entry.word]) for entry in some]
            yield from (None for _ in some)


def score(entry: Entry, spoken: SpokenWord) -> WordResult:
    """A word against its pronunciations in the dictionary."""
    best = spoken.best
    return WordResult(entry, best.phonemes, best.probability, closest(best.phonemes, entry.pronunciations))
