"""A run of `unbraid convert`: the request, the place of each output, and one recording after another."""

import os
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from unbraid.audio import OutputFormat, check_format, choose_format, nearest_rate, open_writer, probe
from unbraid.cli.files.inputs import Collected, Item, OutputLayout, placed, refuse_collisions
from unbraid.cli.jobs import Jobs
from unbraid.cli.pipes import Sources
from unbraid.cli.progress import Meter
from unbraid.cli.report import Report, TextResult
from unbraid.cli.request import Coding, Request
from unbraid.cli.run import described, detail_engine, find_inputs, process, written
from unbraid.errors import UsageError
from unbraid.files.workdir import swept
from unbraid.tasks.conversion.converter import VoiceConverter
from unbraid.tasks.separation.stream import resampled
from unbraid.tasks.synthesis.speaker_vector import read_vector

VOICE = "voice"  # {stem} of the template


@dataclass(frozen=True, kw_only=True)
class ConversionRequest(Request):
    """The options of `unbraid convert`."""

    voice: Path  # a recording, or the file of a vector
    vocoder: str
    root: Path
    template: str
    coding: Coding


def run(request: ConversionRequest, report: Report[TextResult], *, quiet: bool = False) -> None:
    """Convert all inputs of a request, filling the report recording by recording.

    Raises:
        UsageError: the request cannot be met; nothing was done.
        UnbraidError: a model or the device is not there, or the voice cannot be read; nothing was done.
    """
    report.model, coding = request.model, request.coding
    choose_format(coding.format, subtype=coding.subtype, bitrate=coding.bitrate)  # refuses before anything is loaded
    collected = find_inputs(request, quiet=quiet)
    outputs, failed = _outputs(request, collected)
    speaker = read_vector(request.voice, device=request.engine.device)
    with swept(request.root), ExitStack() as opened, Sources(quiet=quiet) as sources:
        engine, jobs = request.engine, Jobs(request.jobs)
        converter = opened.enter_context(
            VoiceConverter(
                request.model, speaker=speaker, vocoder=request.vocoder, device=engine.device, threads=engine.threads
            )
        )
        report.device, report.device_reason = converter.device, converter.device_reason
        detail_engine(report, request)

        def work(item: Item, title: str) -> TextResult:
            with Meter(title, quiet=quiet, jobs=jobs) as meter:
                source = sources.path(item)
                report.detail(f"{item.label}: {described(probe(source, request.excerpt))}")
                return _convert(item.label, source, outputs[item], (request, converter), meter)

        process(collected, failed, work, report, sources, quiet=quiet, jobs=jobs)


def _outputs(request: ConversionRequest, collected: Collected) -> tuple[dict[Item, Path], dict[Item, str]]:
    """The place of each output, and the errors of inputs whose output cannot have its place.

    Raises:
        UsageError: two go to one place, or to a file that is there; or none can have its place.
    """
    layout = OutputLayout(request.root, request.template, request.coding.format, request.model)
    paths, failed = placed(request.root, collected.items, lambda item: [layout.stem_path(item, VOICE)])
    refuse_collisions(paths)
    for (path,) in paths.values():
        if not request.overwrite and os.path.lexists(path):
            raise UsageError(f"{path} exists already; use --overwrite to replace it.")
    return {item: path for item, (path,) in paths.items()}, failed


def _convert(
    label: str, source: Path, output: Path, made_by: tuple[ConversionRequest, VoiceConverter], meter: Meter
) -> TextResult:
    """Convert one recording into its file."""
    (request, converter), started = made_by, time.monotonic()
    info = probe(source, request.excerpt)
    fmt = choose_format(request.coding.format, info, subtype=request.coding.subtype, bitrate=request.coding.bitrate)
    rate = _rate(fmt, info.sample_rate, info.channels, resample=request.coding.resample)
    made = converter.run(source, request.excerpt, progress=meter)
    with (
        written(output, replace=request.overwrite) as hidden,
        open_writer(hidden, rate, info.channels, fmt) as writer,
    ):
        for block in resampled(made, info.sample_rate, rate):
            writer.write(block)
        seconds = writer.frames / rate
    return TextResult(
        label,
        "done",
        notices=made.diagnostics.notices,
        seconds=seconds,
        elapsed_seconds=time.monotonic() - started,
        output=output,
        model=converter.spec.name,
        notice=made.diagnostics.notice,
    )


def _rate(fmt: OutputFormat, sample_rate: int, channels: int, *, resample: bool) -> int:
    """The rate of an output: that of its input, or where the format lacks it and that is wanted, the nearest.

    Raises:
        AudioError: the format cannot hold the rate or the channels; the message names others.
    """
    rate = nearest_rate(fmt.name, sample_rate) if resample else sample_rate
    check_format(fmt, rate, channels)
    return rate
