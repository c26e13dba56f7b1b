"""`unbraid analyse`: from the options to a request, and the outcome on the terminal."""

from pathlib import Path
from typing import Annotated, Literal

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
_Lyrics = Annotated[
    str | None, typer.Option(metavar="FILE", help="The text that is sung, to find the times of its lines.")
]
_LyricsModel = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="The recogniser that writes down what is sung; with --lyrics, that finds the times. (default: none; with "
        "--lyrics, one on this machine with CTC and the letters of the text)",
        autocompletion=completion.models,
    ),
]
_Plots = Annotated[
    Literal["png", "svg"] | None,
    typer.Option(help="Draw singers, chords, melody and notes as a picture, too; needs matplotlib."),
]


def analyse(
    inputs: opt.Inputs,
    model: _Model = None,
    output: _Output = None,
    stems: _Stems = True,
    enrol: opt.EnrolSinger = None,
    embedder: opt.SingerEmbedder = "voice",
    lyrics: _Lyrics = None,
    lyrics_model: _LyricsModel = None,
    plots: _Plots = None,
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
    r"""Analyse songs: stems, melody, notes, key, chords, singers and lyrics.

    Each song becomes a folder: stems as WAV, index.html to practise with (a player; singers, lyrics, chords, melody and
    notes over time), MIDI, CSV, JSON, JAMS, LRC, and labels for Audacity. Parts that are not found are left out, and a
    line says why.

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
        from unbraid.tasks.alignment.texts import read_text

        request = AnalysisRequest(
            inputs=tuple(inputs),
            model=model or MUSIC,
            output=output,
            stems=stems,
            enrol=req.enrolled(enrol or (), folders=True),
            embedder=embedder,
            lyrics=None if lyrics is None else read_text(Path(lyrics)),
            lyrics_model=lyrics_model,
            plots=plots,
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
