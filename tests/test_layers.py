"""Imports point down only, and the torch wall has three doors: the table of docs/design.md, checked on the source."""

import graphlib

import pytest

from source_tree import FILES, ROOT, imports, name_of

LAYERS = {
    0: "errors printable bounded plain_yaml protobuf ranges geometry cuts spec schema vocabulary "
    "tensor_table weights quantize graphs signatures graph_check disk atomic",
    1: "walk audio dsp metrics search ctc joining transcript subtitles normalization",
    2: "runtime store catalogue network connection download sources hub importers folder card corpora rendering",
    3: "frontends stream converter options separator api evaluation visual "
    "channels steps generate speaking phonemizer recognizer transcriber spelling synthesizer attention",
    4: "cli tracks jobs receipt journal __main__",
}
TORCH_LAYERS = {0: "models graph", 1: "losses data", 2: "export", 3: "train"}

LEVEL = {part: level for level, parts in LAYERS.items() for part in parts.split()}
TORCH_LEVEL = {part: level for level, parts in TORCH_LAYERS.items() for part in parts.split()}

# The only imports that cross the wall, and where they stand.
DOORS = {
    ("runtime/eager.py", "unbraid.models.sepformer.network"): "module",
    ("runtime/eager.py", "unbraid.models.band_split.network"): "module",
    ("runtime/eager.py", "unbraid.models.unet.network"): "module",
    ("runtime/eager.py", "unbraid.models.audio_transformer.network.model"): "module",
    ("runtime/eager.py", "unbraid.models.audio_transformer.network.attention_maps"): "module",
    ("runtime/eager.py", "unbraid.models.wav2vec2.network"): "module",
    ("runtime/eager.py", "torch"): "module",
    ("runtime/base.py", "unbraid.runtime.eager"): "function",
    ("graphs.py", "unbraid.models.onnx.build"): "function",
    ("cli/export.py", "unbraid.training.export"): "function",
    ("cli/train.py", "unbraid.training"): "function",
}
TORCH_ONLY = {"torch", "torchaudio", "lightning", "onnx", "tensorflow"}

# part: (of our own that it may not see, of others that it may not see)
NEVER = {
    "dsp": ("", "onnxruntime soundfile av soxr"),
    "metrics": ("", "onnxruntime soundfile av soxr"),
    "audio": ("", "onnxruntime"),
    "runtime": ("audio dsp hub separator frontends", "soundfile av soxr httpx2 huggingface_hub"),
    "frontends": ("", "onnxruntime soundfile av soxr"),
    "stream": ("", "onnxruntime soundfile av soxr"),
    "separator": ("", "onnxruntime soundfile av soxr"),
    "models": ("losses export runtime hub audio dsp graph", "onnx onnxruntime numpy"),
    "losses": ("models", "onnx onnxruntime numpy"),
    "data": ("models losses runtime", "onnx onnxruntime lightning"),
    "corpora": ("runtime hub", "onnxruntime"),
    "rendering": ("runtime hub", "onnxruntime"),
    "graph": ("models runtime", "torch onnxruntime"),
}
EVERY = [pytest.param(path, id=name_of(path)) for path in FILES]


def part_of(module: str) -> str:
    """unbraid.dsp.stft -> dsp."""
    return module.split(".")[1]


def part_of_file(path) -> str:
    return name_of(path).split("/")[0].removesuffix(".py")


def test_every_part_has_a_layer() -> None:
    parts = {part_of_file(path) for path in FILES} - {"__init__"}
    assert parts == LEVEL.keys() | TORCH_LEVEL.keys()


@pytest.mark.parametrize("path", EVERY)
def test_imports_point_down(path) -> None:
    here = part_of_file(path)
    for module, _ in imports(path):
        if not module.startswith("unbraid.") or (name_of(path), module) in DOORS:
            continue
        target = part_of(module)
        if here == "__init__":
            assert target in LEVEL, f"the public names must not need {module}"
        elif here in TORCH_LEVEL:
            assert target not in TORCH_LEVEL or TORCH_LEVEL[target] <= TORCH_LEVEL[here], module
            if TORCH_LEVEL[here] == 0:
                assert LEVEL.get(target, 0) == 0, module
        else:
            assert target in LEVEL, f"{module} is behind the torch wall"
            assert LEVEL[target] <= LEVEL[here], f"{module} is above {here}"


@pytest.mark.parametrize("path", EVERY)
def test_the_run_side_needs_no_framework(path) -> None:
    if part_of_file(path) in TORCH_LEVEL:
        return
    for module, _ in imports(path):
        if module.split(".")[0] in TORCH_ONLY:
            assert (name_of(path), module) in DOORS, f"{module} is behind the torch wall"


def test_the_doors_are_there_and_open_where_they_should() -> None:
    found = {
        (name_of(path), module): "function" if inside else "module"
        for path in FILES
        for module, inside in imports(path)
        if (name_of(path), module) in DOORS
    }
    assert found == DOORS


@pytest.mark.parametrize("path", EVERY)
def test_parts_do_not_see_what_they_should_not(path) -> None:
    here = part_of_file(path)
    ours, others = (set(names.split()) for names in NEVER.get(here, ("", "")))
    for module, _ in imports(path):
        first = module.split(".")[0]
        if (name_of(path), module) not in DOORS:
            assert first not in others, module
            assert first != "unbraid" or module == "unbraid" or part_of(module) not in ours, module


def test_nothing_goes_round_in_circles() -> None:
    """Among module-level imports; `unbraid/__init__.py` itself is lazy."""
    graph: dict[str, set[str]] = {}
    for path in FILES:
        name = ".".join(("unbraid", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")
        below = {module for module, inside in imports(path) if module.startswith("unbraid.") and not inside}
        graph[name] = {module for module in below if module != name}
    graph.pop("unbraid")
    order = list(graphlib.TopologicalSorter(graph).static_order())  # raises CycleError, naming the circle
    assert graph.keys() <= set(order)
