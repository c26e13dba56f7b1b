"""`unbraid analyse --server`: the same folders, made by a service."""

import json
import time

from unbraid.cli.analysis import FACTS, AnalysisRequest, song_places
from unbraid.cli.analysis_results import AnalysisResult, Found
from unbraid.cli.files.inputs import Item
from unbraid.cli.jobs import Jobs
from unbraid.cli.pipes import Sources
from unbraid.cli.progress import Meter
from unbraid.cli.remote import connected, done
from unbraid.cli.report import Report
from unbraid.cli.run import find_inputs, process, written
from unbraid.errors import UsageError
from unbraid.files.workdir import disk_errors


def run_remotely(request: AnalysisRequest, server: str, report: Report[AnalysisResult], *, quiet: bool = False) -> None:
    """Let a service analyse all inputs of a request, filling the report song by song.

    Raises:
        UsageError: the request has options that a service does not take; nothing was done.
        ServiceError: the service cannot be reached, or lacks the model; nothing was done.
    """
    options = form_of(request)
    collected = find_inputs(request, quiet=quiet)
    places, failed = song_places(request, collected)
    with connected(server) as client, Sources(quiet=quiet) as sources:
        report.model, report.device, report.device_reason = request.model, server, "--server"

        def work(item: Item, title: str) -> AnalysisResult:
            place, started = places[item], time.monotonic()
            with Meter(title, quiet=quiet, jobs=Jobs()) as meter:
                job = client.submit(sources.path(item), "analyse", options, name=item.name)
                job = done(client, job, meter)
            with disk_errors(place.parent):
                place.parent.mkdir(parents=True, exist_ok=True)
            with written(place, replace=request.overwrite) as hidden:
                with disk_errors(place.parent):
                    hidden.mkdir()
                names = tuple(sorted(client.download(job.id, hidden)))
                song = json.loads((hidden / FACTS).read_text(encoding="utf-8"))
            client.delete(job.id)
            return AnalysisResult(
                item.label,
                "done",
                notices=job.notices,
                seconds=song["seconds"],
                elapsed_seconds=time.monotonic() - started,
                model=job.model,
                output=place,
                files=names,
                found=Found.of(song),
            )

        process(collected, failed, work, report, sources, quiet=quiet, jobs=Jobs())


def form_of(request: AnalysisRequest) -> dict[str, str | float | bool]:
    """The options of a job.

    Raises:
        UsageError: the request has others.
    """
    plain = AnalysisRequest(
        request.inputs,
        request.model,
        output=request.output,
        stems=request.stems,
        force=request.force,
        recursive=request.recursive,
        overwrite=request.overwrite,
    )
    if request != plain:
        raise UsageError(
            "--server goes with -m, -o, --stems, --force, -r and --overwrite; leave other options out, or --server."
        )
    return {"model": request.model, "stems": request.stems, "force": request.force, "format": "wav"}
