"""`unbraid compare`: which of two models is better on the same data, by how much, and how sure that is."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unbraid.cli import options as opt
from unbraid.cli.console import guarded, json_text, notice, say
from unbraid.cli.evaluate import score_items
from unbraid.cli.set_aside import warnings_told
from unbraid.errors import UsageError
from unbraid.files.atomic import appearing

if TYPE_CHECKING:
    from unbraid.evaluation.request import EvaluationRequest
    from unbraid.evaluation.scores import ItemScores

_data, _output = map(opt.panel, ("Data", "Output"))

_A = Annotated[
    str,
    typer.Argument(
        metavar="A",
        help="A model by its name or folder; or the scores of an earlier `unbraid evaluate`, its folder or its table.",
    ),
]
_B = Annotated[str, typer.Argument(metavar="B", help="The other one, in any of these ways.")]
_Dataset = Annotated[
    Path | None,
    typer.Argument(metavar="DATASET", help="As of `unbraid evaluate`. Not needed where A and B are scores."),
]
_Split = Annotated[str, _data(metavar="NAME", help="train, dev, test, or the layout's own name.")]
_Layout = Annotated[str, _data(help="As of `unbraid evaluate`.")]
_Limit = Annotated[int | None, _data(metavar="N", help="Only the first N items.")]
_Voices = Annotated[int | None, _data(metavar="N", help="Mixtures of so many voices. (default: the models' outputs)")]
_Conversations = Annotated[bool, _data("--conversations", help="Conversations, as of `unbraid data converse`.")]
_Noise = Annotated[Path | None, _data("--noise", metavar="FOLDER", help="Add noises of this folder to speech.")]
_Snr = Annotated[float | None, _data(metavar="DB", help="How far the noise is below the mixture.")]
_Recogniser = Annotated[
    str | None, _data(metavar="NAME", help="The model that transcribes synthesised speech, or conversations.")
]
_Metrics = Annotated[str | None, _output(metavar="A,B", help="As of `unbraid evaluate`.")]
_Out = Annotated[
    Path | None, _output(*opt.OUT, metavar="FILE", help="A CSV to write: a row for each item, with both scores.")
]
_Overwrite = Annotated[bool, _output("--overwrite", help="Replace the CSV.")]


def compare(
    a: _A,
    b: _B,
    dataset: _Dataset = None,
    split: _Split = "test",
    layout: _Layout = "auto",
    limit: _Limit = None,
    voices: _Voices = None,
    conversations: _Conversations = False,
    noise: _Noise = None,
    snr: _Snr = None,
    recogniser: _Recogniser = None,
    metrics: _Metrics = None,
    output: _Out = None,
    overwrite: _Overwrite = False,
    device: opt.Device = "auto",
    threads: opt.Threads = None,
    as_json: opt.AsJson = False,
    quiet: opt.Quiet = False,
) -> None:
    """Compare two models on the same data: the difference, its 95 % confidence interval, and a paired test."""
    with guarded(as_json=as_json), warnings_told():
        from unbraid.evaluation import comparison
        from unbraid.evaluation.request import EvaluationRequest
        from unbraid.evaluation.scores import load_scores, score_file

        if output is not None:
            _refuse_file(output, overwrite)
        files = [score_file(Path(name)) for name in (a, b)]
        if dataset is None and None in files:
            model = (a, b)[files.index(None)]
            raise UsageError(
                f"{model} is not a table of scores, so it is taken for a model, which needs a dataset: "
                "unbraid compare A B DATASET."
            )
        if dataset is not None and None not in files:
            raise UsageError(f"{a} and {b} are scores already; leave the dataset out.")
        request = None
        if dataset is not None:
            request = EvaluationRequest(
                dataset, split, layout, limit=limit, noise=noise, snr_db=snr, threads=threads, recogniser=recogniser,
                voices=voices, conversations=conversations,
            )  # fmt: skip
        names = None if metrics is None else [name.strip() for name in metrics.lower().split(",") if name.strip()]
        first, second = (
            load_scores(path) if path is not None else _scored(name, request, names, device, quiet=quiet or as_json)
            for name, path in zip((a, b), files, strict=True)
        )
        said = _told_apart(first.name, second.name, a, b)
        found = comparison.compare(first, second)
        if output is not None:
            with appearing(output, replace=overwrite) as fresh:
                fresh.write_text(comparison.items_table(found, first, second).csv(), encoding="utf-8", newline="\n")
        sentence = comparison.verdict(found[0], *said)
        if as_json:
            values = {"a": said[0], "b": said[1], "verdict": sentence, "scores": [each.as_json() for each in found]}
            say(json_text(values | {"method": comparison.METHOD, "table": output}))
        elif not quiet:
            left_out = found[0].left_out
            say(sentence, *comparison.summary(found, *said).lines())
            say(*([f"{left_out} items left out: only one of both has a score of them"] if left_out else ()))
            say(comparison.METHOD, *([f"items: {output}"] if output is not None else ()))


def _scored(
    model: str, request: "EvaluationRequest | None", metrics: list[str] | None, device: str, *, quiet: bool
) -> "ItemScores":
    """The scores of a model on the dataset; it is run."""
    from unbraid.evaluation.evaluators import evaluator_of
    from unbraid.evaluation.request import name_of
    from unbraid.evaluation.scores import read_scores
    from unbraid.hub import names as hub
    from unbraid.hub.spec import read_spec

    assert request is not None
    spec = read_spec(hub.resolve(model))
    evaluator = evaluator_of(spec, request, metrics)
    for sentence in () if quiet else evaluator.skipped:
        notice(sentence)
    with evaluator.running(model, device, "float32") as running:
        score_items(running, evaluator.noun, f"{spec.name} on {name_of(request.dataset)}", quiet=quiet)
        report = evaluator.report(running.device, "float32")
    return read_scores(report.table.csv(), spec.name, f"the evaluation of {spec.name}")


def _told_apart(first: str, second: str, a: str, b: str) -> tuple[str, str]:
    """The names of both for people: their own if these differ, else as they were given, else A and B."""
    pairs = ((first, second), (a, b), ("A", "B"))
    return next(pair for pair in pairs if pair[0] != pair[1])


def _refuse_file(path: Path, overwrite: bool) -> None:
    """Refuse a CSV that exists, or has no folder, before any work."""
    if path.is_dir():
        raise UsageError(f"{path} is a folder; name a file with --out.")
    if path.exists() and not overwrite:
        raise UsageError(f"{path} exists already; choose another place with --out, or use --overwrite.")
    if not path.absolute().parent.is_dir():
        raise UsageError(f"There is no folder {path.parent}; make it first, or choose another place with --out.")
