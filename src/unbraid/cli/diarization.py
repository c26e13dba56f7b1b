"""A run of `unbraid diarize`: the request, the place of each text, and one recording after another."""

import json
import time
from dataclasses import dataclass, field
from pathlib import Path

from unbraid.audio import probe
from unbraid.cli.console import say
from unbraid.cli.files.inputs import Item
from unbraid.cli.jobs import Jobs
from unbraid.cli.pipes import Sources
from unbraid.cli.progress import Meter
from unbraid.cli.report import Report, TurnsResult
from unbraid.cli.request import excerpt_values, separation_values
from unbraid.cli.run import described, detail_engine, find_inputs, process
from unbraid.cli.texts import TextPlan, TextRequest, folders_of, once_text, outputs_of, plan_text, text_format
from unbraid.files.texts import named_format
from unbraid.files.workdir import swept
from unbraid.tasks.conversation.formats import FORMATS, to_json
from unbraid.tasks.conversation.formats import written as formatted
from unbraid.tasks.separation.options import Options, check_follows_people
from unbraid.tasks.separation.separator import Separator


def check_format(name: str) -> str:
    """The format of a name or file extension.

    Raises:
        UsageError: there is no such format.
    """
    return named_format(name, FORMATS, "Who speaks when is")


@dataclass(frozen=True)
class DiarizationRequest(TextRequest):
    """The options of `unbraid diarize`."""

    options: Options = field(default_factory=Options)


def run(request: DiarizationRequest, report: Report[TurnsResult], *, quiet: bool = False) -> None:
    """Find who speaks when in all inputs of a request, filling the report recording by recording.

    Raises:
        UsageError: the request cannot be met; nothing was done.
        UnbraidError: a model or the device is not there; nothing was done.
    """
    report.model, form = request.model, text_format(request, FORMATS, check_format)
    collected = find_inputs(request, quiet=quiet)
    outputs, failed = outputs_of(request, collected, FORMATS[form], FORMATS)
    elsewhere: set[Item] | None = set() if request.resume else None
    engine = request.engine
    with (
        swept(*folders_of(outputs.values())),
        Separator(request.model, device=engine.device, threads=engine.threads, options=request.options) as separator,
        Sources(quiet=quiet) as sources,
    ):
        check_follows_people(separator.spec, separator.options)
        report.device, report.device_reason = separator.device, separator.device_reason
        jobs = Jobs(request.jobs)
        detail_engine(report, request)

        options = {"format": form, **separation_values(request.options), **excerpt_values(request.excerpt)}

        def work(item: Item, title: str) -> TurnsResult | None:
            source, place = sources.path(item), outputs[item]
            about = described(probe(source, request.excerpt))
            plan = None if place is None else plan_text(request, item, source, place, [separator.spec], options)

            def diarized() -> TurnsResult:
                with Meter(title, quiet=quiet, jobs=jobs) as meter:
                    report.detail(f"{item.label}: {about}")
                    return _diarize(item, source, plan, (request, form, separator), meter)

            return once_text(item, plan, TurnsResult, diarized, elsewhere)

        process(collected, failed, work, report, sources, quiet=quiet, jobs=jobs)


def _diarize(
    item: Item, source: Path, plan: TextPlan | None, session: tuple[DiarizationRequest, str, Separator], meter: Meter
) -> TurnsResult:
    """Find who speaks when in one recording; the text goes to its file, to the terminal, or into the result."""
    (request, form, separator), started = session, time.monotonic()
    info = probe(source, request.excerpt)
    listening = separator.listen(source, request.excerpt, meter)
    (conversation,) = listening
    later = max(0.0, info.start_seconds - request.excerpt.start)
    text = formatted(conversation, form, Path(item.name).stem)
    if plan is not None:
        with plan.written() as hidden:
            hidden.write_text(text, encoding="utf-8", newline="\n")
    elif not request.as_json:
        meter.stop()
        say(*text.rstrip("\n").split("\n"))
    return TurnsResult(
        item.label,
        "done",
        notices=listening.diagnostics.notices,
        seconds=conversation.seconds,
        elapsed_seconds=time.monotonic() - started,
        start_seconds=later,
        output=None if plan is None else plan.place.path,
        conversation=conversation,
        turns=json.loads(to_json(conversation, Path(item.name).stem)) if request.as_json and plan is None else None,
    )
