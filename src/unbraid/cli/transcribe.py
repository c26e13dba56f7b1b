"""`unbraid transcribe`: from the options to a request, and the outcome on the terminal."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from unbraid.cli import completion, times
from unbraid.cli import options as opt
from unbraid.cli.console import notice
from unbraid.cli.report import Report, TextResult, reported
from unbraid.cli.times import seconds_of

_Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        help="A name that `unbraid models` lists, or a model folder. (default: the best one here; else digits)",
        autocompletion=completion.models,
    ),
]
_Format = Annotated[
    str | None,
    typer.Option("--format", "-f", help="text, srt, vtt, json or textgrid. (default: as -o FILE is called, else text)"),
]
_Channels = Annotated[
    Literal["mix", "apart"],
    typer.Option(
        help="Mix all channels, or transcribe each on its own (apart), for calls with one speaker per channel."
    ),
]
_Beams = Annotated[
    int | None,
    typer.Option(
        metavar="N", min=1, help="Beams of the search; 1 is greedy. (default: 1; 4 with a decoder, 5 for Whisper)"
    ),
]
_Language = Annotated[
    str | None,
    opt.panel("Whisper")(metavar="CODE", help="The language: en, de, ja, … (default: found in the recording)"),
]
_Task = Annotated[Literal["transcribe", "translate"], opt.panel("Whisper")(help="Transcribe, or translate to English.")]
_WordTimes = Annotated[
    bool,
    opt.panel("Whisper")(
        "--word-times",
        help="Time each word by attention (always with --separate); else words share their phrase's time.",
    ),
]
_Prompt = Annotated[
    str, opt.panel("Whisper")(metavar="TEXT", help="Names and words to expect, as if they had been said before.")
]
_Vad = Annotated[
    bool, opt.panel("Whisper")("--vad/--no-vad", help="Skip steady sound, which is no speech.", show_default=False)
]
_Batch = Annotated[
    int,
    opt.panel("Whisper")(
        metavar="N",
        min=1,
        max=256,
        help="Read N pieces between pauses at once: faster, but none is given the text before it, so words can differ.",
    ),
]
_Force = Annotated[
    bool, typer.Option("--force", help="With the model digits: write digits also where it does not sound like any.")
]
_LongModel = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="A model of spectrograms, for recordings that are long for a model of waveforms."
    ),
]
_LongSeconds = Annotated[
    float, typer.Option(parser=seconds_of, metavar=times.METAVAR, help="The length from which --long-model is used.")
]


def transcribe(
    inputs: opt.Inputs,
    model: _Model = None,
    output: opt.TextOutput = None,
    format: _Format = None,
    separate: opt.Separate = False,
    speakers: opt.Speakers = None,
    enrol: opt.Enrol = None,
    only: opt.Only = None,
    embedder: opt.Embedder = None,
    channels: _Channels = "mix",
    beams: _Beams = None,
    long_model: _LongModel = None,
    long_seconds: _LongSeconds = 120.0,
    language: _Language = None,
    task: _Task = "transcribe",
    word_times: _WordTimes = False,
    prompt: _Prompt = "",
    vad: _Vad = True,
    batch: _Batch = 1,
    force: _Force = False,
    template: opt.TextTemplate = "{track}.{ext}",
    overwrite: opt.Overwrite = False,
    resume: opt.ResumeTexts = False,
    recursive: opt.Recursive = False,
    start: opt.Start = 0.0,
    duration: opt.Duration = None,
    track: opt.AudioTrack = "0",
    input_format: opt.InputFormat = None,
    strict: opt.Strict = False,
    skip_damage: opt.SkipDamage = False,
    precision: opt.Precision = "float32",
    yes: opt.Yes = False,
    device: opt.Device = "auto",
    threads: opt.Threads = None,
    jobs: opt.Jobs = 1,
    as_json: opt.AsJson = False,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
) -> None:
    """Transcribe speech: as text, as subtitles, as a TextGrid for Praat, or as JSON with the time of each word.

    With --separate, who said what. One transcript is printed; several go to the folder -o.

    Without --model, the best model on this machine for the language transcribes; where there is none, a Whisper is
    offered for download. The built-in model, digits, knows spoken digits only, and refuses what does not sound like
    them.
    """
    report = Report(TextResult, verbose=verbose)
    with reported(report, "text", as_json=as_json, quiet=quiet, tell_failures=notice):
        from unbraid.cli import request as req
        from unbraid.cli.dictation import chosen_model
        from unbraid.cli.transcription import TranscriptionRequest, people_options, run, whisper_options
        from unbraid.runtime import Engine

        req.check_json_alone(as_json=as_json, output=output)
        whisper = whisper_options(language, task, word_times=word_times, prompt=prompt, vad=vad, batch=batch)
        silent = quiet or as_json
        request = TranscriptionRequest(
            inputs=tuple(inputs),
            model=model or chosen_model(whisper, precision, force=force, yes=yes, silent=silent),
            output=None if output in (None, "-") else output,
            form=format,
            template=template,
            excerpt=req.excerpt_of((start, duration), track, input_format, strict=strict, skip_damage=skip_damage),
            people=people_options(speakers, enrol or (), only, embedder, separate=separate, channels=channels),
            only=None if only is None else Path(only).stem,
            channels=channels,
            beams=beams,
            long_model=long_model,
            long_seconds=long_seconds,
            whisper=whisper,
            force=force,
            engine=Engine(device, precision, threads),
            recursive=recursive,
            overwrite=overwrite,
            resume=resume,
            jobs=jobs,
            as_json=as_json,
        )
        run(request, report, quiet=silent)
