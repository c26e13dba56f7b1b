"""`unbraid singers`: from the options to a request, and the outcome on the terminal."""

from typing import Annotated

import typer

from unbraid.cli import completion
from unbraid.cli import options as opt
from unbraid.cli.console import notice
from unbraid.cli.report import Report, reported
from unbraid.cli.texts import TEMPLATE

_Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        help="The model that separates the vocals. (default: music-4)",
        autocompletion=completion.models,
    ),
]
_Format = Annotated[
    str | None, typer.Option("--format", "-f", help="csv, json or labels. (default: as -o FILE is called, else csv)")
]
_Number = Annotated[
    str | None,
    typer.Option(
        "--singers", metavar="N|N-M", help="How many sing, or the fewest and most: 1-3. (default: those found)"
    ),
]
_Separate = Annotated[
    bool, typer.Option("--separate/--no-separate", help="Separate the vocals first, or take inputs as voices alone.")
]


def singers(
    inputs: opt.Inputs,
    enrol: opt.EnrolSinger = None,
    number: _Number = None,
    embedder: opt.SingerEmbedder = "voice",
    model: _Model = None,
    output: opt.TextOutput = None,
    format: _Format = None,
    separate: _Separate = True,
    force: opt.ForceMusic = False,
    template: opt.TextTemplate = TEMPLATE,
    recursive: opt.Recursive = False,
    overwrite: opt.Overwrite = False,
    start: opt.Start = 0.0,
    duration: opt.Duration = None,
    track: opt.AudioTrack = "0",
    input_format: opt.InputFormat = None,
    strict: opt.Strict = False,
    skip_damage: opt.SkipDamage = False,
    yes: opt.Yes = False,
    device: opt.Device = "auto",
    threads: opt.Threads = None,
    as_json: opt.AsJson = False,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
) -> None:
    """Tell who sings when in songs: by name for those who are enrolled, or as singer1, singer2, ….

    The result has a row for each passage: start, end, singer and confidence. With --enrol, whoever else sings is
    called unknown. A recording in which nobody sings has no rows, and a line says why.
    """
    from unbraid.cli.tracking_results import TrackingResult

    report = Report(TrackingResult, verbose=verbose)
    with reported(report, "recording", as_json=as_json, quiet=quiet, tell_failures=notice):
        from unbraid.cli import request as req
        from unbraid.cli.tracking import SingersRequest, run_singers
        from unbraid.hub.defaults import MUSIC
        from unbraid.runtime import Engine
        from unbraid.tasks.analysis.api import VOCALS

        req.check_json_alone(as_json=as_json, output=output)
        request = SingersRequest(
            inputs=tuple(inputs),
            model=req.unless_left_out(model, MUSIC, separate=separate),
            enrol=req.enrolled(enrol or (), folders=True),
            embedder=embedder,
            number=req.speakers_of(number, "--singers"),
            stem=VOCALS if separate else None,
            force=force or not separate,
            output=None if output in (None, "-") else output,
            form=format,
            template=template,
            excerpt=req.excerpt_of((start, duration), track, input_format, strict=strict, skip_damage=skip_damage),
            engine=Engine(device, threads=threads),
            recursive=recursive,
            overwrite=overwrite,
            as_json=as_json,
        )
        run_singers(request, report, quiet=quiet or as_json)
