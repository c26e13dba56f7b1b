"""`unbraid separate --server`: the same outputs, separated by a service; and what all such commands share."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from unbraid.audio.formats import STEM_FILE
from unbraid.cli.files.inputs import Item, OutputLayout
from unbraid.cli.jobs import Jobs
from unbraid.cli.pipes import Sources
from unbraid.cli.progress import Meter
from unbraid.cli.report import Report, StemsResult
from unbraid.cli.request import Coding, SeparationRequest
from unbraid.cli.run import find_inputs, process
from unbraid.errors import AudioError, UsageError
from unbraid.service.client import Client, RemoteJob
from unbraid.tasks.separation.options import Options

_TURNS = "speakers.rttm"


def run_remotely(request: SeparationRequest, server: str, report: Report[StemsResult], *, quiet: bool = False) -> None:
    """Let a service separate all inputs of a request, filling the report track by track.

    Raises:
        UsageError: the request has options that a service does not take; nothing was done.
        ServiceError: the service cannot be reached, or lacks the model; nothing was done.
    """
    options = form_of(request)
    collected = find_inputs(request, quiet=quiet)
    with connected(server) as client, Sources(quiet=quiet) as sources:
        report.model, report.device, report.device_reason = request.model or "automatic", server, "--server"

        def work(item: Item, title: str) -> StemsResult:
            folder, started = _folder(request, item), time.monotonic()
            if os.path.lexists(folder) and not request.overwrite:
                raise AudioError(f"{folder} exists already; choose another place with -o, or use --overwrite.")
            with Meter(title, quiet=quiet, jobs=Jobs()) as meter:
                job = client.submit(sources.path(item), "separate", options, name=item.name)
                job = done(client, job, meter)
            files = client.download(job.id, folder, overwrite=request.overwrite)
            client.delete(job.id)
            ending = f".{request.coding.format}"
            return StemsResult(
                item.label,
                "done",
                notices=job.notices,
                seconds=job.audio_seconds,
                elapsed_seconds=time.monotonic() - started,
                model=job.model,
                outputs={name.removesuffix(ending): file for name, file in files.items() if name.endswith(ending)},
                turns=files.get(_TURNS),
            )

        process(collected, {}, work, report, sources, quiet=quiet, jobs=Jobs())


@contextmanager
def connected(server: str) -> Iterator[Client]:
    """A client of a service, with the token of the environment.

    Raises:
        ServiceError: there is no service at the address, or the token is wrong.
    """
    with Client(server, token=os.environ.get("UNBRAID_TOKEN")) as client:
        client.models()  # before anything is sent
        yield client


def form_of(request: SeparationRequest) -> dict[str, str | float | bool]:
    """The options of a job.

    Raises:
        UsageError: the request has others.
    """
    speakers, options = request.options.speakers, request.options
    if request.coding.format == STEM_FILE:
        raise UsageError(f"{STEM_FILE} is not written by a server; choose another format, or leave --server out.")
    plain = SeparationRequest(
        request.inputs,
        request.model,
        root=request.root,
        coding=Coding(request.coding.format),
        options=Options(speakers=speakers, residual=options.residual),
        recursive=request.recursive,
        overwrite=request.overwrite,
    )
    if request.root is None or request != plain:
        raise UsageError(
            "--server goes with -m, -o, --format, --speakers, --residual, -r and --overwrite; leave other options out, "
            "or --server."
        )
    form: dict[str, str | float | bool] = {"format": request.coding.format, "residual": options.residual}
    if request.model:
        form["model"] = request.model
    if speakers is not None:
        form["speakers"] = "-".join(map(str, speakers)) if isinstance(speakers, tuple) else str(speakers)
    return form


def _folder(request: SeparationRequest, item: Item) -> Path:
    """The folder of a track."""
    assert request.root is not None
    return OutputLayout(request.root, request.template, request.coding.format, "").stem_path(item, "stem").parent


def done(client: Client, job: RemoteJob, meter: Meter) -> RemoteJob:
    """A job once it is done; it is cancelled where this command is.

    Raises:
        AudioError: it has failed, or was cancelled by somebody else.
    """
    try:
        for found in client.watch(job.id):
            job = found
            if job.audio_seconds:
                meter(job.progress * job.audio_seconds, job.audio_seconds)
    except BaseException:
        client.cancel(job.id)
        raise
    if job.state != "done":
        raise AudioError(job.error or f"The job of {job.name} was cancelled.")
    return job
