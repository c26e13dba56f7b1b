"""Run a model over mixtures of voices and score its stems.

Time is that of the separation alone, wall clock and CPU (of all threads), neither reading nor scoring nor loading.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from unbraid.corpora import Mixture, read_mixture
from unbraid.corpora.noise import AddedNoise, noisy
from unbraid.dsp.metrics import as_many
from unbraid.evaluation.measures import Measure
from unbraid.evaluation.run import Evaluation, TimedResult, Worst, timed
from unbraid.evaluation.speech.counting import level_of_others
from unbraid.evaluation.speech.scoring import Scored, score_mixture
from unbraid.hub.spec import ModelSpec
from unbraid.tasks.results import Run

Array = NDArray[np.float32]


class SeparatesArrays(Protocol):
    """The part of a Separator that is used here."""

    spec: ModelSpec

    def run_array(self, audio: Array, sample_rate: int) -> Run[dict[str, Array]]:
        """An array (C, T) as its stems, each (C, n), block by block."""
        ...


@dataclass(frozen=True)
class MixtureResult(TimedResult):
    """The scores of one mixture."""

    scored: Scored
    voices_found: int | None = None  # by a model that counts them
    others_db: float | None = None  # where one voice speaks: the level of the other outputs, relative to the loudest


@dataclass(frozen=True)
class MixtureCase:
    """A result and its signals."""

    result: MixtureResult
    mixture: Array  # (T,)
    references: Array  # (S, T)
    estimates: Array  # (S, T), in the order of the references


@dataclass
class SpeechEvaluation(Evaluation[MixtureResult]):
    """The scores of voices, with the signals of the worst mixtures."""

    measures: tuple[Measure, ...]  # the first one decides what is worst
    worst: Worst[MixtureCase] = field(default_factory=Worst)

    def add(self, case: MixtureCase) -> None:
        """Add the next mixture."""
        self.results.append(case.result)
        self.worst.add(case.result.scored.scores[self.measures[0].key].improvement, case)


def separate_and_score(
    separator: SeparatesArrays, mixture: Mixture, measures: Sequence[Measure], noise: AddedNoise | None = None
) -> MixtureCase:
    """Separate one mixture at the model's rate, as a user would, and score its stems."""
    spec = separator.spec
    audio, references = read_mixture(mixture, spec.sample_rate)  # (T,), (S, T)
    if noise:
        audio = noisy(audio, mixture.name, spec.sample_rate, noise)
    run = separator.run_array(audio[None], spec.sample_rate)
    blocks, wall, cpu = timed(lambda: list(run))
    stems = [np.concatenate([block[stem] for block in blocks], axis=-1) for stem in spec.stems]
    estimates = np.concatenate(stems)  # (E, T); a residual is no estimate
    scored = score_mixture(estimates, references, audio, measures)
    others_db = level_of_others(estimates) if len(references) == 1 < len(estimates) else None
    found = run.diagnostics.voices_found
    result = MixtureResult(mixture.name, audio.size / spec.sample_rate, wall, cpu, scored, found, others_db)
    return MixtureCase(result, audio, references, as_many(estimates, len(references))[list(scored.order)])
