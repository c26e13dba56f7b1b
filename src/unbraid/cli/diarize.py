"""`unbraid diarize`: from the options to a request, and who speaks when in each recording."""

from typing import Annotated

import typer

from unbraid.cli import options as opt
from unbraid.cli.console import notice
from unbraid.cli.report import Report, TurnsResult, reported

_Format = Annotated[
    str | None,
    typer.Option(
        "--format", "-f", help="rttm, json, labels, textgrid or svg. (default: as -o FILE is called, else rttm)"
    ),
]


def diarize(
    inputs: opt.Inputs,
    model: opt.Model = None,
    output: opt.TextOutput = None,
    format: _Format = None,
    speakers: opt.Speakers = None,
    enrol: opt.Enrol = None,
    embedder: opt.Embedder = None,
    template: opt.TextTemplate = "{track}.{ext}",
    overwrite: opt.Overwrite = False,
    resume: opt.ResumeTexts = False,
    recursive: opt.Recursive = False,
    start: opt.Start = 0.0,
    duration: opt.Duration = None,
    track: opt.AudioTrack = "0",
    input_format: opt.InputFormat = None,
    strict: opt.Strict = False,
    skip_damage: opt.SkipDamage = False,
    yes: opt.Yes = False,
    device: opt.Device = "auto",
    threads: opt.Threads = None,
    jobs: opt.Jobs = 1,
    as_json: opt.AsJson = False,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
) -> None:
    """Tell who speaks when: as RTTM, JSON, labels for Audacity, a TextGrid for Praat, or a picture (svg).

    Voices are separated as `unbraid separate` does, but no audio is written.
    """
    report = Report(TurnsResult, verbose=verbose)
    with reported(report, "recording", as_json=as_json, quiet=quiet, tell_failures=notice):
        from unbraid.cli import request as req
        from unbraid.cli.diarization import DiarizationRequest, run
        from unbraid.hub.defaults import DEFAULTS
        from unbraid.runtime import Engine
        from unbraid.tasks.separation.options import Options

        req.check_json_alone(as_json=as_json, output=output)
        people, number = req.enrolled(enrol or (), None), req.speakers_of(speakers)
        request = DiarizationRequest(
            inputs=tuple(inputs),
            model=model or DEFAULTS["separation"],
            output=None if output in (None, "-") else output,
            form=format,
            template=template,
            excerpt=req.excerpt_of((start, duration), track, input_format, strict=strict, skip_damage=skip_damage),
            options=Options(speakers=number, enrol=people, embedder=embedder),
            engine=Engine(device, threads=threads),
            recursive=recursive,
            overwrite=overwrite,
            resume=resume,
            jobs=jobs,
            as_json=as_json,
        )
        run(request, report, quiet=quiet or as_json)
