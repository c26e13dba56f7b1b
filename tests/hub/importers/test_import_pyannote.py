"""pyannote's copy of a WeSpeaker ResNet: the same network; objects beside its state dict are left out, never made."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from published_writers import literal, tensor_opcodes, write_zip

from unbraid.errors import ModelError
from unbraid.hub.importers import read_checkpoint
from unbraid.hub.importers.torch_pickle import read_state_dict

CONFIG = """\
model:
  _target_: pyannote.audio.models.embedding.WeSpeakerResNet34
  sample_rate: 16000
  num_channels: 1
  num_mel_bins: 16
  frame_length: 25
  frame_shift: 10
  dither: 0.0
  window_type: hamming
  use_energy: false
"""
TASK = "pyannote.audio.core.task"


def named(name: str) -> bytes:
    """The opcodes that push something by its dotted name."""
    module, _, last = name.rpartition(".")
    return f"c{module}\n{last}\n".encode()


def enumerated(name: str) -> bytes:
    """A member of an enumeration: NAME(1)."""
    return named(name) + literal(1) + b"\x85R"  # TUPLE1, REDUCE


def specifications(problem: bytes) -> bytes:
    """An object with attributes, as a dataclass is pickled: NEWOBJ of no arguments, then BUILD."""
    attributes = b"}" + literal("problem") + problem + b"s" + literal("duration") + literal(5.0) + b"s"
    return named(f"{TASK}.Specifications") + b")\x81" + attributes + b"b"


def lightning(path: Path, tensors: dict[str, np.ndarray], beside: bytes) -> None:
    """A checkpoint of Lightning: a version, a value that is pushed by opcodes, and the state dict."""
    state, storages = b"}", {}
    for key, (name, tensor) in enumerate(tensors.items()):
        strides = tuple(step // tensor.itemsize for step in tensor.strides)
        kind = "FloatStorage" if tensor.dtype == np.float32 else "LongStorage"
        state += literal(name) + tensor_opcodes((kind, str(key), tensor.size), 0, tensor.shape, strides) + b"s"
        storages[str(key)] = tensor.tobytes()
    version = named("torch.torch_version.TorchVersion") + literal("2.1.0") + b"\x85\x81"  # TUPLE1, NEWOBJ
    values = {"state_dict": state, "torch": version, "pyannote.audio": beside}
    program = b"\x80\x02}" + b"".join(literal(name) + value + b"s" for name, value in values.items()) + b"."
    write_zip(path, program, storages)


@pytest.fixture
def folder(goldens: Path, tmp_path: Path) -> Path:
    """pyannote's copy of the golden network of WeSpeaker."""
    state = read_state_dict(goldens / "wespeaker" / "avg_model.pt")
    tensors = {f"resnet.{name}": tensor for name, tensor in state.items() if not name.startswith("projection")}
    (tmp_path / "copy").mkdir()
    task = specifications(enumerated(f"{TASK}.Problem"))
    lightning(tmp_path / "copy" / "pytorch_model.bin", tensors, task)
    (tmp_path / "copy" / "config.yaml").write_text(CONFIG, encoding="utf-8")
    return tmp_path / "copy"


def test_the_network_is_that_of_wespeaker(folder: Path, goldens: Path, tmp_path: Path) -> None:
    theirs = read_checkpoint(Path(shutil.copytree(goldens / "wespeaker", tmp_path / "original")), "original")
    ours = read_checkpoint(folder, "mine")
    assert (ours.spec.geometry, ours.spec.mel) == (theirs.spec.geometry, theirs.spec.mel)
    assert ours.spec.provenance == (
        "A ResNet34 trained with WeSpeaker, published for pyannote.audio, imported from copy."
    )
    assert ours.tensors.keys() == theirs.tensors.keys()
    for name, tensor in ours.tensors.items():
        np.testing.assert_array_equal(tensor, theirs.tensors[name])


@pytest.mark.parametrize("name", ["os.system", "pyannote.audio.core.task.Other", "builtins.eval"])
def test_no_other_objects_are_skipped(folder: Path, name: str) -> None:
    state = {"resnet.conv1.weight": np.ones((2, 1, 3, 3), np.float32)}
    lightning(folder / "pytorch_model.bin", state, enumerated(name))
    with pytest.raises(ModelError, match=rf"asks to load {name}, which is not part of a plain tensor; it was refused"):
        read_checkpoint(folder, "mine")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("WeSpeakerResNet34", "XVectorSincNet", "a network that can be imported has 'pyannote.audio.models.embedding"),
        ("hamming", "povey", "window_type is 'povey'; a network that can be imported has 'hamming'"),
        ("num_mel_bins: 16", "num_mel_bins: 80", "num_mel_bins is 80; a network that can be imported has 16"),
    ],
)
def test_settings_of_another_network_are_refused(folder: Path, old: str, new: str, told: str) -> None:
    (folder / "config.yaml").write_text(CONFIG.replace(old, new), encoding="utf-8")
    with pytest.raises(ModelError) as caught:
        read_checkpoint(folder, "mine")
    assert told in str(caught.value)


def test_tensors_of_another_network_are_refused(folder: Path) -> None:
    lightning(folder / "pytorch_model.bin", {"sincnet.weight": np.ones(3, np.float32)}, literal(0))
    with pytest.raises(ModelError, match="tensor 'sincnet.weight' does not belong to a ResNet"):
        read_checkpoint(folder, "mine")
