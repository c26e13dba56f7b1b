"""The models that a service offers for each kind of job: those on its machine, and those that it can download."""

from typing import get_args

from pydantic import BaseModel, Field

from unbraid.errors import UsageError, quoted
from unbraid.hub.catalogue import catalogue
from unbraid.hub.defaults import DEFAULTS, MUSIC
from unbraid.hub.licences import Use
from unbraid.hub.licences import lines as licence_lines
from unbraid.hub.listing import list_models
from unbraid.hub.names import ListedModel
from unbraid.hub.spec import read_spec
from unbraid.service.jobs import Kind
from unbraid.tasks.alignment.models import aligns


class OfferedModel(BaseModel):
    """A model, and the kinds of jobs that it does."""

    name: str
    kinds: list[Kind]
    default_for: list[Kind]
    stems: list[str]
    sample_rate: int
    licence: str
    bytes: int
    latency_seconds: float | None = Field(None, description="of a model for live audio")


class PublishedModel(BaseModel):
    """A published model that is not on this machine, and the kinds of jobs that it would do."""

    name: str
    kinds: list[Kind]
    stems: list[str]
    sample_rate: int
    licence: str = Field(description="of the weights, which a download repeats")
    terms: list[str] = Field(description="all that is known of licence and training data")
    use: Use
    bytes: int


def offered() -> list[OfferedModel]:
    """The models on this machine that do any kind of job."""
    found = []
    for model in list_models():
        if model.folder is not None and (kinds := [kind for kind in get_args(Kind) if _does(model, kind)]):
            found.append(
                OfferedModel(
                    name=model.name,
                    kinds=kinds,
                    default_for=[kind for kind in kinds if _default(kind) == model.name],
                    stems=list(model.stems),
                    sample_rate=model.sample_rate,
                    licence=model.licence,
                    bytes=model.bytes,
                    latency_seconds=model.latency_seconds,
                )
            )
    return found


def published() -> list[PublishedModel]:
    """The published models that are not on this machine and would do any kind of job."""
    found = []
    for model in list_models():
        kinds = [kind for kind in get_args(Kind) if _does(model, kind)]
        if model.name == DEFAULTS["notes"]:  # which are found with it, if it is there
            kinds = ["analyse"]
        if model.folder is None and kinds:
            entry = catalogue().published[model.name]
            found.append(
                PublishedModel(
                    name=model.name,
                    kinds=kinds,
                    stems=list(model.stems),
                    sample_rate=model.sample_rate,
                    licence=model.licence,
                    terms=licence_lines(entry.licence, entry.terms),
                    use=model.use,
                    bytes=model.bytes,
                )
            )
    return found


def check_model(name: str | None, kind: Kind) -> None:
    """Refuse a model that is not here, or does another task.

    Raises:
        UsageError: naming those that there are.
    """
    names = [model.name for model in offered() if kind in model.kinds]
    if name is not None and name not in names:
        raise UsageError(f"There is no model {quoted(name)} for jobs of kind {kind}; choose one of {', '.join(names)}.")


def _does(model: ListedModel, kind: Kind) -> bool:
    match kind:
        case "separate":
            return len(model.stems) > 1
        case "enhance":
            return "speech" in model.stems
        case "transcribe":
            return model.writes == "text" and model.sample_rate > 0
        case "align":
            return model.family == "wav2vec2" if model.folder is None else aligns(read_spec(model.folder))
        case "analyse":
            return {"vocals", "drums", "bass"} <= set(model.stems)
    return len(model.stems) > 1 and model.folder is not None and read_spec(model.folder).silent_outputs


def _default(kind: Kind) -> str:
    names = {"enhance": DEFAULTS["enhancement"], "transcribe": DEFAULTS["transcription"], "analyse": MUSIC}
    return names.get(kind, DEFAULTS["separation"])
