"""Engines: which device is chosen and why, threads, and what happens when a folder does not run."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from engine_fakes import music_spec, speech_spec, text_spec, write_model
from unbraid.errors import ModelError, RuntimeUnavailable, UsageError
from unbraid.hub.spec import read_spec
from unbraid.runtime import Engine, Executor, builds, open_executor
from unbraid.runtime.ort import available_threads, choose_device


def test_auto_takes_what_is_here_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    for available, expected in (
        (["CPUExecutionProvider"], ("CPUExecutionProvider", "cpu", "no GPU provider is installed")),
        (["CoreMLExecutionProvider", "CPUExecutionProvider"],
         ("CPUExecutionProvider", "cpu", "no GPU provider is installed")),
        (["CUDAExecutionProvider", "CPUExecutionProvider"], ("CUDAExecutionProvider", "cuda", "the fastest here")),
    ):  # fmt: skip
        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda here=available: here)
        assert choose_device("auto") == expected
    assert choose_device("cuda") == ("CUDAExecutionProvider", "cuda", "asked for")


def test_a_device_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(RuntimeUnavailable) as caught:
        choose_device("cuda")
    assert str(caught.value) == (
        "Device 'cuda' was asked for, but this ONNX Runtime has only cpu. For cuda, run `pip install 'unbraid[gpu]'`, "
        "then `pip uninstall --yes onnxruntime`, then `pip install --force-reinstall --no-deps onnxruntime-gpu`, or "
        "use --device auto."
    )
    with pytest.raises(RuntimeUnavailable) as caught:
        choose_device("coreml")
    assert str(caught.value) == (
        "Device 'coreml' was asked for, but this ONNX Runtime has only cpu. Use --device auto."
    )
    with pytest.raises(UsageError) as caught:
        choose_device("tpu")
    assert str(caught.value) == ("Device 'tpu' is unknown; choose auto, cuda, rocm, directml, coreml, cpu or torch.")


def test_int8_is_for_sepformers_and_whispers(music_folder: Path) -> None:
    with pytest.raises(UsageError) as caught:
        open_executor(read_spec(music_folder), music_folder, engine=Engine(precision="int8"))
    assert str(caught.value) == "int8 is for SepFormers, RoFormers and Whispers, and tiny-music is none: use float32."


def test_no_threads_are_not_possible(music_folder: Path) -> None:
    with pytest.raises(UsageError) as caught:
        open_executor(read_spec(music_folder), music_folder, engine=Engine(threads=0))
    assert str(caught.value) == "0 threads are not possible; give 1 or more."


def test_a_graph_that_the_network_lacks_is_told(music_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        open_executor(read_spec(music_folder), music_folder, graph="encoder")
    assert str(caught.value) == "tiny-music has no graph 'encoder'; it has model."
    with pytest.raises(UsageError) as caught:
        open_executor(text_spec(), tmp_path)
    assert str(caught.value) == "tiny-text has no graph 'model'; it has encoder, decoder, attention."


def test_length_and_batch_are_free_and_threads_do_not_matter(speech_folder: Path) -> None:
    spec = read_spec(speech_folder)
    one, two = (open_executor(spec, speech_folder, engine=Engine("cpu", threads=threads)) for threads in (1, 2))
    assert (one.device, one.reason) == ("cpu", "asked for")
    for shape in ((1, 16), (3, 777), (2, 1500)):
        mixture = np.random.default_rng(0).normal(0, 0.1, shape).astype(np.float32)
        found = one.run({"mixture": mixture})
        assert found.keys() == {"sources"}
        assert found["sources"].shape == (shape[0], 2, shape[1])
        np.testing.assert_allclose(two.run({"mixture": mixture})["sources"], found["sources"], atol=1e-5)
    assert available_threads() >= 1


def open_closed(folder: Path, device: str) -> Executor:
    executor = open_executor(read_spec(folder), folder, engine=Engine(device))
    executor.close()
    return executor


def test_closing_twice_is_no_error(speech_folder: Path) -> None:
    spec = read_spec(speech_folder)
    for device in ("cpu", "torch"):
        if device == "torch":
            pytest.importorskip("torch")
        executor = open_executor(spec, speech_folder, engine=Engine(device))
        executor.close()
        executor.close()
        with pytest.raises(UsageError, match="^This model is closed; load it again.$"):
            open_closed(speech_folder, device).run({})


def test_a_graph_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    spec = write_model(tmp_path / "model", music_spec())
    (tmp_path / "model" / "model.onnx").write_bytes(b"\x08\x0a nothing")
    with pytest.raises(ModelError, match=r"model/model\.onnx cannot be opened by ONNX Runtime: "):
        open_executor(spec, tmp_path / "model", engine=Engine("cpu"))


def test_weights_of_another_type_than_the_graph_reads_are_refused(tmp_path: Path) -> None:
    """Names and shapes are right, but the graph points past the end of the file."""
    pytest.importorskip("onnx")
    spec = write_model(tmp_path / "half", speech_spec(), "float16")
    write_model(tmp_path / "full", speech_spec())
    (tmp_path / "half" / "model.onnx").write_bytes((tmp_path / "full" / "model.onnx").read_bytes())
    with pytest.raises(ModelError, match=r"model\.onnx cannot be opened by ONNX Runtime: "):
        open_executor(spec, tmp_path / "half", engine=Engine("cpu"))


def test_a_runtime_without_its_files_is_told(speech_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left when one of two builds in one folder is uninstalled."""
    import sys
    from types import ModuleType

    monkeypatch.setitem(sys.modules, "onnxruntime", ModuleType("onnxruntime"))
    monkeypatch.delitem(sys.modules, "unbraid.runtime.ort")
    monkeypatch.setattr(builds, "what_is_wrong", lambda: "Do this.")
    with pytest.raises(RuntimeUnavailable) as caught:
        open_executor(read_spec(speech_folder), speech_folder)
    assert str(caught.value) == (
        "ONNX Runtime cannot be loaded (the folder 'onnxruntime' is there, but not what belongs in it). Do this."
    )


def test_torch_as_an_engine_without_torch_is_told(speech_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "unbraid.runtime.eager", raising=False)
    with pytest.raises(RuntimeUnavailable) as caught:
        open_executor(read_spec(speech_folder), speech_folder, engine=Engine("torch"))
    assert str(caught.value) == "Device 'torch' needs PyTorch: pip install 'unbraid[train]'."
