"""Draw docs/images/rooms.svg, the packages of unbraid and the imports between them: python docs/rooms.py

Layers and descriptions come from the table in docs/design.md, arrows from the source: package A imports package B. An
arrow that follows from others is left out. An import that points up, which tests/test_layers.py forbids, is red.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from textwrap import wrap
from xml.sax.saxutils import escape

HERE = Path(__file__).resolve().parent
PACKAGE = HERE.parent / "src" / "unbraid"
WIDTH, BOX_WIDTH, BOX_HEIGHT, GAP = 800, 240, 62, 34  # pixels
BASE = ("files", "errors")  # everything may use them, their own layer too

HEAD = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="Helvetica, Arial, sans-serif">
<title>The packages of unbraid, by layer, and the imports between them</title>
<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">
<path d="M0 0 L8 4 L0 8 z" fill="context-stroke"/></marker></defs>
<rect width="{width}" height="{height}" fill="#ffffff"/>
"""

Room = tuple[int, str, str]  # layer, name, description
Place = tuple[int, int]  # the middle of a box's upper edge


def main() -> None:
    """Read the table and the source, and write the picture."""
    rooms = rooms_in((HERE / "design.md").read_text(encoding="utf-8"))
    layers = {name: layer for layer, name, _ in rooms}
    found = {path.stem if path.parent == PACKAGE else path.name for path in parts()}
    if found != layers.keys():
        raise SystemExit(
            f"The table of layers in docs/design.md and src/unbraid differ in {sorted(found ^ layers.keys())}."
        )
    every = {(here, there) for here in layers for there in imported_by(here) if here != there}
    down = {(here, there) for here, there in every if layers[there] < layers[here] or there in BASE}
    shown = reduced(down)
    places = placed(rooms, shown)
    lines = [HEAD.format(width=WIDTH, height=max(y for _, y in places.values()) + BOX_HEIGHT + 12)]
    lines += [arrow(places[here], places[there], "#8a93a5") for here, there in sorted(shown)]
    lines += [arrow(places[here], places[there], "#d02020") for here, there in sorted(every - down)]
    lines += [box(places[name], layer, name, text) for layer, name, text in rooms]
    (HERE / "images" / "rooms.svg").write_text("".join(lines) + "</svg>\n", encoding="utf-8")


def rooms_in(page: str) -> list[Room]:
    """The rows `| layer | `name` | description |` of a page."""
    return [
        (int(layer), name, text) for layer, name, text in re.findall(r"^\| (\d) \| `(\w+)` \| (.*?) \|$", page, re.M)
    ]


def parts() -> list[Path]:
    """The packages and modules at the top, but for those that only run the program."""
    folders = [path.parent for path in PACKAGE.glob("*/__init__.py")]
    return folders + [path for path in PACKAGE.glob("*.py") if path.name != "__main__.py"]


def imported_by(name: str) -> set[str]:
    """The packages that a package, or module at the top, imports anywhere."""
    path = PACKAGE / name
    files = sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]
    return {module for file in files for module in imports(ast.parse(file.read_text(encoding="utf-8")))}


def imports(tree: ast.Module) -> Iterator[str]:
    """The packages of ours that a file imports: `audio` for `from unbraid.audio.read import Reader`."""
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module == "unbraid":
            names = [f"unbraid.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [str(node.module)]
        for name in names:
            first, *rest = name.split(".")
            if first == "unbraid" and rest and ((PACKAGE / rest[0]).is_dir() or (PACKAGE / f"{rest[0]}.py").is_file()):
                yield rest[0]


def reduced(edges: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """The edges without those that follow from others (transitive reduction of an acyclic graph)."""
    below: dict[str, set[str]] = {}
    for here, there in edges:
        below.setdefault(here, set()).add(there)

    def reached(name: str) -> set[str]:
        return {name}.union(*(reached(one) for one in below.get(name, ())))

    return {(here, there) for here, there in edges if not any(there in reached(one) for one in below[here] - {there})}


def placed(rooms: list[Room], edges: set[tuple[str, str]]) -> dict[str, Place]:
    """Boxes of a layer side by side, higher layers above; one that is alone stands above what it imports."""
    places: dict[str, Place] = {}
    layers = sorted({layer for layer, _, _ in rooms})
    for row, layer in enumerate(layers):
        y = 12 + (len(layers) - 1 - row) * (BOX_HEIGHT + GAP)
        names = [name for level, name, _ in rooms if level == layer]
        for column, name in enumerate(names):
            places[name] = (round(WIDTH * (column + 0.5) / len(names)), y)
        if len(names) == 1:
            below = [places[there][0] for here, there in edges if here == names[0]]
            places[names[0]] = (sum(below) // len(below), y)
    return places


def arrow(start: Place, end: Place, colour: str) -> str:
    """A curve from the lower edge of one box to the upper edge of another, or a line between neighbours."""
    (x, y), (to_x, to_y) = start, end
    if y == to_y:
        side = BOX_WIDTH // 2 if x < to_x else -(BOX_WIDTH // 2)
        path = f"M{x + side} {y + BOX_HEIGHT // 2} L{to_x - side} {y + BOX_HEIGHT // 2}"
    else:
        y += BOX_HEIGHT
        bend = abs(to_y - y) // 2
        path = f"M{x} {y} C{x} {y + bend} {to_x} {to_y - bend} {to_x} {to_y - 1}"
    return f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.6" marker-end="url(#tip)"/>\n'


def box(place: Place, layer: int, name: str, text: str) -> str:
    """A package: its name, its layer and what it holds."""
    x, y = place
    colour = f"hsl({215 - 18 * layer}, 60%, 94%)"
    shape = f'<rect x="{x - BOX_WIDTH // 2}" y="{y}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="6" '
    shape += f'fill="{colour}" stroke="#5b6478"/>\n'
    shape += f'<text x="{x}" y="{y + 19}" font-size="14" font-weight="bold" text-anchor="middle">{name}</text>\n'
    corner = x + BOX_WIDTH // 2 - 9
    shape += f'<text x="{corner}" y="{y + 17}" font-size="11" fill="#5b6478" text-anchor="end">{layer}</text>\n'
    for row, line in enumerate(wrap(text.replace("`", ""), 42)):
        shape += f'<text x="{x}" y="{y + 36 + 14 * row}" font-size="11" text-anchor="middle">{escape(line)}</text>\n'
    return shape


if __name__ == "__main__":
    main()
