"""`unbraid enhance`: `separate` with a model of one voice, which removes noise."""

import os
from pathlib import Path
from typing import Annotated

import typer

from unbraid.cli import options as opt
from unbraid.cli.console import notice, say
from unbraid.cli.files.inputs import DEFAULT_TEMPLATE
from unbraid.cli.report import Report, StemsResult, reported
from unbraid.errors import UsageError
from unbraid.hub.defaults import DEFAULTS

TEMPLATE = "{track}-{stem}.{ext}"

_Output = Annotated[
    str,
    typer.Option(
        *opt.OUT,
        metavar="FILE|DIR|-",
        help="The file to write, or the folder for NAME-speech.wav; - writes to standard output.",
    ),
]
_Strength = Annotated[float, typer.Option(metavar="0..1", help="How much of the noise is removed; 1 is all of it.")]
_NoBypass = Annotated[
    bool, typer.Option("--no-bypass", help="Also process speech that is clean, which otherwise passes as it is.")
]
_KeepResidual = Annotated[bool, typer.Option("--keep-residual", help="Write the removed noise too: NAME-residual.wav.")]
_Format = Annotated[
    str | None, typer.Option("--format", "-f", help=f"{', '.join(opt.FORMATS)}. (default: as FILE ends, or wav)")
]


def enhance(
    inputs: opt.Inputs,
    model: opt.ModelOption = DEFAULTS["enhancement"],
    output: _Output = ".",
    strength: _Strength = 1.0,
    no_bypass: _NoBypass = False,
    keep_residual: _KeepResidual = False,
    format: _Format = None,
    subtype: opt.Subtype = None,
    bitrate: opt.Bitrate = None,
    resample: opt.Resample = False,
    template: opt.Template = TEMPLATE,
    overwrite: opt.Overwrite = False,
    resume: opt.Resume = False,
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
    """Remove noise from speech: noisy.wav gives noisy-speech.wav, at the same rate, length and channels."""
    tell = notice if output == "-" else say
    report = Report(StemsResult, verbose=verbose)
    with reported(report, "track", as_json=as_json, quiet=quiet, tell=tell):
        from unbraid.cli.request import Coding, SeparationRequest, check_json_alone, excerpt_of
        from unbraid.runtime import Engine
        from unbraid.tasks.separation.options import Options

        check_json_alone(as_json=as_json, output=output)
        root, names, ext = place_of(output, format)
        if names != TEMPLATE and template != TEMPLATE:
            raise UsageError(f"--template names files in a folder, and {output} is none; name a folder with -o.")
        if keep_residual and names != TEMPLATE:
            raise UsageError(f"--keep-residual writes two files, and {output} is one; name a folder with -o.")
        if names != TEMPLATE and len(inputs) > 1:
            raise UsageError(f"{output} is one file for {len(inputs)} inputs; name a folder with -o.")
        request = SeparationRequest(
            inputs=tuple(inputs),
            model=model,
            root=root,
            template=template if names == TEMPLATE else names,
            stems=("speech", "residual") if keep_residual else ("speech",),
            coding=Coding(ext, subtype, bitrate, resample),
            excerpt=excerpt_of((start, duration), track, input_format, strict=strict, skip_damage=skip_damage),
            engine=Engine(device, "float32", threads),
            options=Options(strength=strength, bypass=not no_bypass),
            recursive=recursive,
            resume=resume,
            overwrite=overwrite,
            jobs=jobs,
        )
        from unbraid.cli.separation import run

        run(request, report, quiet=quiet or as_json)


def place_of(output: str, format: str | None) -> tuple[Path | None, str, str]:
    """The folder of an output (None: standard output), the template of the name in it, and the format.

    A name with the extension of an audio file is a file, unless it is an existing folder or ends in a slash.

    Raises:
        UsageError: the file ends in another format than the one that was asked for, or like a file of another kind.
    """
    wanted = None if format is None else format.removeprefix(".").lower()
    path = Path(output)
    ending = path.suffix.removeprefix(".").lower()
    if output == "-":
        return None, DEFAULT_TEMPLATE, wanted or "wav"
    is_folder = path.is_dir() or output.endswith(("/", os.sep))
    if ending[:1].isalpha() and ending not in opt.FORMATS and not is_folder:
        endings = ", .".join(opt.FORMATS)
        raise UsageError(f"{output} does not end like an audio file; end it in .{endings}, or in / if it is a folder.")
    if ending not in opt.FORMATS or is_folder:
        return path, TEMPLATE, wanted or "wav"
    if wanted not in (None, ending):
        raise UsageError(f"{output} ends in {ending}, and --format is {wanted}; leave one of them out.")
    stem = path.name.removesuffix(path.suffix).replace("{", "{{").replace("}", "}}")
    return path.parent, stem + ".{ext}", ending
