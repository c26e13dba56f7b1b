"""The options of `unbraid separate` and other commands, one type per option: its name and its help."""

from functools import partial
from typing import Annotated, Any, Literal

import typer

from unbraid.cli import completion, times
from unbraid.cli.times import seconds_of

FORMATS = ("wav", "flac", "ogg", "opus", "mp3", "m4a")  # that audio can be written in
OUT = ("--out", "-o", "--output")  # where a command writes to; --output is the name of earlier releases


def panel(title: str) -> partial[Any]:
    """`typer.Option` for the options that help shows below a title of their own."""
    return partial(typer.Option, rich_help_panel=title)


_input, _output, _separation, _machine = map(panel, ("Input", "Output", "Separation", "Machine"))


Inputs = Annotated[
    list[str], typer.Argument(help="Audio files, folders (hidden files are skipped), or - for standard input.")
]
_MODEL = "A name that `unbraid models` lists, or a model folder."
ModelOption = Annotated[str, typer.Option("--model", "-m", help=_MODEL, autocompletion=completion.models)]
ModelArgument = Annotated[str, typer.Argument(metavar="MODEL", help=_MODEL, autocompletion=completion.models)]
Model = Annotated[
    str | None,
    typer.Option("--model", "-m", help=f"{_MODEL} (default: speech)", autocompletion=completion.models),
]
ModelForContent = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        help=f"{_MODEL} A,B is the mean of both. (default: speech; for music, music-4)",
        autocompletion=completion.models,
    ),
]
Output = Annotated[
    str,
    typer.Option(*OUT, metavar="DIR|-", help="The output folder; - writes one stem to standard output."),
]
Stems = Annotated[
    str | None,
    typer.Option(metavar="A,B", help="Only these stems: vocals,drums. (default: all)", autocompletion=completion.stems),
]
Remove = Annotated[
    str | None,
    typer.Option(
        metavar="A,B",
        autocompletion=completion.stems,
        help="Write one stem, the sum of all but these: --remove vocals writes no-vocals.",
    ),
]
Report = Annotated[
    bool,
    typer.Option(
        "--report", help="Write a page with spectrograms and a player beside the stems: report.html, works offline."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object at the end instead of text.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]

Verbose = Annotated[
    bool,
    typer.Option("--verbose", "-v", help="Print the model's folder, threads, and the format of each input."),
]

Yes = Annotated[bool, _machine("--yes", help="Download published models that are not on this machine, without asking.")]

Recursive = Annotated[bool, _input("--recursive", "-r", help="Search sub-folders too, linked ones included.")]
Start = Annotated[
    float, _input(parser=seconds_of, metavar=times.METAVAR, help="Start here, in seconds or as 1:02:03.5.")
]
Duration = Annotated[
    float | None,
    _input(parser=seconds_of, metavar=times.METAVAR, help="The length, in seconds or as 0:30. (default: to the end)"),
]
AudioTrack = Annotated[
    str,
    _input(
        "--track", metavar="N|auto", help="Audio track to read: 0 is the first; auto, the first that is not silent."
    ),
]
InputFormat = Annotated[
    str | None,
    _input(
        "--input-format",
        metavar="CODING[:…]",
        help="Read inputs as raw samples without a header: CODING:RATE:CHANNELS, such as ulaw:8000 or s16le:44100:2.",
    ),
]
Strict = Annotated[bool, _input("--strict", help="Refuse files with wrong headers instead of warning.")]
SkipDamage = Annotated[bool, _input("--skip-damage", help="Replace damaged audio by silence instead of failing.")]

Format = Annotated[
    str, _output("--format", "-f", help="wav, flac, ogg, opus, mp3 or m4a.", autocompletion=completion.formats)
]
StemFormat = Annotated[
    str,
    _output(
        "--format",
        "-f",
        help="wav, flac, ogg, opus, mp3 or m4a; or stem.m4a: a song and its four stems in one file, for DJ programs.",
        autocompletion=completion.stem_formats,
    ),
]
Subtype = Annotated[
    str | None,
    _output(metavar="16|24|32f", help="Bit depth of wav and flac. (default: the input's; 16 for lossy ones)"),
]
Bitrate = Annotated[
    int | None, _output(metavar="KBPS", help="Bit rate of lossy formats, in kbit/s. (default: high quality)")
]
Template = Annotated[
    str,
    _output(
        help="Names below the output folder, of {track}, {stem}, {ext}, {name} (with its extension), {model} and "
        "{parent} (the sub-folder, which otherwise goes in front)."
    ),
]
Resample = Annotated[bool, _output("--resample", help="Where the format lacks the input's rate, take the nearest.")]
Overwrite = Annotated[bool, _output("--overwrite", help="Replace outputs that exist.")]
Resume = Annotated[
    bool,
    _output(
        "--resume", help="Skip tracks that are done: same input, model, options and stems. Other results are kept."
    ),
]

Speakers = Annotated[
    str | None,
    _separation(metavar="N|N-M", help="How many people speak, or the fewest and most: 2-6. (default: those found)"),
]
Separate = Annotated[
    bool,
    _separation("--separate", help="Transcribe each person alone, where they speak; each line names its person."),
]
Enrol = Annotated[
    list[str] | None,
    _separation(metavar="NAME=FILE", help="The person whose voice is in FILE is called NAME. Give it for each person."),
]
EnrolSinger = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=FILE",
        help="The singer whose voice is in FILE, or in the recordings of a folder, is called NAME. Give it for each.",
    ),
]
SingerEmbedder = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="The model of speaker embeddings, which tells singers apart.",
        autocompletion=completion.models,
    ),
]
Only = Annotated[
    str | None, _separation(metavar="FILE", help="Only the person whose voice is in FILE, named after it.")
]
Embedder = Annotated[
    str | None,
    _separation(metavar="NAME", help="The model of speaker embeddings that people are followed by. (default: voice)"),
]
Wiener = Annotated[bool, _separation("--wiener", help="Refine music stems by a multichannel Wiener filter.")]
WienerIterations = Annotated[
    int | None, _separation(metavar="N", min=0, help="Iterations of the Wiener filter. (default: 1 with --wiener)")
]
MaskExponent = Annotated[
    float | None,
    _separation(
        metavar="X",
        help="Exponent of music's soft masks; a larger one separates harder. (default: the model's, 2 in Spleeter's)",
    ),
]
Overlap = Annotated[
    float | None,
    _separation(
        metavar="SECONDS",
        help="How much neighbouring windows overlap, at most half of them; less is faster. (default: the model's)",
    ),
]
TwoStems = Annotated[
    str | None,
    _separation(
        "--two-stems",
        metavar="STEM",
        autocompletion=completion.stems,
        help="Write this stem and the sum of all others: --two-stems vocals writes vocals and no_vocals.",
    ),
]
Shifts = Annotated[
    int,
    _separation(
        metavar="N",
        min=0,
        help="The mean over N copies that begin up to half a second later; takes N times as long.",
    ),
]
Residual = Annotated[bool, _separation("--residual", help="Write the residual, mixture minus stems, as one more stem.")]
HighBand = Annotated[
    Literal["share", "drop"],
    _separation(help="The band above half the model's sample rate: shared among the stems, or dropped."),
]
Raw = Annotated[bool, _separation("--raw", help="The output of the published system, unchanged, at its own rate.")]
Force = Annotated[bool, _separation("--force", help="Run raw speech models on more than 5 minutes.")]

Precision = Annotated[
    Literal["float32", "int8"],
    _machine(help="int8 is faster and slightly less accurate; for SepFormers, RoFormers and Whispers."),
]
Device = Annotated[str, _machine(help="auto, cpu, cuda, ...")]
Threads = Annotated[int | None, _machine(metavar="N", help="CPU threads. (default: all)")]
Server = Annotated[
    str | None,
    _machine(
        "--server",
        metavar="URL",
        help="Let the `unbraid serve` at this address do it; its token is $UNBRAID_TOKEN.",
    ),
]
Jobs = Annotated[
    int,
    _machine(
        "--jobs",
        "-j",
        metavar="N",
        min=1,
        help="Inputs at a time; they share the threads, and need N times the memory.",
    ),
]
ForceMusic = Annotated[bool, typer.Option("--force", help="Also in a recording that sounds like speech.")]
TextOutput = Annotated[
    str | None,
    typer.Option(
        *OUT, metavar="FILE|DIR|-", help="Where the result goes; of several inputs, a folder. (default: shown)"
    ),
]
ResumeTexts = Annotated[
    bool,
    _output("--resume", help="Skip texts that are done: same input, model and options. Other texts are kept."),
]
TextTemplate = Annotated[
    str,
    typer.Option(
        help="Names below the output folder, of {track}, {ext}, {name}, {model} and {parent}.", rich_help_panel="Output"
    ),
]
