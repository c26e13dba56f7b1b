"""`unbraid evaluate`: score a model on mixtures, songs or texts, and write a folder with a report."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from unbraid.cli import options as opt
from unbraid.cli.console import FAILED, explain, guarded, json_text, notice, report_error, say
from unbraid.cli.progress import Meter
from unbraid.cli.set_aside import warnings_told
from unbraid.errors import UnbraidError, UsageError
from unbraid.files.atomic import put
from unbraid.files.printable import printable_page
from unbraid.files.workdir import disk_errors, swept, working_folder

if TYPE_CHECKING:
    from unbraid.evaluation.run import Running

_data, _noise, _output = map(opt.panel, ("Data", "Noise", "Output"))

_Dataset = Annotated[
    Path,
    typer.Argument(
        metavar="DATASET",
        help="A folder of speech or of songs, in any of the layouts; of conversations; of recordings with texts; or "
        "with a cmudict.dict. For audio Transformers also a CSV of your own pairs: source, target, split.",
    ),
]
_Split = Annotated[str, _data(metavar="NAME", help="train, dev, test, or the layout's own name.")]
_Layout = Annotated[
    str,
    _data(
        help="auto; of speech wsj0mix, librimix, wham, whamr, manifest, speakers; of songs musdb18, musdb18hq, "
        "medleydb, slakh, stems, spleeter."
    ),
]
_Condition = Annotated[
    str | None,
    _data(
        metavar="NAME",
        help="Which mixtures of speech: clean, noisy, single, reverb, ... "
        "(default: clean; single for models of one voice)",
    ),
]
_Mode = Annotated[
    Literal["min", "max"] | None,
    _data(help="Mixtures of speech as long as their shortest voice, or as their longest. (default: min)"),
]
_Voices = Annotated[int | None, _data(metavar="N", help="Mixtures of so many voices. (default: the model's outputs)")]
_Conversations = Annotated[
    bool, _data("--conversations", help="Conversations, as of `unbraid data converse`: a track for each person.")
]
_Embedder = Annotated[
    str | None,
    _data(metavar="NAME", help="For conversations: the model of speaker embeddings. (default: voice)"),
]
_Limit = Annotated[int | None, _data(metavar="N", help="Only the first N mixtures, songs or conversations.")]
_Speakers = Annotated[
    str | None, _data(metavar="A,B", help="For recordings with texts: only these speakers, or folders of them.")
]
_Recogniser = Annotated[
    str | None,
    _data(
        metavar="NAME",
        help="The model that transcribes synthesised speech (or pocketsphinx), or conversations, scored by cpWER.",
    ),
]
_Vocoder = Annotated[
    str | None, _data(metavar="NAME", help="For speech synthesis: the vocoder. (default: Griffin-Lim)")
]
_NoiseFolder = Annotated[Path | None, _noise("--noise", metavar="FOLDER", help="Add noises of this folder to speech.")]
_Snr = Annotated[float | None, _noise(metavar="DB", help="How far the noise is below the mixture.")]
_SnrTo = Annotated[
    float | None,
    _noise(metavar="DB", help="SNRs from --snr up to this, drawn for each mixture. (default: all are --snr)"),
]
_NoiseSplit = Annotated[str | None, _noise(metavar="NAME", help="Which noises of the folder. (default: as --split)")]
_Out = Annotated[
    Path | None,
    _output(*opt.OUT, metavar="DIR", help="The folder to write. (default: evaluation/MODEL-DATASET-SPLIT)"),
]
_Metrics = Annotated[
    str | None,
    _output(
        metavar="A,B",
        help="Speech: si-sdr, sdr, pesq, stoi (default: those that are installed). "
        "Music: usdr, museval (default: usdr; museval takes minutes).",
    ),
]
_Overwrite = Annotated[bool, _output("--overwrite", help="Replace the files of an earlier run.")]


def evaluate(
    model: opt.ModelArgument,
    dataset: _Dataset,
    split: _Split = "test",
    layout: _Layout = "auto",
    condition: _Condition = None,
    mode: _Mode = None,
    voices: _Voices = None,
    conversations: _Conversations = False,
    embedder: _Embedder = None,
    limit: _Limit = None,
    speakers: _Speakers = None,
    recogniser: _Recogniser = None,
    vocoder: _Vocoder = None,
    noise: _NoiseFolder = None,
    snr: _Snr = None,
    snr_to: _SnrTo = None,
    noise_split: _NoiseSplit = None,
    output: _Out = None,
    metrics: _Metrics = None,
    overwrite: _Overwrite = False,
    wiener: opt.Wiener = False,
    wiener_iterations: opt.WienerIterations = None,
    precision: opt.Precision = "float32",
    yes: opt.Yes = False,
    device: opt.Device = "auto",
    threads: opt.Threads = None,
    as_json: opt.AsJson = False,
    quiet: opt.Quiet = False,
) -> None:
    """Score a model on a dataset. Speech: SI-SDRi, SDRi, PESQ, STOI. Music: uSDR, BSS Eval 4. Text: PER, WER.

    Speaker embeddings: EER. And the time and memory it takes. Writes a report with plots and sounds, a table of all
    items, and a summary.
    """
    with guarded(as_json=as_json), warnings_told():
        from unbraid.evaluation.evaluators import evaluator_of
        from unbraid.evaluation.report import REPORT
        from unbraid.evaluation.request import EvaluationRequest, name_of
        from unbraid.hub import names as hub
        from unbraid.hub.spec import read_spec

        iterations = int(wiener) if wiener_iterations is None else wiener_iterations
        request = EvaluationRequest(
            dataset, split, layout, condition, mode, limit, noise, snr, noise_split, threads, iterations,
            tuple(_names(speakers) or ()), snr_to, recogniser, vocoder, voices, conversations, embedder,
        )  # fmt: skip
        spec = read_spec(hub.resolve(model))
        evaluator = evaluator_of(spec, request, _names(metrics and metrics.lower()))
        for sentence in () if quiet else evaluator.skipped:
            notice(sentence)
        folder = output or Path("evaluation", request.title(spec))
        _refuse_folder(folder, overwrite)
        home = folder if _is_fixed(folder) else folder.parent
        with swept(home), working_folder(home) as work:
            with evaluator.running(model, device, precision) as running:
                failed = score_items(
                    running, evaluator.noun, f"{spec.name} on {name_of(dataset)}", quiet=quiet or as_json
                )
                report = evaluator.report(running.device, precision)
            with disk_errors(folder):
                _settle(_written(report.files, work), folder)
        if as_json:
            say(json_text(report.values | {"report": folder / REPORT}))
        elif not quiet:
            for line in (*report.lines, f"report: {folder / REPORT}"):
                say(line)
        raise typer.Exit(FAILED if failed else 0)


def _names(words: str | None) -> list[str] | None:
    """The names in "si-sdr, pesq"."""
    return None if words is None else [name.strip() for name in words.split(",") if name.strip()]


def _refuse_folder(folder: Path, overwrite: bool) -> None:
    """Refuse an output folder that exists or cannot be made, before any work."""
    above = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
    if not above.is_dir():
        raise UsageError(f"{above} is a file, so no folder can be there; choose another place with --out.")
    if above == folder and not overwrite:
        raise UsageError(f"{folder} exists already; choose another place with --out, or use --overwrite.")


def score_items(running: "Running", noun: str, title: str, *, quiet: bool) -> int:
    """Run an evaluation, reporting failures as they come; their number.

    Raises:
        UnbraidError: nothing at all could be scored.
    """
    failed = 0
    with Meter(title, quiet=quiet) as meter:
        for done, failure in enumerate(running.outcomes, 1):
            if failure:
                failed += 1
                report_error(f"{failure.name}: {explain(failure.error)}")
            meter(done, running.count)
    if failed == running.count:
        raise UnbraidError(f"None of the {running.count} {noun} could be scored; nothing is written.")
    return failed


def _written(texts: Mapping[str, str], work: Path) -> Path:
    """A folder with the files of an evaluation."""
    fresh = work / "evaluation"
    fresh.mkdir()
    for name, text in texts.items():
        shown = printable_page(text) if name.endswith(".html") else text
        (fresh / name).write_text(shown, encoding="utf-8", errors="backslashreplace", newline="\n")
    return fresh


def _settle(fresh: Path, folder: Path) -> None:
    """Move the report to its place: the whole folder at once, or file by file where the folder holds others."""
    names = sorted(path.name for path in fresh.iterdir())
    if not folder.is_dir() or not (_is_fixed(folder) or set(os.listdir(folder)) - set(names)):
        put(fresh, folder, fresh.parent)
        return
    for name in names:
        put(fresh / name, folder / name, fresh.parent)


def _is_fixed(folder: Path) -> bool:
    """Whether the folder exists and cannot be replaced by another one."""
    return folder.is_dir() and (folder.is_symlink() or folder.is_mount() or folder.samefile("."))
