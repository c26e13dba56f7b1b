"""The routes of models: those on this machine, those that are published, and their download."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, Field

from unbraid.errors import quoted
from unbraid.service.catalogue import OfferedModel, PublishedModel, offered, published
from unbraid.service.events import events
from unbraid.service.problems import Problem, responses
from unbraid.service.pulls import Pull
from unbraid.service.routes import service_of

router = APIRouter(prefix="/v1/models", tags=["models"], responses=responses(401, 403, 421, 422))


class PullRequest(BaseModel):
    """A model to download, and its licence, by which its reader agrees to it."""

    name: str = Field(max_length=100, examples=["spleeter:4stems"])
    licence: str = Field(max_length=200, description="as the list of published models states it", examples=["MIT"])


@router.get("")
def get_models() -> list[OfferedModel]:
    """The models on the machine of the service, and the kinds of jobs that each does."""
    return offered()


@router.get("/published")
def get_published() -> list[PublishedModel]:
    """The published models that are not on this machine, with size and licence."""
    return published()


@router.post("/pulls", status_code=202, response_model=Pull, responses=responses(400, 404, 429))
def post_pull(request: Request, wanted: PullRequest) -> JSONResponse:
    """Download a published model, whose licence the request repeats; the address of the download is in Location."""
    model = next((model for model in published() if model.name == wanted.name), None)
    if model is None:
        told = f"No model {quoted(wanted.name)} is published that is not here already; /v1/models/published lists them."
        raise Problem(404, told)
    if wanted.licence != model.licence:
        told = f"The licence of {model.name} is {quoted(model.licence)}; send it as `licence` if you agree to it."
        raise Problem(422, told)
    pull = service_of(request).pulls.start(model.name)
    return JSONResponse(pull.model_dump(mode="json"), 202, {"Location": f"/v1/models/pulls/{pull.id}"})


@router.get("/pulls")
def get_pulls(request: Request) -> list[Pull]:
    """The downloads since the service was started, the newest first."""
    return service_of(request).pulls.all()


@router.get("/pulls/{pull}", responses=responses(404))
def get_pull(request: Request, pull: str) -> Pull:
    """A download."""
    return _pull(request, pull)


@router.get("/pulls/{pull}/events", response_class=StreamingResponse, responses=responses(404))
def get_pull_events(request: Request, pull: str) -> StreamingResponse:
    """The download as a server-sent event `pull` each time it changes, until it is finished."""
    found = _pull(request, pull)
    pulls = service_of(request).pulls
    return StreamingResponse(events(lambda: [pulls.get(found.id)], name="pull"), media_type="text/event-stream")


@router.post("/pulls/{pull}/cancel", responses=responses(404))
def cancel_pull(request: Request, pull: str) -> Pull:
    """Cancel a download; what has come is kept for the next attempt."""
    return service_of(request).pulls.cancel(_pull(request, pull).id)


def _pull(request: Request, pull: str) -> Pull:
    """A download.

    Raises:
        Problem: there is none.
    """
    try:
        return service_of(request).pulls.get(pull)
    except KeyError:
        raise Problem(404, "There is no such download; start it again.") from None
