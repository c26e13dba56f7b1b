"""Stage the pages of the web site in a folder: python docs/site.py FOLDER

README.md is the home page; the pages of docs/ and those at the top of the repository keep their names, and their links
are adapted. The API reference has a page for the public names and one for each package, where a directive of
mkdocstrings stands for each module.
"""

import ast
import re
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "unbraid"
TOP = ("CHANGELOG.md", "CONTRIBUTING.md", "LICENSE-weights.md", "SECURITY.md")
NOT_AN_API = {"assets", "cli", "__pycache__"}


def main(folder: Path) -> None:
    """Write all pages."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "docs" / "images", folder / "images")
    for page in sorted((ROOT / "docs").glob("*.md")):
        write(folder / page.name, page.read_text(encoding="utf-8"))
    for name in TOP:
        write(folder / name, (ROOT / name).read_text(encoding="utf-8"))
    write(folder / "index.md", (ROOT / "README.md").read_text(encoding="utf-8"))
    shutil.copy(ROOT / "LICENSE", folder / "LICENSE.txt")
    write(folder / "reference" / "index.md", public_names())
    for package in sorted(path for path in PACKAGE.iterdir() if path.is_dir() and path.name not in NOT_AN_API):
        write(folder / "reference" / f"{package.name}.md", reference(package))


def write(path: Path, text: str) -> None:
    """A page, with links from the repository's places to those of the site."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = re.sub(r"\]\((?:docs/|\.\./)(?=[\w./-]+\.(?:md|png|svg))", "](", text)
    text = text.replace("](LICENSE)", "](LICENSE.txt)")
    path.write_text(text, encoding="utf-8")


def public_names() -> str:
    """The page of `unbraid` itself: functions, then classes, then errors."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    names = next(
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "__all__"
    )
    errors = {
        node.name
        for node in ast.parse((PACKAGE / "errors.py").read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef)
    }
    names = [name for name in names if not name.startswith("_")]
    names.sort(key=lambda name: (name in errors, name[0].isupper(), name))
    options = ("show_root_heading: false", "group_by_category: false", f"members: {names}")
    return "\n      ".join(("# unbraid\n\n::: unbraid\n    options:", *options)) + "\n"


def reference(package: Path) -> str:
    """The page of a package: its own names, then those of each module."""
    modules = [path for path in sorted(package.rglob("*.py")) if path.name not in ("__init__.py", "__main__.py")]
    names = [".".join(path.relative_to(ROOT / "src").with_suffix("").parts) for path in modules]
    directives = "".join(f"::: {name}\n    options:\n      heading_level: 2\n\n" for name in names)
    return f"# unbraid.{package.name}\n\n{directives}"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
