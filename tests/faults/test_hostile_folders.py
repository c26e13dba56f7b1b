"""A model folder is what its spec says and its network needs, or it is refused before anything of it is used."""

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine_fakes import MUSIC, SPEECH, music_spec, speech_spec, text_spec, weights, write_model
from unbraid.errors import ModelError, SpecError
from unbraid.hub.folder import open_model_folder, sha256
from unbraid.hub.spec import ModelSpec, parse_spec, read_spec
from unbraid.models.config import Config
from unbraid.models.family import tensor_shapes
from unbraid.models.sepformer.config import SepFormerConfig
from unbraid.models.tensors import write_weights
from unbraid.models.unet.config import UNetConfig
from unbraid.runtime import Engine, open_executor

onnx = pytest.importorskip("onnx")
from hostile_graphs import CHANGES, changed  # noqa: E402

SPECS = {"speech": speech_spec(), "music": music_spec(), "text": text_spec()}
HUGE, NAN, INFINITE = 10**9, float("nan"), float("inf")
SPEECH_SIZES = ("layers", "blocks", "features", "heads", "hidden", "sources", "kernel_samples", "stride_samples")
TEXT_SIZES = ("encoder_layers", "decoder_layers", "features", "heads", "hidden")
NO_STEMS = (
    "../a", "a/b", "a\\b", "..", "a\x1b[2J", "", "x" * 300, " a", "C:a",
)  # fmt: skip
NO_FILES = ("../x", "/etc/passwd", "a/b", "..", ".", "", "C:x", "a\\b", "x\0", "x" * 300, " x", "x\n")
NO_KERNELS = (([HUGE], [HUGE]), ([4] * 99, [2] * 99), ([65536] * 4, [65536] * 4), ([], []), ([-2], [-2]))
VALUES: dict[tuple[str, str], tuple[Any, ...]] = {
    **{("speech", f"geometry.{name}"): (0, -1, HUGE, 10**30, 1.5, True, "8", None, [8]) for name in SPEECH_SIZES},
    ("speech", "geometry.chunk_frames"): (0, -1, 7, HUGE, None),
    ("music", "geometry.stems"): (0, -1, HUGE, None),
    ("music", "geometry.channels"): (0, -1, HUGE, None),
    ("music", "geometry.filters"): ([], [0, 1], [HUGE] * 6, [2] * 100, [[2]], 7, [2, 2.5]),
    ("music", "geometry.bins"): (-1, -64, HUGE, 63),
    ("music", "spectral.frame_samples"): (0, -1, 1, 3, HUGE, 65536, NAN),
    ("music", "spectral.hop_samples"): (0, -1, 1, 3, HUGE, 65536, NAN),
    ("music", "spectral.frames"): (0, -1, 1, 3, HUGE, 65536 * 64, NAN),
    ("music", "spectral.bins"): (0, -1, 1, 3, HUGE, 65536, NAN),
    ("music", "spectral.exponent"): (0, -1, HUGE, 1e308, INFINITE, NAN, True),
    ("speech", "windows.seconds"): (0, -1, HUGE, INFINITE, NAN, "1", None),
    ("speech", "windows.overlap_seconds"): (-1, 0.1, HUGE, INFINITE, NAN, "1", None),
    ("speech", "sample_rate"): (0, -1, 1, 999, 10**6 + 1, HUGE, 8000.0, None),
    **{("text", f"geometry.{name}"): (0, -1, HUGE, 1.5) for name in TEXT_SIZES},
    **{("text", f"geometry.{name}"): ({"symbols": HUGE},
       *({"kind": "waveform", "kernels": kernels, "strides": strides} for kernels, strides in NO_KERNELS))
       for name in ("source", "target")},
    **{("speech", name): ("x" * 100_000,) for name in ("name", "licence", "provenance", "family", "level")},
    ("speech", "stems"): (*([name, "b"] for name in NO_STEMS), ["a"] * 10**5),
    ("speech", "files"): (*({name: "0" * 64} for name in NO_FILES), {"model.onnx": "0" * 10**6}),
    ("speech", "scores"): ({"a": NAN}, {"x" * 10**6: 1}),
}  # fmt: skip
NUMBERS = [(model, path, value) for (model, path), values in VALUES.items() for value in values]


def with_value(spec: ModelSpec, path: str, value: Any) -> dict[str, Any]:
    """The JSON of a spec with another value somewhere."""
    data = table = json.loads(spec.to_json())
    *sections, key = path.split(".")
    for section in sections:
        table = table[section]
    table[key] = value
    return data


@pytest.mark.parametrize(("model", "path", "value"), NUMBERS, ids=lambda value: repr(value)[:40])
def test_a_value_that_no_model_has_is_refused(model: str, path: str, value: Any) -> None:
    with pytest.raises(SpecError) as caught:
        parse_spec(with_value(SPECS[model], path, value), "spec.json")
    assert len(str(caught.value)) < 500


LARGE = (
    SepFormerConfig(layers=500, blocks=2),
    UNetConfig(stems=64),
    dataclasses.replace(text_spec().geometry, encoder_layers=1000),
)


@pytest.mark.parametrize("geometry", LARGE, ids=lambda value: type(value).__name__)
def test_tables_at_the_edge_of_the_ranges_are_not_large(geometry: Config) -> None:
    assert 1000 < len(tensor_shapes(geometry)) < 50_000


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model folder to be damaged."""
    write_model(tmp_path / "model", music_spec())
    return tmp_path / "model"


def vouch(folder: Path, *names: str) -> None:
    """Let spec.json name the files that are there now."""
    data = json.loads((folder / "spec.json").read_text())
    data["files"] |= {name: sha256(folder / name) for name in names}
    (folder / "spec.json").write_text(json.dumps(data))


def refusal(folder: Path) -> str:
    with pytest.raises(ModelError) as caught:
        open_model_folder(folder)
    return str(caught.value).replace(str(folder), "FOLDER")


# --- files ---


def test_a_link_out_of_the_folder_is_refused_and_one_inside_is_not(model: Path) -> None:
    (model / "model.onnx").rename(model.parent / "elsewhere")
    (model / "model.onnx").symlink_to(model.parent / "elsewhere")
    assert refusal(model) == "FOLDER: model.onnx is a link to a file elsewhere, which is not read; copy the file here."
    (model.parent / "elsewhere").rename(model / "really.onnx")
    (model / "model.onnx").unlink()
    (model / "model.onnx").symlink_to("really.onnx")
    open_model_folder(model)
    (model.parent / "by another name").symlink_to(model)
    open_model_folder(model.parent / "by another name")


def test_what_is_no_file_is_refused(model: Path) -> None:
    (model / "model.onnx").unlink()
    os.mkfifo(model / "model.onnx")
    assert refusal(model) == ("FOLDER: model.onnx cannot be read: it is a pipe, a socket or a device, not a file.")
    (model / "model.onnx").unlink()
    (model / "model.onnx").mkdir()
    assert refusal(model) == "FOLDER: model.onnx cannot be read: Is a directory."
    (model / "model.onnx").rmdir()
    (model / "model.onnx").symlink_to("/dev/zero")
    assert refusal(model).startswith("FOLDER: model.onnx cannot be read: it is a pipe")


def test_files_larger_than_the_network_needs_are_not_read(model: Path) -> None:
    for name in ("model.safetensors", "model.onnx"):
        whole = (model / name).read_bytes()
        with open(model / name, "r+b") as file:
            file.truncate(1 << 40)  # a hole: no byte of it is on the disk
        assert refusal(model).startswith(f"FOLDER: {name} has {1 << 40} bytes, more than this network needs")
        (model / name).write_bytes(whole)


# --- weights ---


@pytest.mark.parametrize("dtype", ["int64", "int32", "int8", "uint8", "float64", "bool"])
def test_weights_of_another_type_are_refused(model: Path, dtype: str) -> None:
    safetensors = pytest.importorskip("safetensors.numpy")
    tensors = {name: (100 * value).astype(dtype) for name, value in weights(MUSIC).items()}
    safetensors.save_file(tensors, model / "model.safetensors")
    vouch(model, "model.safetensors")
    assert " expected F32." in refusal(model) or "more than this network needs" in refusal(model)


def test_weights_of_two_types_are_refused(model: Path) -> None:
    tensors = weights(MUSIC)
    tensors["nets.0.last.bias"] = tensors["nets.0.last.bias"].astype(np.float16)
    write_weights(model / "model.safetensors", tensors)
    vouch(model, "model.safetensors")
    assert refusal(model) == "FOLDER/model.safetensors: tensor 'nets.0.last.bias' is F16, expected F32."


# --- graphs ---


@pytest.mark.parametrize("kind", CHANGES)
def test_another_graph_is_refused_before_it_is_opened(model: Path, kind: str) -> None:
    change, reason = CHANGES[kind]
    (model / "model.onnx").write_bytes(changed((model / "model.onnx").read_bytes(), change))
    vouch(model, "model.onnx")
    with pytest.raises(ModelError) as caught:
        open_executor(open_model_folder(model), model, engine=Engine("cpu"))
    assert "it is not the graph of this network (" in str(caught.value)
    assert reason in str(caught.value)
    assert len(str(caught.value)) < 500 + len(str(model))


def magnitude() -> dict[str, np.ndarray]:
    return {"magnitude": np.ones((1, 2, 64, 64), np.float32)}


def test_a_graph_that_returns_another_shape_is_refused_when_it_does(model: Path) -> None:
    def longer(m: Any) -> None:
        """Twice the magnitudes, one behind the other in time, under the name and the axes of the right ones."""
        last = m.graph.node[-1]
        m.graph.node.insert(
            len(m.graph.node) - 1, onnx.helper.make_node("Concat", [last.input[0]] * 2, ["twice"], axis=3)
        )
        last.input[0] = "twice"

    (model / "model.onnx").write_bytes(changed((model / "model.onnx").read_bytes(), longer))
    vouch(model, "model.onnx")
    with pytest.raises(ModelError) as caught:
        open_executor(open_model_folder(model), model, engine=Engine("cpu")).run(magnitude())
    assert str(caught.value) == (
        "tiny-music: its graph returns magnitudes as float32 (1, 2, 2, 128, 64), which this network never does; "
        "pull or import the model again."
    )


@pytest.mark.parametrize("device", ["cpu", "torch"])
def test_a_network_that_returns_no_numbers_is_told(tmp_path: Path, device: str) -> None:
    if device == "torch":
        pytest.importorskip("torch")
    tensors = {name: np.full_like(value, 1e38) for name, value in weights(SPEECH).items()}
    write_model(tmp_path / "wild", speech_spec())
    write_weights(tmp_path / "wild" / "model.safetensors", tensors)
    vouch(tmp_path / "wild", "model.safetensors")
    executor = open_executor(open_model_folder(tmp_path / "wild"), tmp_path / "wild", engine=Engine(device))
    with pytest.raises(
        ModelError, match="its network returns NaN or infinity in sources; the model is damaged, or was never"
    ):
        executor.run({"mixture": np.ones((1, 800), np.float32)})


def test_what_the_runtime_cannot_do_is_told(model: Path) -> None:
    executor = open_executor(read_spec(model), model, engine=Engine("cpu"))
    with pytest.raises(ModelError, match="^tiny-music cannot be run by ONNX Runtime: "):
        executor.run({"magnitude": np.ones((1, 3, 64, 64), np.float32)})
