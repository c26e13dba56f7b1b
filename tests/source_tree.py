"""The package's source as syntax trees, for the tests of its structure."""

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

import unbraid

ROOT = Path(unbraid.__file__).parent
FILES = sorted(path for path in ROOT.rglob("*.py") if "__pycache__" not in path.parts)


@functools.cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def name_of(path: Path) -> str:
    """How the tables call a file: dsp/stft.py."""
    return path.relative_to(ROOT).as_posix()


@functools.cache
def imports(path: Path) -> tuple[tuple[str, bool], ...]:
    """Every module a file imports, wherever in it, by its full name; and whether inside a function.

    `from unbraid.x import y` is y's module where y is one, else x's.
    """
    return tuple(_imports(path))


def _imports(path: Path) -> Iterator[tuple[str, bool]]:
    tree = parsed(path)
    inner = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) in inner) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield (whole if is_module(whole) else str(node.module)), id(node) in inner


def is_module(name: str) -> bool:
    """Whether there is a file or folder of ours for a full name."""
    first, *rest = name.split(".")
    path = ROOT.joinpath(*rest)
    return first == "unbraid" and bool(rest) and (path.with_suffix(".py").is_file() or path.is_dir())
