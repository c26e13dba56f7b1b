"""`unbraid synthesize`: text to speech, into an audio file."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unbraid.cli import options as opt
from unbraid.cli.console import guarded, json_text, notice, say
from unbraid.cli.progress import Meter
from unbraid.errors import UsageError
from unbraid.files.bounded import read_at_most
from unbraid.hub.defaults import DEFAULTS

if TYPE_CHECKING:
    from unbraid.audio import OutputFormat, StreamWriter, Writer
    from unbraid.tasks.synthesis.speecht5 import SpeechT5Synthesizer
    from unbraid.tasks.synthesis.synthesizer import Synthesizer

_PIPE = Path("-")

_Text = Annotated[
    list[str] | None, typer.Argument(metavar="TEXT", help="The text to read aloud, or - for standard input.")
]
_File = Annotated[Path | None, typer.Option("--file", metavar="FILE", help="Read a text file aloud.")]
_Output = Annotated[
    Path,
    typer.Option(
        *opt.OUT,
        metavar="FILE|-",
        help=f"The file to write: {', '.join(opt.FORMATS)}; - writes to standard output.",
    ),
]
_Vocoder = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="The vocoder: a model from spectrograms to waveforms. (default: Griffin-Lim)"),
]
_Voice = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="SpeechT5: who speaks, a recording, or a vector of 512 numbers as .npy or .json."
    ),
]
_Subtype = Annotated[
    str | None,
    typer.Option(metavar="16|24|32f", help="Bit depth of wav and flac. (default: 16)", rich_help_panel="Output"),
]


def synthesize(
    text: _Text = None,
    output: _Output = Path("speech.wav"),
    file: _File = None,
    model: opt.ModelOption = DEFAULTS["acoustic model"],
    vocoder: _Vocoder = None,
    voice: _Voice = None,
    subtype: _Subtype = None,
    bitrate: opt.Bitrate = None,
    overwrite: opt.Overwrite = False,
    yes: opt.Yes = False,
    device: opt.Device = "auto",
    threads: opt.Threads = None,
    as_json: opt.AsJson = False,
    quiet: opt.Quiet = False,
) -> None:
    """Read an English text aloud: words, digits one by one, a pause at commas and between sentences.

    There is no voice in the package: train one with `unbraid train`, and name its folder with --model, or pull
    microsoft/speecht5_tts and its vocoder microsoft/speecht5_hifigan, and say who speaks with --voice.
    """
    with guarded(as_json=as_json):
        from unbraid.cli.request import check_json_alone

        words = _read(" ".join(text or ()), file)
        check_json_alone(as_json=as_json, output=str(output))
        if piped := output == _PIPE:
            _check_pipe(coded=bool(subtype or bitrate))
        fmt = None if piped else _format(output, subtype, bitrate, overwrite)
        with _synthesizer(model, vocoder, voice, device, threads) as synthesizer:
            run, rate = synthesizer.blocks(words), synthesizer.sample_rate
            title = "standard output" if piped else output.name
            with Meter(title, quiet=quiet or as_json) as meter, _writer(output, rate, fmt, overwrite) as writer:
                for block in run:
                    writer.write(block)
                    meter(writer.frames / rate, None)
            seconds = writer.frames / rate
            if run.diagnostics.notice and not quiet:
                notice(f"warning: {run.diagnostics.notice}")
        if as_json:
            values = {"output": str(output), "seconds": round(seconds, 3), "sample_rate": rate, "model": model}
            say(json_text(values | {"vocoder": vocoder, "notice": run.diagnostics.notice}))
        elif not (quiet or piped):
            say(f"{output}: {seconds:.1f} s at {rate} Hz")


def _synthesizer(
    model: str, vocoder: str | None, voice: Path | None, device: str, threads: int | None
) -> "Synthesizer | SpeechT5Synthesizer":
    """A synthesizer in the voice of the model, or in a voice that is given."""
    if voice is None:
        from unbraid.tasks.synthesis.synthesizer import Synthesizer

        return Synthesizer(model, vocoder=vocoder, device=device, threads=threads)
    from unbraid.tasks.synthesis.speaker_vector import read_vector
    from unbraid.tasks.synthesis.speecht5 import VOCODER, SpeechT5Synthesizer

    speaker = read_vector(voice, device=device)
    return SpeechT5Synthesizer(model, speaker=speaker, vocoder=vocoder or VOCODER, device=device, threads=threads)


def _check_pipe(*, coded: bool) -> None:
    """Refuse options that standard output does not allow."""
    from unbraid.cli.request import TO_STDOUT, check_pipe

    if coded:
        raise UsageError(f"{TO_STDOUT}; leave --subtype and --bitrate out, or name a file with -o.")
    check_pipe()


def _format(output: Path, subtype: str | None, bitrate: int | None, overwrite: bool) -> "OutputFormat":
    """The format of the output file, which must not exist and must be an audio format."""
    from unbraid.audio import choose_format
    from unbraid.cli.run import refuse_existing

    ending = output.suffix.removeprefix(".").lower()
    if ending not in opt.FORMATS:
        raise UsageError(f"{output} does not end like an audio file; end it in .{', .'.join(opt.FORMATS)}.")
    refuse_existing(output, overwrite=overwrite)
    return choose_format(ending, subtype=subtype or ("16" if ending in ("wav", "flac") else None), bitrate=bitrate)


def _read(words: str, file: Path | None) -> str:
    """The text to speak: the words, a file, or standard input."""
    from unbraid.cli.request import check_one_text, decoded

    check_one_text(bool(words), file)
    if file is None and words != "-":
        return words
    place = str(file or "standard input")
    try:
        with nullcontext(sys.stdin.buffer) if file is None else file.open("rb") as opened:
            return decoded(read_at_most(opened), place)
    except ValueError as error:
        raise UsageError(f"{place}: {error}; say it in parts.") from None


@contextmanager
def _writer(
    output: Path, sample_rate: int, fmt: "OutputFormat | None", overwrite: bool
) -> "Iterator[Writer | StreamWriter]":
    """A writer for a file that appears when it is complete, or for standard output where there is no format."""
    from unbraid.audio import StreamWriter, open_writer
    from unbraid.cli.run import written

    if fmt is None:
        with StreamWriter(sys.stdout.buffer, sample_rate, 1) as stream:
            yield stream
    else:
        with written(output, replace=overwrite) as hidden, open_writer(hidden, sample_rate, 1, fmt) as writer:
            yield writer
