"""`unbraid melody`: from the options to a request, and the outcome on the terminal."""

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
        help="The model that separates the vocals. (default: music-5)",
        autocompletion=completion.models,
    ),
]
_Format = Annotated[
    str | None, typer.Option("--format", "-f", help="csv, json, mid or svl. (default: as -o FILE is called, else csv)")
]
_Separate = Annotated[
    bool, typer.Option("--separate/--no-separate", help="Separate the vocals first, or take the input as one voice.")
]


def melody(
    inputs: opt.Inputs,
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
    r"""Track the melody of the voice of a song: its fundamental frequency every 16 ms, with a confidence.

    The result is a table (CSV, JSON), MIDI with the voice as a line of notes, or a layer for Sonic Visualiser. A
    recording without a singing voice has an empty melody, and a line says why.

    Needs the extra analysis: `pip install 'unbraid\[analysis]'`.
    """
    from unbraid.cli.tracking_results import TrackingResult

    report = Report(TrackingResult, verbose=verbose)
    with reported(report, "recording", as_json=as_json, quiet=quiet, tell_failures=notice):
        from unbraid.cli import request as req
        from unbraid.cli.tracking import TrackingRequest, run_melody
        from unbraid.runtime import Engine
        from unbraid.tasks.analysis.api import SEPARATOR, VOCALS

        req.check_json_alone(as_json=as_json, output=output)
        request = TrackingRequest(
            inputs=tuple(inputs),
            model=req.unless_left_out(model, SEPARATOR, separate=separate),
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
        run_melody(request, report, quiet=quiet or as_json)
