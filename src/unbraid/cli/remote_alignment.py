"""`unbraid align --server`: the same result, made by a service."""

import dataclasses
import json
import time
from tempfile import TemporaryDirectory

from unbraid.cli.alignment import AlignmentRequest, AlignmentResult, checked, put_text, text_of
from unbraid.cli.files.inputs import Item
from unbraid.cli.jobs import Jobs
from unbraid.cli.pipes import Sources
from unbraid.cli.progress import Meter
from unbraid.cli.remote import connected, done
from unbraid.cli.report import Report, TextResult
from unbraid.cli.run import process
from unbraid.cli.texts import outputs_of
from unbraid.errors import UsageError
from unbraid.tasks.alignment.formats import FORMATS
from unbraid.tasks.alignment.texts import lines_in


def run_remotely(request: AlignmentRequest, server: str, report: Report[TextResult], *, quiet: bool = False) -> None:
    """Let a service align the text of a request with its recording, filling the report.

    Raises:
        UsageError: the request has options that a service does not take; nothing was done.
        ServiceError: the service cannot be reached, or lacks the model; nothing was done.
    """
    options = form_of(request)
    form, collected = checked(request)
    text = text_of(request.text)
    lines_in(text)
    outputs, failed = outputs_of(request, collected, FORMATS[form], FORMATS)
    with connected(server) as client, Sources(quiet=quiet) as sources:
        report.model, report.device, report.device_reason = request.model or "automatic", server, "--server"

        def work(item: Item, title: str) -> TextResult:
            started = time.monotonic()
            with Meter(title, quiet=quiet, jobs=Jobs()) as meter:
                job = client.submit(sources.path(item), "align", options | {"text": text}, name=item.name)
                job = done(client, job, meter)
            with TemporaryDirectory() as folder:
                files = client.download(job.id, folder)
                told = json.loads(files["aligned.json"].read_text(encoding="utf-8"))
                result = files[f"aligned.{FORMATS[form]}"].read_text(encoding="utf-8")
            client.delete(job.id)
            output = None if (place := outputs[item]) is None else place.path
            if output is not None or not request.as_json:
                put_text(result, output, overwrite=request.overwrite)
            found = sum(line["found"] for line in told["lines"])
            return AlignmentResult(
                item.label,
                "done",
                notices=job.notices,
                seconds=told["seconds"],
                elapsed_seconds=time.monotonic() - started,
                output=output,
                transcript=told["lines"] if output is None and request.as_json else None,
                model=told["model"],
                lines_found=found,
                lines_not_found=len(told["lines"]) - found,
                not_in_text=told["not_in_text"],
            )

        process(collected, failed, work, report, sources, quiet=quiet, jobs=Jobs(1))


def form_of(request: AlignmentRequest) -> dict[str, str | float | bool]:
    """The options of a job, all but its text.

    Raises:
        UsageError: the request has others.
    """
    plain = dataclasses.replace(
        AlignmentRequest(request.inputs, request.model, text=request.text),
        **{name: getattr(request, name) for name in ("output", "form", "words", "vocals", "threshold")},
        **{name: getattr(request, name) for name in ("overwrite", "as_json")},
    )
    if request != plain:
        raise UsageError(
            "--server goes with -m, -o, --format, --words, --vocals, --threshold and --overwrite; leave other options "
            "out, or --server."
        )
    form: dict[str, str | float | bool] = {"words": request.words}
    form |= {"model": request.model} if request.model else {}
    form |= {} if request.vocals is None else {"vocals": request.vocals}
    return form | ({} if request.threshold is None else {"threshold": request.threshold})
