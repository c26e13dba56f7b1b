"""Errors of HTTP as problem details (RFC 9457): a status, and one clear sentence."""

import sqlite3
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from unbraid.errors import UsageError, shortened
from unbraid.service.pulls import PullRunning
from unbraid.service.queue import QueueFull

RETRY_SECONDS = 30
_SENTENCES = {
    400: "The body is not JSON in UTF-8; the API is described at /v1/openapi.json.",
    404: "There is nothing at this address; the API is described at /v1/openapi.json.",
    405: "This address takes no such method; the API is described at /v1/openapi.json.",
}


class ProblemDetails(BaseModel):
    """The body of an error."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str


class Problem(Exception):
    """An error of a request: its status, a sentence, and headers."""

    def __init__(self, status: int, detail: str, **headers: str) -> None:
        super().__init__(detail)
        self.status, self.detail = status, detail
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def response(status: int, detail: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """An error as a response."""
    details = ProblemDetails(title=HTTPStatus(status).phrase, status=status, detail=detail)
    return JSONResponse(details.model_dump(), status, headers, "application/problem+json")


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The errors of an operation, for its description."""
    body = {"application/problem+json": {"schema": ProblemDetails.model_json_schema()}}
    return {status: {"description": HTTPStatus(status).phrase, "content": body} for status in statuses}


def handle_problems(app: FastAPI) -> None:
    """Let an application answer every error in this form."""

    @app.exception_handler(Problem)
    async def _problem(request: Request, error: Problem) -> JSONResponse:
        return response(error.status, error.detail, error.headers)

    @app.exception_handler(UsageError)
    async def _usage(request: Request, error: UsageError) -> JSONResponse:
        return response(422, str(error))

    @app.exception_handler(QueueFull)
    @app.exception_handler(PullRunning)
    async def _full(request: Request, error: QueueFull | PullRunning) -> JSONResponse:
        return response(429, str(error), {"Retry-After": str(RETRY_SECONDS)})

    @app.exception_handler(sqlite3.OperationalError)
    async def _database(request: Request, error: sqlite3.OperationalError) -> JSONResponse:
        full = "full" in str(error)
        told = "The disk of the service is full" if full else f"The queue cannot be used ({error})"
        return response(507 if full else 503, f"{told}; try again later.", {"Retry-After": str(RETRY_SECONDS)})

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        headers = dict(error.headers) if error.headers else None
        return response(error.status_code, _SENTENCES.get(error.status_code, str(error.detail)), headers)

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        if first["type"] == "json_invalid":
            return response(400, _SENTENCES[400])
        place = ".".join(map(str, first["loc"][1:])) or "the body"
        return response(422, f"{place}: {shortened(first['msg'])}.")

    @app.exception_handler(Exception)
    async def _bug(request: Request, error: Exception) -> JSONResponse:
        return response(500, f"Unexpected {type(error).__name__}. This is a bug; the server's terminal shows where.")
