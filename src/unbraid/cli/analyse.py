"""`unbraid analyse`: from the options to a request, and the outcome on the terminal."""

from typing import Annotated

import typer

from unbraid.cli import completion
from unbraid.cli import options as opt
from unbraid.cli.report import Report, reported

_Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        help="The model that separates the song; it has the stems vocals, drums and bass. (default: music-4)",
        autocompletion=completion.models,
    ),
]
_Output = Annotated[
    str | None,
    typer.Option(
        *opt.OUT,
        metavar="DIR",
        help="The folder of the analysis; for several songs, of theirs. (default: named as the song)",
    ),
]
_Stems = Annotated[bool, typer.Option("--stems/--no-stems", help="Write the stems too, or only what is found in them.")]


def analyse(
    inputs: opt.Inputs,
    model: _Model = None,
    output: _Output = None,
    stems: _Stems = True,
    force: opt.ForceMusic = False,
    recursive: opt.Recursive = False,
    overwrite: opt.Overwrite = False,
    start: opt.Start = 0.0,
    duration: opt.Duration = None,
    track: opt.AudioTrack = "0",
    input_format: opt.InputFormat = None,
    strict: opt.Strict = False,
    skip_damage: opt.SkipDamage = False,
    yes: opt.Yes = False,
    server: opt.Server = None,
    device: opt.Device = "auto",
    threads: opt.Threads = None,
    as_json: opt.AsJson = False,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
) -> None:
    r"""Analyse songs: stems, melody, notes, key, chords and sung passages.

    Each song becomes a folder: stems as WAV, index.html to practise with (a player; chords, melody and notes over
    time), MIDI, CSV, JSON, JAMS, and labels for Audacity. Parts that are not found are left
    out, and a line says why.

    The melody needs the extra analysis: `pip install 'unbraid\[analysis]'`. Notes need a model:
    `unbraid models pull basic-pitch`.
    """
    from unbraid.cli.analysis_results import AnalysisResult

    report = Report(AnalysisResult, verbose=verbose)
    with reported(report, "song", as_json=as_json, quiet=quiet):
        from unbraid.cli import request as req
        from unbraid.cli.analysis import AnalysisRequest, run
        from unbraid.hub.defaults import MUSIC
        from unbraid.runtime import Engine

        request = AnalysisRequest(
            inputs=tuple(inputs),
            model=model or MUSIC,
            output=output,
            stems=stems,
            force=force,
            excerpt=req.excerpt_of((start, duration), track, input_format, strict=strict, skip_damage=skip_damage),
            engine=Engine(device, threads=threads),
            recursive=recursive,
            overwrite=overwrite,
        )
        if server is not None:
            from unbraid.cli.remote_analysis import run_remotely

            run_remotely(request, server, report, quiet=quiet or as_json)
            return
        run(request, report, quiet=quiet or as_json)
