"""Messages name only what every installation has: commands and models, not documents of the repository."""

import ast
import re

import pytest

from source_tree import FILES, name_of, parsed

DOCUMENT = re.compile(r"\bdocs/|\b[\w-]+\.(?:md|rst)\b")
CARD = "README.md"  # of a model folder


def documentation(tree: ast.Module) -> set[int]:
    """The docstrings, by the identity of their node."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }


@pytest.mark.parametrize("path", [pytest.param(path, id=name_of(path)) for path in FILES])
def test_no_message_names_a_document(path):
    tree = parsed(path)
    commands = name_of(path).startswith("cli/")  # whose docstrings are their help
    left_out = set() if commands else documentation(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in left_out:
            named = DOCUMENT.findall(node.value.replace(CARD, ""))
            assert not named, f"line {node.lineno} names {named}, which is not in the package"
