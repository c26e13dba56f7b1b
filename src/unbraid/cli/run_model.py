"""`unbraid run`: any audio Transformer, from a text, spectrogram or recording to another."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unbraid.cli import options as opt
from unbraid.cli.console import guarded, say
from unbraid.errors import UsageError

if TYPE_CHECKING:
    from unbraid.tasks.any_to_any import AnyToAny

TEXT = ".txt"
STDIN = "-"

_Input = Annotated[
    str,
    typer.Argument(
        metavar="INPUT",
        help="A text for models that read text, or - for standard input; else a recording, or a spectrogram: a .npy "
        "or .npz file.",
    ),
]
_Output = Annotated[
    Path | None,
    typer.Option(
        *opt.OUT,
        metavar="FILE",
        help=f"The file to write: a text (.txt), a spectrogram (.npy, .npz) or a recording ({', '.join(opt.FORMATS)}). "
        "(default: a text is printed)",
    ),
]
_Vocoder = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="From a spectrogram to a recording: the vocoder. (default: Griffin-Lim)"),
]


def run(
    model: opt.ModelArgument,
    source: _Input,
    output: _Output = None,
    vocoder: _Vocoder = None,
    overwrite: opt.Overwrite = False,
    yes: opt.Yes = False,
    device: opt.Device = "auto",
    threads: opt.Threads = None,
    quiet: opt.Quiet = False,
) -> None:
    """Run any audio Transformer, such as one of your own: text, spectrogram or recording in and out.

    Recordings are mixed to one channel, at the model's sample rate. Of many files, or with the options of a task, use
    transcribe, phonemize, synthesize, enhance.
    """
    with guarded():
        from unbraid.cli.run import refuse_existing
        from unbraid.tasks.any_to_any import AnyToAny

        if output is not None:
            refuse_existing(output, overwrite=overwrite)
        with AnyToAny(model, vocoder=vocoder, device=device, threads=threads) as loaded:
            _check_output(loaded, output, vocoder)
            given = sys.stdin.read() if source == STDIN and loaded.reads == "text" else source
            if output is None:
                say(loaded.text(given))
                return
            _write(loaded, given, output, overwrite=overwrite)
        if not quiet:
            say(f"{output}: {loaded.spec.name}, {loaded.reads} to {loaded.writes}")


def _check_output(model: "AnyToAny", output: Path | None, vocoder: str | None) -> None:
    """Refuse an output that the model does not write, before any work."""
    from unbraid.audio.spectrogram_files import SUFFIXES

    recordings = tuple(f".{name}" for name in opt.FORMATS)
    endings = {"text": (TEXT,), "spectrogram": (*SUFFIXES, *recordings), "waveform": recordings}[model.writes]
    if output is None:
        if model.writes != "text":
            raise UsageError(f"{model.spec.name} writes a {model.writes}; name a file by -o that ends in {endings[0]}.")
    elif output.suffix.lower() not in endings:
        raise UsageError(
            f"{model.spec.name} writes a {model.writes}, and {output} is none by its name; end it in "
            f"{', '.join(endings)}."
        )
    if vocoder is not None and (output is None or output.suffix.lower() not in recordings):
        raise UsageError("--vocoder is for recordings; end the file of -o like one, or leave it out.")


def _write(model: "AnyToAny", source: str, output: Path, *, overwrite: bool) -> None:
    """Write what the model makes of a source to a file, which appears when it is complete."""
    from unbraid.audio import choose_format, open_writer
    from unbraid.audio.spectrogram_files import is_spectrogram, spectrogram_writer
    from unbraid.cli.run import written

    with written(output, replace=overwrite) as hidden:
        if model.writes == "text":
            hidden.write_text(model.text(source) + "\n", encoding="utf-8")
        elif is_spectrogram(output):
            assert model.spec.mel is not None
            with spectrogram_writer(hidden, model.spec.mel.bins) as levels:
                for block in model.made(source):
                    levels.write(block)
        else:
            ending = output.suffix.removeprefix(".").lower()
            with open_writer(hidden, model.spec.sample_rate, 1, choose_format(ending)) as audio:
                for block in model.sound(source):
                    audio.write(block[None])
