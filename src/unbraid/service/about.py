"""The routes about the service itself: limits, health, metrics, and sessions of the page."""

import hmac

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from unbraid import __version__
from unbraid.service.metrics import exposition
from unbraid.service.problems import Problem, responses
from unbraid.service.routes import service_of
from unbraid.service.security import COOKIE, cookie_of

router = APIRouter(prefix="/v1", tags=["service"], responses=responses(401, 403, 421, 422))


class Health(BaseModel):
    """The health of the service."""

    status: str = "ok"
    version: str = __version__
    workers: int
    needs_token: bool = Field(description="whether this request has no token and needs one")


class PublicLimits(BaseModel):
    """The limits that clients meet."""

    upload_bytes: int
    audio_seconds: float
    jobs_per_client: int
    keep_seconds: float


class Token(BaseModel):
    """A token."""

    token: str = Field(max_length=1000)


@router.get("/health", responses=responses(503))
def get_health(request: Request) -> Health:
    """Whether the service works; needs no token."""
    workers = len(service_of(request).supervisor.pids)
    if not workers:
        raise Problem(503, "No worker lives; it is started again.")
    return Health(workers=workers, needs_token=request.state.client is None)


@router.get("/limits")
def get_limits(request: Request) -> PublicLimits:
    """The limits of uploads and jobs."""
    limits = service_of(request).limits
    return PublicLimits(**{name: getattr(limits, name) for name in PublicLimits.model_fields})


@router.get("/metrics", response_class=Response)
def get_metrics(request: Request) -> Response:
    """Metrics in Prometheus's text format."""
    service = service_of(request)
    return Response(exposition(service.queue, service.supervisor), media_type="text/plain; version=0.0.4")


@router.post("/session", status_code=204, responses=responses(400))
def post_session(request: Request, given: Token) -> Response:
    """Exchange a token for a cookie, for the page."""
    tokens = service_of(request).guard.tokens
    right = [token for token in tokens if hmac.compare_digest(token.encode(), given.token.encode())]
    if not right:
        raise Problem(401, "This is not a token of this service.")
    response = Response(status_code=204)
    secure = request.url.scheme == "https"
    response.set_cookie(COOKIE, cookie_of(right[0]), httponly=True, samesite="strict", secure=secure)
    return response


@router.delete("/session", status_code=204)
def delete_session() -> Response:
    """Forget the cookie."""
    response = Response(status_code=204)
    response.delete_cookie(COOKIE)
    return response
