"""`unbraid convert`: speech in the voice of somebody else."""

from pathlib import Path
from typing import Annotated

import typer

from unbraid.cli import options as opt
from unbraid.cli.enhance import TEMPLATE, place_of
from unbraid.cli.report import Report, TextResult, reported
from unbraid.errors import UsageError
from unbraid.hub.defaults import DEFAULTS

_Voice = Annotated[
    Path,
    typer.Option(metavar="FILE", help="The new voice: a recording of the person, or a vector as .npy or .json."),
]
_Vocoder = Annotated[str, typer.Option(metavar="NAME", help="The vocoder: a model from spectrograms to waveforms.")]
_Output = Annotated[
    str, typer.Option(*opt.OUT, metavar="FILE|DIR", help="The file to write, or the folder for NAME-voice.wav.")
]
_Format = Annotated[
    str | None, typer.Option("--format", "-f", help=f"{', '.join(opt.FORMATS)}. (default: as FILE ends, or wav)")
]


def convert(
    inputs: opt.Inputs,
    voice: _Voice,
    model: opt.ModelOption = DEFAULTS["voice conversion"],
    vocoder: _Vocoder = DEFAULTS["vocoder"],
    output: _Output = ".",
    format: _Format = None,
    subtype: opt.Subtype = None,
    bitrate: opt.Bitrate = None,
    resample: opt.Resample = False,
    template: opt.Template = TEMPLATE,
    overwrite: opt.Overwrite = False,
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
    """Convert speech to another voice: talk.wav gives talk-voice.wav, at the same rate, length and channels.

    Channels are mixed first. English speech works best: the published model was trained on it.
    """
    report = Report(TextResult, verbose=verbose)
    with reported(report, "recording", as_json=as_json, quiet=quiet):
        from unbraid.cli.conversion import ConversionRequest, run
        from unbraid.cli.request import Coding, excerpt_of
        from unbraid.runtime import Engine

        root, names, ext = place_of(output, format)
        if root is None:
            raise UsageError("`unbraid convert` writes files; name one, or a folder, with -o.")
        if names != TEMPLATE and template != TEMPLATE:
            raise UsageError(f"--template names files in a folder, and {output} is none; name a folder with -o.")
        if names != TEMPLATE and len(inputs) > 1:
            raise UsageError(f"{output} is one file for {len(inputs)} inputs; name a folder with -o.")
        request = ConversionRequest(
            inputs=tuple(inputs),
            model=model,
            excerpt=excerpt_of((start, duration), track, input_format, strict=strict, skip_damage=skip_damage),
            engine=Engine(device, "float32", threads),
            recursive=recursive,
            overwrite=overwrite,
            jobs=jobs,
            voice=voice,
            vocoder=vocoder,
            root=root,
            template=template if names == TEMPLATE else names,
            coding=Coding(ext, subtype, bitrate, resample),
        )
        run(request, report, quiet=quiet or as_json)
