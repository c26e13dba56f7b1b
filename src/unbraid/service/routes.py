"""The routes of jobs."""

from pathlib import PurePath
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse

from unbraid.service.bundle import zipped
from unbraid.service.catalogue import check_model
from unbraid.service.context import Service
from unbraid.service.events import events
from unbraid.service.jobs import OPTIONS, Job, Kind, options_of
from unbraid.service.problems import RETRY_SECONDS, Problem, responses
from unbraid.service.queue import NewJob
from unbraid.service.storage import new_id
from unbraid.service.upload import FILE, TEXT, Form, receive, refused_by_disk
from unbraid.tasks.alignment.texts import lines_in

router = APIRouter(prefix="/v1", tags=["jobs"], responses=responses(401, 403, 421, 422))
_TYPES = {"flac": "audio/flac", "wav": "audio/wav", "ogg": "audio/ogg", "opus": "audio/ogg", "mp3": "audio/mpeg"}
_TYPES |= {"m4a": "audio/mp4", "json": "application/json", "txt": "text/plain; charset=utf-8", "vtt": "text/vtt"}
_EXAMPLE = {
    "id": "6f1c2d3e4f5061728394a5b6c7d8e9f0",
    "kind": "separate",
    "options": {"model": "music-4", "format": "flac"},
    "name": "song.mp3",
    "state": "running",
    "progress": 0.42,
    "remaining_seconds": 12.5,
    "created": 1767225600.0,
    "started": 1767225601.0,
    "attempts": 1,
    "input_bytes": 4200000,
    "files": [],
}
_FORM = {
    "type": "object",
    "required": [FILE],
    "properties": {
        FILE: {"type": "string", "format": "binary", "description": "the recording"},
        "kind": {"type": "string", "enum": list(OPTIONS), "default": "separate"},
        TEXT: {"type": "string", "description": "of kind align: what is said or sung in the recording"},
        **{
            name: {key: value for key, value in about.items() if key not in ("title", "default")}
            for options in OPTIONS.values()
            for name, about in options.model_json_schema()["properties"].items()
        },
    },
}
_FORM_EXAMPLES = {
    "song": {"summary": "The stems of a song", "value": {FILE: "song.mp3", "kind": "separate", "model": "music-4"}},
    "lyrics": {
        "summary": "The times of lyrics in a song",
        "value": {FILE: "song.mp3", "kind": "align", TEXT: "Hello there\nhow are you"},
    },
    "meeting": {"summary": "Who speaks when", "value": {FILE: "talk.wav", "kind": "diarize", "speakers": "2-6"}},
}
_JOB_EXAMPLE: dict[str, Any] = {"content": {"application/json": {"example": _EXAMPLE}}}


def service_of(request: Request) -> Service:
    """The service behind a request."""
    service: Service = request.app.state.service
    return service


def own_job(request: Request, job: str) -> Job:
    """A job of the client.

    Raises:
        Problem: there is none.
    """
    try:
        return service_of(request).queue.get(job, request.state.client)
    except KeyError:
        raise Problem(404, "You have no such job; it may have been deleted.") from None


@router.post(
    "/jobs",
    status_code=202,
    response_model=Job,
    responses={202: _JOB_EXAMPLE, **responses(400, 408, 413, 415, 429, 507)},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"multipart/form-data": {"schema": _FORM, "examples": _FORM_EXAMPLES}},
        }
    },
)
async def post_job(
    request: Request,
    idempotency_key: Annotated[
        str | None, Header(max_length=200, description="the same key gives the same job, sent once or twice")
    ] = None,
) -> JSONResponse:
    """Queue a job: a form with a file, the kind of job, and its options; its address is in Location."""
    service, client = service_of(request), request.state.client
    if idempotency_key is not None and (known := service.queue.known(client, idempotency_key)) is not None:
        return _accepted(known)
    service.queue.check_room(client)
    if service.uploads >= service.limits.uploads:
        raise Problem(429, "Too many uploads are under way; try again later.", Retry_After=str(RETRY_SECONDS))
    length = int(given) if (given := request.headers.get("content-length", "")).isdigit() else None
    _check_quota(service, length or 0)
    job = new_id()
    upload = service.storage.incoming / job
    service.uploads += 1
    try:
        form = await receive(
            request.headers.get("content-type", ""), length, aiter(request.stream()), upload, service.limits
        )
        text = _text_of(form)
        made = _new_job(form, job, client, idempotency_key)
        _check_quota(service, form.bytes)
        try:
            service.storage.take(upload, job, text)
            queued, is_new = service.queue.add(made)
        except OSError as error:
            service.storage.remove(job)
            raise refused_by_disk(error) from None
        except BaseException:
            service.storage.remove(job)
            raise
        if not is_new:
            service.storage.remove(job)
        return _accepted(queued)
    finally:
        service.uploads -= 1
        upload.unlink(missing_ok=True)


def _text_of(form: Form) -> str | None:
    """The text of a form, taken out of its fields, if its job aligns one.

    Raises:
        Problem: there is none.
        UsageError: it has no words.
    """
    if form.fields.get("kind") != "align":
        return None
    text = form.fields.pop(TEXT, "")
    if not text.strip():
        raise Problem(422, "A job of kind align needs the text that is said: send it as the field text of the form.")
    lines_in(text)
    return text


def _new_job(form: Form, job: str, client: str, key: str | None) -> NewJob:
    fields = dict(form.fields)
    kind = fields.pop("kind", "") or "separate"
    options = options_of(kind, fields)
    known: Kind = next(name for name in OPTIONS if name == kind)
    check_model(options.model, known)
    return NewJob(job, client, known, options.model_dump(), form.name, form.bytes, key)


def _check_quota(service: Service, more: int) -> None:
    if service.queue.used_bytes() + more > service.limits.quota_bytes:
        told = (
            f"The service keeps at most {service.limits.quota_bytes / 1e9:g} GB; delete old jobs, or try again later."
        )
        raise Problem(507, told, Retry_After=str(RETRY_SECONDS))


def _accepted(job: Job) -> JSONResponse:
    return JSONResponse(job.model_dump(mode="json"), 202, {"Location": f"/v1/jobs/{job.id}"})


@router.get("/jobs")
def get_jobs(request: Request, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> list[Job]:
    """Your jobs, the newest first."""
    return service_of(request).queue.jobs(request.state.client, limit)


@router.get("/jobs/{job}", responses={200: _JOB_EXAMPLE, **responses(404)})
def get_job(request: Request, job: str) -> Job:
    """A job."""
    return own_job(request, job)


@router.delete("/jobs/{job}", status_code=204, responses=responses(404, 409))
def delete_job(request: Request, job: str) -> Response:
    """Delete a finished job and its files."""
    service = service_of(request)
    if not service.queue.delete(own_job(request, job).id):
        raise Problem(409, "The job is not finished; cancel it first.")
    service.storage.remove(job)
    return Response(status_code=204)


@router.post("/jobs/{job}/cancel", responses=responses(404))
def cancel_job(request: Request, job: str) -> Job:
    """Cancel a job; one that is finished stays as it is."""
    return service_of(request).queue.cancel(own_job(request, job).id)


@router.get("/jobs/{job}/events", response_class=StreamingResponse, responses=responses(404))
def get_events(request: Request, job: str) -> StreamingResponse:
    """The job as a server-sent event `job` each time it changes, until it is finished."""
    found, queue = own_job(request, job), service_of(request).queue

    def look() -> list[Job]:
        try:
            return [queue.get(found.id)]
        except KeyError:
            return []

    return StreamingResponse(events(look), media_type="text/event-stream")


@router.get("/events", response_class=StreamingResponse)
def get_all_events(request: Request) -> StreamingResponse:
    """Your jobs as server-sent events `job`, and `gone` once one is deleted, without end."""
    queue, client = service_of(request).queue, request.state.client
    return StreamingResponse(events(lambda: queue.jobs(client), endless=True), media_type="text/event-stream")


@router.head("/jobs/{job}/files/{name}", include_in_schema=False)
@router.get("/jobs/{job}/files/{name}", response_class=FileResponse, responses=responses(404, 416))
def get_file(request: Request, job: str, name: str) -> FileResponse:
    """A file of a job that is done, or a range of it."""
    found = own_job(request, job)
    try:
        path = service_of(request).storage.file(found, name)
    except KeyError:
        names = ", ".join(file.name for file in found.files if file.role == "result")
        told = f"its files are {names}" if names else f"it is {found.state} and has none"
        raise Problem(404, f"The job has no file of this name; {told}.") from None
    kind = _TYPES.get(path.suffix.removeprefix("."), "application/octet-stream")
    return FileResponse(path, media_type=kind, filename=f"{PurePath(found.name).stem} {name}")


@router.get("/jobs/{job}/zip", response_class=StreamingResponse, responses=responses(404, 409))
def get_zip(request: Request, job: str) -> StreamingResponse:
    """All results of a job that is done, as one ZIP."""
    found, storage = own_job(request, job), service_of(request).storage
    paths = [storage.file(found, file.name) for file in found.files if file.role == "result"]
    if not paths:
        raise Problem(409, f"The job is {found.state} and has no files.")
    name = FileResponse(paths[0], filename=f"{PurePath(found.name).stem}.zip").headers["content-disposition"]
    return StreamingResponse(zipped(paths), media_type="application/zip", headers={"Content-Disposition": name})
