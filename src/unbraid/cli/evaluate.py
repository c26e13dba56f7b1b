"""`unbraid evaluate`: a model over the mixtures of a dataset, into a folder with a report, or nothing at all."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from unbraid.cli import options as opt
from unbraid.cli.console import FAILED, explain, guarded, notice, report_error, say
from unbraid.cli.progress import Meter
from unbraid.disk import disk_errors, working_folder
from unbraid.errors import UnbraidError, UsageError

if TYPE_CHECKING:
    from unbraid.evaluation.request import Request
    from unbraid.evaluation.run import Evaluation
    from unbraid.evaluation.summary import Summary
    from unbraid.separator import Separator

REPORT, TABLE, SUMMARY = "report.html", "mixtures.csv", "summary.json"
_DATA, _NOISE, _OUTPUT = "Data", "Noise", "Output"

_Model = Annotated[str, typer.Argument(metavar="MODEL", help="A name that `unbraid models` lists, or a model folder.")]
_Dataset = Annotated[Path, typer.Argument(metavar="DATASET", help="A folder of speech, in any of the layouts.")]
_Split = Annotated[
    str, typer.Option(metavar="NAME", help="train, dev, test, or the layout's own name.", rich_help_panel=_DATA)
]
_Layout = Annotated[
    str, typer.Option(help="auto, wsj0mix, librimix, wham, whamr, manifest or speakers.", rich_help_panel=_DATA)
]
_Condition = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Which mixtures: clean, noisy, single, reverb, ... (default: clean; single for models of one voice)",
        rich_help_panel=_DATA,
    ),
]
_Mode = Annotated[
    Literal["min", "max"],
    typer.Option(help="Mixtures as long as their shortest voice, or as their longest.", rich_help_panel=_DATA),
]
_Limit = Annotated[int | None, typer.Option(metavar="N", help="Only the first N mixtures.", rich_help_panel=_DATA)]
_NoiseFolder = Annotated[
    Path | None, typer.Option("--noise", metavar="FOLDER", help="Add noises of this folder.", rich_help_panel=_NOISE)
]
_Snr = Annotated[
    float | None, typer.Option(metavar="DB", help="How far the noise is below the mixture.", rich_help_panel=_NOISE)
]
_NoiseSplit = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Which noises of the folder. (default: as --split)", rich_help_panel=_NOISE),
]
_Out = Annotated[
    Path | None,
    typer.Option(
        "--out", "-o", metavar="DIR",
        help="The folder to write. (default: evaluation/MODEL-DATASET-SPLIT)", rich_help_panel=_OUTPUT,
    ),
]  # fmt: skip
_Metrics = Annotated[
    str | None,
    typer.Option(
        metavar="A,B", help="si-sdr, sdr, pesq, stoi. (default: those that are installed)", rich_help_panel=_OUTPUT
    ),
]
_Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace the files of an earlier run.", rich_help_panel=_OUTPUT)
]


def evaluate(
    model: _Model,
    dataset: _Dataset,
    split: _Split = "test",
    layout: _Layout = "auto",
    condition: _Condition = None,
    mode: _Mode = "min",
    limit: _Limit = None,
    noise: _NoiseFolder = None,
    snr: _Snr = None,
    noise_split: _NoiseSplit = None,
    output: _Out = None,
    metrics: _Metrics = None,
    overwrite: _Overwrite = False,
    precision: opt.Precision = "float32",
    device: opt.Device = "auto",
    threads: opt.Threads = None,
    as_json: opt.AsJson = False,
    quiet: opt.Quiet = False,
) -> None:
    """Score a speech model on the mixtures of a dataset: SI-SDRi, SDRi, PESQ, STOI, and what it costs.

    Writes a report to look at and listen to, a table of all mixtures, and a summary.
    """
    with guarded(as_json=as_json):
        from unbraid import hub
        from unbraid.evaluation.measures import choose_measures
        from unbraid.evaluation.request import Request
        from unbraid.evaluation.run import Evaluation, peak_memory_bytes
        from unbraid.evaluation.summary import as_json as summary_as_json
        from unbraid.evaluation.summary import summarise
        from unbraid.evaluation.words import lines
        from unbraid.separator import Separator
        from unbraid.spec import read_spec

        request = Request(dataset, split, layout, condition, mode, limit, noise, snr, noise_split, threads)
        spec = read_spec(hub.resolve(model))
        if spec.spectral:
            raise UsageError(f"{spec.name} is a music model; so far only speech models can be evaluated.")
        measures, skipped = choose_measures(_names(metrics), spec.sample_rate)
        for sentence in () if quiet else skipped:
            notice(sentence)
        folder = output or Path("evaluation", request.title(spec))
        _refuse_folder(folder, overwrite)
        evaluation = Evaluation(measures)
        with working_folder(folder) as work:
            with Separator(model, device=device, precision=precision, threads=threads) as separator:
                _run(separator, request, evaluation, quiet=quiet or as_json)
                setting = request.setting(spec, separator.device, precision)
            summary = summarise(evaluation, setting, peak_memory_bytes())
            with disk_errors(folder):
                _settle(_written(evaluation, summary, work), folder)
        if as_json:
            say(json.dumps(summary_as_json(summary) | {"report": str(folder / REPORT)}))
        elif not quiet:
            for line in (*lines(summary), f"report: {folder / REPORT}"):
                say(line)
        raise typer.Exit(FAILED if evaluation.failures else 0)


def _names(metrics: str | None) -> list[str] | None:
    """The names in "si-sdr, pesq"."""
    return None if metrics is None else [name.strip().lower() for name in metrics.split(",") if name.strip()]


def _refuse_folder(folder: Path, overwrite: bool) -> None:
    """Refuse a folder that must not be written to, before any work."""
    above = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
    if not above.is_dir():
        raise UsageError(f"{above} is a file, so no folder can be there; choose another place with --out.")
    if above == folder and not overwrite:
        raise UsageError(f"{folder} exists already; choose another place with --out, or use --overwrite.")


def _run(separator: "Separator", request: "Request", evaluation: "Evaluation", *, quiet: bool) -> None:
    """Fill an evaluation, reporting what fails as it fails.

    Raises:
        UnbraidError: nothing at all could be scored.
    """
    from unbraid.evaluation.request import name_of
    from unbraid.evaluation.run import Failure, outcomes

    mixtures, noise = request.mixtures(separator.spec), request.added_noise(separator.spec)
    with Meter(f"{separator.spec.name} on {name_of(request.dataset)}", quiet=quiet) as meter:
        for done, outcome in enumerate(outcomes(separator, mixtures, evaluation.measures, noise), 1):
            evaluation.add(outcome)
            if isinstance(outcome, Failure):
                report_error(f"{outcome.name}: {explain(outcome.error)}")
            meter(done, len(mixtures))
    if not evaluation.results:
        raise UnbraidError(f"None of the {len(mixtures)} mixtures could be scored; nothing is written.")


def _written(evaluation: "Evaluation", summary: "Summary", work: Path) -> Path:
    """A folder with all that is written of an evaluation."""
    from unbraid.evaluation.report import report_html
    from unbraid.evaluation.summary import as_json
    from unbraid.evaluation.words import csv_text

    texts = {
        SUMMARY: json.dumps(as_json(summary), indent=2) + "\n",
        TABLE: csv_text(evaluation.results, evaluation.measures),
        REPORT: report_html(evaluation, summary),
    }
    fresh = work / "evaluation"
    fresh.mkdir()
    for name, text in texts.items():
        (fresh / name).write_text(text, encoding="utf-8", newline="\n")
    return fresh


def _settle(fresh: Path, folder: Path) -> None:
    """Put what was written in its place: the whole folder at once, or, in one that is there, its files."""
    if not os.path.lexists(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        os.rename(fresh, folder)
        return
    for path in sorted(fresh.iterdir()):
        os.replace(path, folder / path.name)
