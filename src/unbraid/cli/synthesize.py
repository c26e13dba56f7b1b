"""`unbraid synthesize`: a text in, an audio file of somebody saying it out."""

import os
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unbraid.cli import options as opt
from unbraid.cli.console import guarded, json_text, notice, say
from unbraid.cli.progress import Meter
from unbraid.errors import AudioError, UsageError
from unbraid.files.atomic import appearing
from unbraid.files.bounded import read_at_most
from unbraid.files.workdir import disk_errors

if TYPE_CHECKING:
    from unbraid.audio import OutputFormat
    from unbraid.dsp import Blocks

_PIPE = Path("-")

_Text = Annotated[list[str] | None, typer.Argument(metavar="TEXT", help="What to say, or - for standard input.")]
_File = Annotated[Path | None, typer.Option("--file", metavar="FILE", help="Say a text file.")]
_Output = Annotated[
    Path,
    typer.Option(
        "--output", "-o", metavar="FILE|-",
        help=f"The file to write: {', '.join(opt.FORMATS)}; - writes to standard output.",
    ),
]  # fmt: skip
_Model = Annotated[str, typer.Option("--model", "-m", help="A name that `unbraid models` lists, or a model folder.")]
_Vocoder = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="A model that makes waveforms of spectrograms. (default: Griffin-Lim)"),
]
_Subtype = Annotated[
    str | None,
    typer.Option(metavar="16|24|32f", help="Bit depth of wav and flac. (default: 16)", rich_help_panel="Output"),
]


def synthesize(
    text: _Text = None,
    output: _Output = Path("speech.wav"),
    file: _File = None,
    model: _Model = "speak",
    vocoder: _Vocoder = None,
    subtype: _Subtype = None,
    bitrate: opt.Bitrate = None,
    overwrite: opt.Overwrite = False,
    device: opt.Device = "auto",
    threads: opt.Threads = None,
    as_json: opt.AsJson = False,
    quiet: opt.Quiet = False,
) -> None:
    """Say an English text: words, digits one by one, a pause at commas and between sentences."""
    with guarded(as_json=as_json):
        from unbraid.cli.request import check_json_alone
        from unbraid.tasks.synthesis.synthesizer import Synthesizer

        words = _read(" ".join(text or ()), file)
        check_json_alone(as_json=as_json, output=str(output))
        if piped := output == _PIPE:
            _check_pipe(coded=bool(subtype or bitrate))
        fmt = None if piped else _format(output, subtype, bitrate, overwrite)
        with Synthesizer(model, vocoder=vocoder, device=device, threads=threads) as synthesizer:
            with Meter("standard output" if piped else output.name, quiet=quiet or as_json) as meter:
                said = synthesizer.blocks(words)
                rate = synthesizer.sample_rate
                seconds = _write(said, rate, output, fmt, meter, overwrite) if fmt else _pipe(said, rate, meter)
            if said.diagnostics.notice and not quiet:
                notice(f"warning: {said.diagnostics.notice}")
        if as_json:
            values = {"output": str(output), "seconds": round(seconds, 3), "sample_rate": rate, "model": model}
            say(json_text(values | {"vocoder": vocoder, "notice": said.diagnostics.notice}))
        elif not (quiet or piped):
            say(f"{output}: {seconds:.1f} s at {rate} Hz")


def _check_pipe(*, coded: bool) -> None:
    """Refuse what cannot go to standard output."""
    from unbraid.cli.request import TO_STDOUT, check_pipe

    if coded:
        raise UsageError(f"{TO_STDOUT}; leave --subtype and --bitrate out, or name a file with -o.")
    check_pipe()


def _format(output: Path, subtype: str | None, bitrate: int | None, overwrite: bool) -> "OutputFormat":
    """How the file is coded; one that cannot be, or is there, is refused."""
    from unbraid.audio import choose_format

    ending = output.suffix.removeprefix(".").lower()
    if ending not in opt.FORMATS:
        raise UsageError(f"{output} does not end like an audio file; end it in .{', .'.join(opt.FORMATS)}.")
    if os.path.lexists(output) and (not overwrite or output.is_dir()):
        raise UsageError(f"{output} exists already; choose another place with -o, or use --overwrite.")
    return choose_format(ending, subtype=subtype or ("16" if ending in ("wav", "flac") else None), bitrate=bitrate)


def _read(words: str, file: Path | None) -> str:
    """The text."""
    if bool(words) == (file is not None):
        raise UsageError("Give a text, - for standard input, or --file FILE; one of them.")
    if file is None and words != "-":
        return words
    place = str(file or "standard input")
    try:
        with nullcontext(sys.stdin.buffer) if file is None else file.open("rb") as opened:
            return read_at_most(opened).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{place}: this is not text in UTF-8; convert it first.") from None
    except ValueError as error:
        raise UsageError(f"{place}: {error}; say it in parts.") from None


def _write(said: "Blocks", sample_rate: int, output: Path, fmt: "OutputFormat", meter: Meter, overwrite: bool) -> float:
    """What is said, into a file that is there when it is all said; returns how long it is."""
    from unbraid.audio import open_writer

    with disk_errors(output.parent), appearing(output, replace=overwrite) as hidden:
        try:
            with open_writer(hidden, sample_rate, 1, fmt) as writer:
                for block in said:
                    writer.write(block)
                    meter(writer.frames / sample_rate, None)
        except AudioError as error:
            raise AudioError(str(error).replace(str(hidden), str(output))) from error
    return writer.frames / sample_rate


def _pipe(said: "Blocks", sample_rate: int, meter: Meter) -> float:
    """What is said, to standard output, sentence by sentence; returns how long it is."""
    from unbraid.audio import StreamWriter

    with StreamWriter(sys.stdout.buffer, sample_rate, 1) as writer:
        for block in said:
            writer.write(block)
            meter(writer.frames / sample_rate, None)
    return writer.frames / sample_rate
