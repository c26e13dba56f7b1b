"""The list of models in Python: what `unbraid models` prints, as objects and as tables."""

from dataclasses import asdict
from typing import TYPE_CHECKING

from unbraid.files.frames import frame
from unbraid.hub.names import ListedModel, entries

if TYPE_CHECKING:
    from pandas import DataFrame


class ModelList(tuple[ListedModel, ...]):
    """Models, those on this machine first."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all of them."""
        return tuple(model.name for model in self)

    def to_pandas(self) -> "DataFrame":
        """A row for each model; its scores are in `scores_to_pandas`.

        Raises:
            RuntimeUnavailable: pandas is not installed.
        """
        return frame({what: value for what, value in asdict(model).items() if what != "scores"} for model in self)

    def scores_to_pandas(self) -> "DataFrame":
        """A row for each score of each model.

        Raises:
            RuntimeUnavailable: pandas is not installed.
        """
        return frame(
            {"model": model.name, "score": score, "value": value}
            for model in self
            for score, value in model.scores.items()
        )


def list_models() -> ModelList:
    """Every model that is on this machine or published: name, stems, sample rate, licence, scores, folder."""
    return ModelList(entries())
