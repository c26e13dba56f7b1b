"""`unbraid align`: from the options to a request, and the outcome on the terminal."""

from typing import Annotated

import typer

from unbraid.cli import completion
from unbraid.cli import options as opt
from unbraid.cli.console import notice
from unbraid.cli.report import Report, TextResult, reported

_Text = Annotated[
    str,
    typer.Argument(help="The text that is said: lyrics, a script, LRC, SRT or WebVTT, whose times are ignored; or -."),
]
_Recording = Annotated[str, typer.Argument(help="The recording of it: an audio or video file, or -.")]
_Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        help="A recogniser with CTC, by name or folder. (default: one on this machine with the letters of the text)",
        autocompletion=completion.models,
    ),
]
_Output = Annotated[
    str | None,
    typer.Option(*opt.OUT, metavar="FILE|DIR|-", help="Where the result goes. (default: shown)"),
]
_Format = Annotated[
    str | None,
    typer.Option(
        "--format", "-f", help="lrc, srt, vtt, ass, json or textgrid. (default: as -o FILE is called, else lrc)"
    ),
]
_Words = Annotated[bool, typer.Option("--words", help="In LRC and WebVTT the time of each word, too, for karaoke.")]
_Vocals = Annotated[
    bool | None,
    typer.Option(
        "--vocals/--no-vocals",
        help="Separate the voice of a song first, or not. (default: where it sounds like music)",
        show_default=False,
    ),
]
_VocalsModel = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="The model that separates the voice of a song. (default: music-4)",
        autocompletion=completion.models,
    ),
]
_Threshold = Annotated[
    float | None,
    typer.Option(
        metavar="X",
        help="Mean log probability of the letters of a line, relative to the likeliest text, below which it is not "
        "found. (default: -3; -1.3 for digits)",
    ),
]


def align(
    text: _Text,
    recording: _Recording,
    model: _Model = None,
    output: _Output = None,
    format: _Format = None,
    words: _Words = False,
    vocals: _Vocals = None,
    vocals_model: _VocalsModel = None,
    threshold: _Threshold = None,
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
    """Align a text with a recording of it: lyrics with a song, a script with a talk.

    The result has the time of each line and word: LRC, subtitles (SRT, WebVTT, ASS for karaoke), JSON, or a TextGrid
    for Praat. Lines that nobody says are left out, and reported.

    For English get a model first: `unbraid models pull facebook/wav2vec2-base-960h`.
    """
    report = Report(TextResult, verbose=verbose)
    with reported(report, "alignment", as_json=as_json, quiet=quiet, tell_failures=notice):
        from unbraid.cli import request as req
        from unbraid.cli.alignment import AlignmentRequest, run
        from unbraid.runtime import Engine

        req.check_json_alone(as_json=as_json, output=output)
        request = AlignmentRequest(
            inputs=(recording,),
            model=model or "",
            text=text,
            output=None if output in (None, "-") else output,
            form=format,
            words=words,
            vocals=vocals,
            vocals_model=vocals_model,
            threshold=threshold,
            excerpt=req.excerpt_of((start, duration), track, input_format, strict=strict, skip_damage=skip_damage),
            engine=Engine(device, threads=threads),
            overwrite=overwrite,
            as_json=as_json,
        )
        if server is not None:
            from unbraid.cli.remote_alignment import run_remotely

            run_remotely(request, server, report, quiet=quiet or as_json)
            return
        run(request, report, quiet=quiet or as_json)
