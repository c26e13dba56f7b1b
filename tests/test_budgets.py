"""Sizes stay small: a smoke alarm, not a target. Who goes over a budget is named here, with the reason."""

import ast
import statistics

import pytest

from source_tree import FILES, name_of, parsed

FILE_LINES, MEDIAN_LINES = 400, 150
FUNCTION_LINES, CLASS_LINES, PARAMETERS = 60, 200, 8

LONG_FILES: dict[str, str] = {}  # over 300 lines (400 is the wall for all), and why
LONG_FUNCTIONS = dict.fromkeys(
    (
        "cli/separate.py: separate",
        "cli/enhance.py: enhance",
        "cli/evaluate.py: evaluate",
        "cli/compare.py: compare",
        "cli/transcribe.py: transcribe",
        "cli/align.py: align",
        "cli/analyse.py: analyse",
        "cli/notes.py: notes",
        "cli/convert.py: convert",
        "cli/batch.py: batch",
    ),
    "the options of a command are its parameters, and typer wants them here",
)
MANY_PARAMETERS = dict.fromkeys(
    (
        "cli/separate.py: separate",
        "cli/enhance.py: enhance",
        "cli/transcribe.py: transcribe",
        "cli/align.py: align",
        "cli/diarize.py: diarize",
        "cli/synthesize.py: synthesize",
        "cli/evaluate.py: evaluate",
        "cli/compare.py: compare",
        "cli/data.py: render",
        "cli/converse.py: converse",
        "cli/attention.py: attention",
        "cli/live.py: live",
        "cli/analyse.py: analyse",
        "cli/melody.py: melody",
        "cli/notes.py: notes",
        "cli/singers.py: singers",
        "cli/convert.py: convert",
        "cli/run_model.py: run",
        "cli/batch.py: batch",
    ),
    "as above",
) | {
    "tasks/attention.py: attention_maps": "the excerpt of a file is start, duration and track, as everywhere",
    "tasks/api.py: separate": "keywords for the options of the command of that name",
    "tasks/api.py: separate_speakers": "as above",
    "tasks/api.py: transcribe": "as above",
    "tasks/analysis/api.py: notes": "as above",
    "tasks/analysis/song_api.py: analyse": "as above",
    "tasks/analysis/singers_api.py: singers": "as above",
    "tasks/speech_api.py: convert": "as above",
    "tasks/transcription/transcriber.py: __init__": "as above",
}
EVERY = [pytest.param(path, id=name_of(path)) for path in FILES]


def lines(node: ast.AST) -> int:
    return node.end_lineno - node.lineno + 1  # type: ignore[attr-defined]


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    a = function.args
    names = [argument.arg for argument in (*a.posonlyargs, *a.args, *a.kwonlyargs)]
    return len(names) - (names[:1] in (["self"], ["cls"]))


@pytest.mark.parametrize("path", EVERY)
def test_file(path) -> None:
    count = len(path.read_text(encoding="utf-8").splitlines())
    assert count <= (FILE_LINES if name_of(path) in LONG_FILES else 300)
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            name = f"{name_of(path)}: {node.name}"
            assert lines(node) <= FUNCTION_LINES or name in LONG_FUNCTIONS, name
            assert parameters(node) <= PARAMETERS or name in MANY_PARAMETERS, name
        elif isinstance(node, ast.ClassDef):
            assert lines(node) <= CLASS_LINES, node.name


def test_the_median_file_is_short() -> None:
    counts = [len(path.read_text(encoding="utf-8").splitlines()) for path in FILES]
    assert statistics.median(count for count in counts if count > 5) <= MEDIAN_LINES


def test_every_module_says_what_it_is() -> None:
    assert [name_of(path) for path in FILES if not ast.get_docstring(parsed(path))] == []
