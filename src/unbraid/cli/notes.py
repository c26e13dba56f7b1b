"""`unbraid notes`: from the options to a request, and the outcome on the terminal."""

from typing import Annotated

import typer

from unbraid.cli import completion
from unbraid.cli import options as opt
from unbraid.cli.console import notice
from unbraid.cli.report import Report, reported
from unbraid.cli.texts import TEMPLATE
from unbraid.hub.defaults import DEFAULTS

_Format = Annotated[
    str | None, typer.Option("--format", "-f", help="mid, csv, json or svl. (default: as -o FILE is called, else csv)")
]
_Stem = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Only this stem: piano, bass, other or vocals. (default: the input as it is)"),
]
_Separator = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="The model that separates the stem. (default: music-5)",
        autocompletion=completion.models,
    ),
]
_Onset = Annotated[
    float, typer.Option(metavar="X", help="Activation at which a note begins, 0 to 1; lower finds more notes.")
]
_Sustain = Annotated[
    float, typer.Option(metavar="X", help="Activation below which a note ends; lower gives longer notes.")
]


def notes(
    inputs: opt.Inputs,
    model: opt.ModelOption = DEFAULTS["notes"],
    stem: _Stem = None,
    separator: _Separator = None,
    output: opt.TextOutput = None,
    format: _Format = None,
    onset: _Onset = 0.7,
    sustain: _Sustain = 0.4,
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
    """Write down the notes of a recording, or of one of its stems, as MIDI, a table, or a layer for Sonic Visualiser.

    Several notes may sound at once. Drums are not written down. Get the model first: `unbraid models pull basic-pitch`.
    """
    from unbraid.cli.tracking_results import TrackingResult

    report = Report(TrackingResult, verbose=verbose)
    with reported(report, "recording", as_json=as_json, quiet=quiet, tell_failures=notice):
        from unbraid.cli import request as req
        from unbraid.cli.tracking import NotesRequest, run_notes
        from unbraid.runtime import Engine
        from unbraid.tasks.analysis.notes_decoding import DecodingOptions

        req.check_json_alone(as_json=as_json, output=output)
        request = NotesRequest(
            inputs=tuple(inputs),
            model=model,
            stem=stem,
            separator=separator,
            decoding=DecodingOptions(onset, sustain),
            force=force,
            output=None if output in (None, "-") else output,
            form=format,
            template=template,
            excerpt=req.excerpt_of((start, duration), track, input_format, strict=strict, skip_damage=skip_damage),
            engine=Engine(device, threads=threads),
            recursive=recursive,
            overwrite=overwrite,
            as_json=as_json,
        )
        run_notes(request, report, quiet=quiet or as_json)
