"""The options of `unbraid separate` and other commands, one type per option: its name and its help."""

from typing import Annotated, Literal

import typer

FORMATS = ("wav", "flac", "ogg", "opus", "mp3", "m4a")  # that audio can be written in
_INPUT, _OUTPUT, _MODEL, _MACHINE = "Input", "Output", "Separation", "Machine"


Inputs = Annotated[
    list[str],
    typer.Argument(help="Audio files, folders (hidden files are skipped), or - for standard input."),
]
Model = Annotated[
    str | None,
    typer.Option("--model", "-m", help="A name that `unbraid models` lists, or a model folder. (default: speech-2)"),
]
Output = Annotated[
    str,
    typer.Option("--output", "-o", metavar="DIR|-", help="The output folder; - writes one stem to standard output."),
]
Stems = Annotated[str | None, typer.Option(metavar="A,B", help="Only these stems: vocals,drums. (default: all)")]
Remove = Annotated[
    str | None,
    typer.Option(metavar="A,B", help="Write one stem, the sum of all but these: --remove vocals writes no-vocals."),
]
Report = Annotated[
    bool,
    typer.Option(
        "--report", help="Write a page with spectrograms and a player beside the stems: report.html, works offline."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object at the end instead of text.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]

Recursive = Annotated[
    bool,
    typer.Option("--recursive", "-r", help="Search sub-folders too, linked ones included.", rich_help_panel=_INPUT),
]
Start = Annotated[float, typer.Option(metavar="S", help="Start here, in seconds.", rich_help_panel=_INPUT)]
Duration = Annotated[
    float | None,
    typer.Option(metavar="S", help="The length in seconds. (default: to the end)", rich_help_panel=_INPUT),
]
AudioTrack = Annotated[
    str,
    typer.Option(
        "--track",
        metavar="N|auto",
        help="Audio track to read: 0 is the first; auto, the first that is not silent.",
        rich_help_panel=_INPUT,
    ),
]
InputFormat = Annotated[
    str | None,
    typer.Option(
        "--input-format",
        metavar="CODING[:…]",
        help="Read inputs as raw samples without a header: CODING:RATE:CHANNELS, such as ulaw:8000 or s16le:44100:2.",
        rich_help_panel=_INPUT,
    ),
]
Strict = Annotated[
    bool,
    typer.Option("--strict", help="Refuse files with wrong headers instead of warning.", rich_help_panel=_INPUT),
]
SkipDamage = Annotated[
    bool,
    typer.Option("--skip-damage", help="Replace damaged audio by silence instead of failing.", rich_help_panel=_INPUT),
]

Format = Annotated[
    str, typer.Option("--format", "-f", help="wav, flac, ogg, opus, mp3 or m4a.", rich_help_panel=_OUTPUT)
]
Subtype = Annotated[
    str | None,
    typer.Option(
        metavar="16|24|32f",
        help="Bit depth of wav and flac. (default: the input's; 24 for lossy ones)",
        rich_help_panel=_OUTPUT,
    ),
]
Bitrate = Annotated[
    int | None,
    typer.Option(metavar="KBPS", help="Of lossy formats, in kbit/s. (default: high quality)", rich_help_panel=_OUTPUT),
]
Template = Annotated[
    str,
    typer.Option(
        help="Names below the output folder, of {track}, {stem}, {ext}, {name} (with its extension), {model} and "
        "{parent} (the sub-folder, which otherwise goes in front).",
        rich_help_panel=_OUTPUT,
    ),
]
Resample = Annotated[
    bool,
    typer.Option(
        "--resample", help="Where the format lacks the input's rate, take the nearest.", rich_help_panel=_OUTPUT
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace outputs that exist.", rich_help_panel=_OUTPUT)]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume", help="Skip tracks that are done: same input, model, options and stems.", rich_help_panel=_OUTPUT
    ),
]

Speakers = Annotated[
    int | None,
    typer.Option(metavar="2|3", help="Choose the speech model by the number of voices.", rich_help_panel=_MODEL),
]
Wiener = Annotated[
    bool,
    typer.Option("--wiener", help="Refine music stems by a multichannel Wiener filter.", rich_help_panel=_MODEL),
]
WienerIterations = Annotated[
    int | None,
    typer.Option(metavar="N", min=0, help="Its iterations. (default: 1 with --wiener)", rich_help_panel=_MODEL),
]
MaskExponent = Annotated[
    float | None,
    typer.Option(
        metavar="X",
        help="Of music's soft masks; a larger one separates harder. (default: the model's own, 2 in Spleeter's)",
        rich_help_panel=_MODEL,
    ),
]
Residual = Annotated[
    bool,
    typer.Option(
        "--residual", help="Write the residual, mixture minus stems, as one more stem.", rich_help_panel=_MODEL
    ),
]
HighBand = Annotated[
    Literal["share", "drop"],
    typer.Option(
        help="The band above half the model's sample rate: shared among the stems, or dropped.", rich_help_panel=_MODEL
    ),
]
Raw = Annotated[
    bool,
    typer.Option(
        "--raw", help="The output of the published system, unchanged, at its own rate.", rich_help_panel=_MODEL
    ),
]
Force = Annotated[
    bool,
    typer.Option("--force", help="Run raw speech models on more than 5 minutes.", rich_help_panel=_MODEL),
]

Precision = Annotated[
    Literal["float32", "int8"],
    typer.Option(help="int8 is faster and slightly less accurate; for speech models.", rich_help_panel=_MACHINE),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, ...", rich_help_panel=_MACHINE)]
Threads = Annotated[int | None, typer.Option(metavar="N", help="CPU threads. (default: all)", rich_help_panel=_MACHINE)]
