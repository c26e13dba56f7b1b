"""Imports go down only, and torch and onnx stay behind the wall: the table of docs/design.md, checked on the source."""

import graphlib
from pathlib import Path

import pytest

from source_tree import FILES, ROOT, imports, name_of

LAYERS = (
    "errors",
    "files",
    "dsp",
    "models audio",
    "hub corpora",
    "runtime",
    "tasks",
    "evaluation __init__",
    "training service batch",
    "cli",
    "__main__",
)  # from the bottom; rooms of one layer do not see each other
LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms.split()}

# The wall is a rule about names: files and folders called network or graph, and these places, may import a framework.
BEHIND_NAMES = {"network", "graph"}
BEHIND_PLACES = ("models/layers", "models/onnx", "training", "runtime/eager.py")
FRAMEWORKS = {"torch", "torchaudio", "lightning", "onnx", "tensorflow"}
DOORS = {  # through the wall, each inside a function; families load their modules by name
    ("runtime/open.py", "unbraid.runtime.eager"),
    ("hub/graphs.py", "unbraid.models.onnx.build"),
    ("models/__init__.py", "unbraid.models.audio_transformer.network.model"),
    ("cli/export.py", "unbraid.training.export"),
    ("cli/train.py", "unbraid.training"),
}

# room, or a part of one: packages of others that it never imports
NEVER = {
    "dsp": "onnxruntime soundfile av soxr",
    "audio": "onnxruntime",
    "models": "onnxruntime",
    "runtime": "soundfile av soxr httpx2 huggingface_hub",
    "corpora": "onnxruntime",
    "tasks": "onnxruntime",
    "tasks/separation": "onnxruntime soundfile av soxr",
    "training": "onnxruntime",
}
EVERY = [pytest.param(path, id=name_of(path)) for path in FILES]


def room_of(module: str) -> str:
    """unbraid.dsp.stft -> dsp."""
    return module.split(".")[1]


def room_of_file(path: Path) -> str:
    return name_of(path).split("/")[0].removesuffix(".py")


def is_behind(name: str) -> bool:
    """Whether a file is behind the wall, by its name: models/unet/network.py."""
    parts = name.removesuffix(".py").split("/")
    return bool(BEHIND_NAMES & set(parts)) or any(
        name == place or name.startswith(f"{place}/") for place in BEHIND_PLACES
    )


def file_of(module: str) -> str:
    """unbraid.models.unet.network -> models/unet/network.py, as a name that `is_behind` takes."""
    path = ROOT.joinpath(*module.split(".")[1:])
    return name_of(path.with_suffix(".py") if path.with_suffix(".py").is_file() else path / "__init__.py")


def test_the_package_shows_its_rooms() -> None:
    shown = {path.name for path in ROOT.iterdir() if path.name != "__pycache__"}
    assert {name.removesuffix(".py") for name in shown} == LEVEL.keys() | {"assets", "py.typed"}
    assert len(shown) <= 18


@pytest.mark.parametrize("path", EVERY)
def test_imports_go_down(path: Path) -> None:
    here = room_of_file(path)
    for module, _ in imports(path):
        if module.startswith("unbraid."):
            there = room_of(module)
            assert there == here or LEVEL[there] < LEVEL[here], f"{module} is not below {here}"


@pytest.mark.parametrize("path", EVERY)
def test_the_wall(path: Path) -> None:
    if is_behind(name_of(path)):
        return
    for module, inside in imports(path):
        assert module.split(".")[0] not in FRAMEWORKS, f"{module} is behind the wall"
        if module.startswith("unbraid.") and is_behind(file_of(module)):
            assert (name_of(path), module) in DOORS, f"{module} is behind the wall"
            assert inside or "TYPE_CHECKING" in path.read_text(encoding="utf-8"), f"{module} is a door, for a function"


def test_every_door_is_used() -> None:
    found = {(name_of(path), module) for path in FILES for module, _ in imports(path)}
    assert found >= DOORS


@pytest.mark.parametrize("path", EVERY)
def test_rooms_do_not_import_what_is_not_theirs(path: Path) -> None:
    never = {other for place, others in NEVER.items() if name_of(path).startswith(place) for other in others.split()}
    assert not never & {module.split(".")[0] for module, _ in imports(path)}


def graph_of_imports() -> dict[str, set[str]]:
    """Every module of ours and the modules of ours that it imports, inside functions too."""
    graph: dict[str, set[str]] = {}
    for path in FILES:
        name = ".".join(("unbraid", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")
        graph[name] = {module for module, _ in imports(path) if module.startswith("unbraid.") and module != name}
    graph.pop("unbraid")  # lazy: it names what is above it
    return graph


def test_nothing_goes_round_in_circles() -> None:
    order = list(graphlib.TopologicalSorter(graph_of_imports()).static_order())  # raises CycleError, naming the circle
    assert graph_of_imports().keys() <= set(order)
