"""The pages name files, commands and packages that exist. (`make docs` also checks anchors.)"""

import re
import runpy
from pathlib import Path

import pytest
import typer.main

from source_tree import ROOT
from unbraid.cli import app

REPOSITORY = Path(__file__).parents[1]
PAGES = sorted([*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/*.md")])
SOURCES = [
    path.relative_to(REPOSITORY).as_posix() for path in REPOSITORY.rglob("*.py") if ".venv" not in path.as_posix()
]
EVERY = [pytest.param(path, id=path.name) for path in PAGES]


@pytest.mark.parametrize("page", EVERY)
def test_files_that_a_page_names_exist(page: Path) -> None:
    """A path may be given from the repository, from src/unbraid or from a folder in it: `dsp/mel.py`."""
    for name in re.findall(r"`([\w/]+\.py)\b", page.read_text(encoding="utf-8")):
        assert any(f"/{path}".endswith(f"/{name}") for path in SOURCES), name


@pytest.mark.parametrize("page", EVERY)
def test_links_of_a_page_lead_to_files(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)[)#]", page.read_text(encoding="utf-8")):
        assert (page.parent / target).is_file(), target


@pytest.mark.parametrize("page", EVERY)
def test_commands_in_a_page_exist(page: Path) -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    blocks = re.findall(r"^```\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    for name in re.findall(r"(?:^|\| )unbraid ([a-z]\w*)", "".join(blocks), re.MULTILINE):
        assert name in commands, name


@pytest.mark.parametrize("page", EVERY)
def test_options_in_a_page_exist(page: Path) -> None:
    """Those of the commands in blocks of code and in running text, of sub-commands too."""
    text = page.read_text(encoding="utf-8")
    blocks = "".join(re.findall(r"^```\n(.*?)^```", text, re.MULTILINE | re.DOTALL)).replace("\\\n", " ")
    lines = re.findall(r"(?:^|\| )unbraid ([a-z][^|\n]*)", blocks, re.MULTILINE)
    lines += re.findall(r"`unbraid ([a-z][^`]*)`", text.replace("\n", " "))
    for line in lines:
        command, words = typer.main.get_command(app), line.partition("  #")[0].split()
        for name in words:
            if name not in (known := getattr(command, "commands", {})):
                break
            command = known[name]
        options = {name for one in command.params for name in (*one.opts, *one.secondary_opts)} | {"--help", "-h"}
        assert {word for word in words if re.fullmatch(r"--?[a-z][a-z-]*", word)} <= options, line


def test_the_table_of_layers_names_every_package() -> None:
    tools = runpy.run_path(str(REPOSITORY / "docs" / "rooms.py"))
    table = tools["rooms_in"]((REPOSITORY / "docs" / "design.md").read_text(encoding="utf-8"))
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    modules = {path.stem for path in ROOT.glob("*.py")} - {"__main__"}
    assert {name for _, name, _ in table} == packages | modules


def test_the_readme_is_short() -> None:
    assert len((REPOSITORY / "README.md").read_text(encoding="utf-8").splitlines()) <= 200
