"""torch.save files are read as plain tensors, and nothing in them is ever run."""

import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from published_writers import literal, state_opcodes, tensor_opcodes, torch_save, write_zip

from unbraid.errors import ModelError
from unbraid.hub.importers.torch_pickle import read_state_dict

FOUR = np.arange(4, dtype=np.float32).tobytes()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "part.ckpt"


def refusal(path: Path) -> str:
    """The message with which a file is refused, the path left out."""
    with pytest.raises(ModelError) as caught:
        read_state_dict(path)
    return str(caught.value).replace(str(path), "PATH")


# --- what is read ---


def test_tensors_of_every_written_type_come_back(path: Path) -> None:
    tensors = {
        "a": np.arange(6, dtype=np.float32).reshape(2, 3),
        "b": np.arange(3, dtype=np.float16),
        "c": np.array(5, np.int64),
        "d": np.zeros((0, 3), np.float64),
    }
    torch_save(path, tensors)
    found = read_state_dict(path)
    assert list(found) == list(tensors)
    for name, tensor in tensors.items():
        assert found[name].dtype == tensor.dtype
        np.testing.assert_array_equal(found[name], tensor)


def test_offsets_strides_and_shared_storages_are_honoured(path: Path) -> None:
    data = np.arange(24, dtype=np.float32)
    storage = ("FloatStorage", "0", 24)
    views = {
        "transposed": tensor_opcodes(storage, 0, (6, 4), (1, 6)),
        "late": tensor_opcodes(storage, 20, (4,), (1,)),
        "repeated": tensor_opcodes(storage, 3, (5, 2), (0, 1)),
        "scalar": tensor_opcodes(storage, 23, (), ()),
    }
    write_zip(path, state_opcodes(views), {"0": data.tobytes()})
    found = read_state_dict(path)
    np.testing.assert_array_equal(found["transposed"], data.reshape(4, 6).T)
    np.testing.assert_array_equal(found["late"], data[20:])
    np.testing.assert_array_equal(found["repeated"], [[3, 4]] * 5)
    assert found["scalar"].shape == () and found["scalar"] == 23


def test_what_torch_itself_saves_is_read(path: Path) -> None:
    torch = pytest.importorskip("torch")
    module = torch.nn.Sequential(torch.nn.Conv1d(2, 3, 4), torch.nn.BatchNorm1d(3))
    base = torch.arange(12.0).reshape(3, 4)
    state = module.state_dict()  # an OrderedDict with `_metadata`
    for dtype in (torch.float16, torch.float64, torch.int8, torch.int16, torch.int32, torch.uint8, torch.bool):
        state[str(dtype)] = torch.tensor([0, 1, 1], dtype=dtype)
    state |= {"column": base[:, 1], "transposed": base.T, "expanded": base[:1].expand(5, 4), "empty": torch.zeros(0)}
    torch.save(state, path)
    found = read_state_dict(path)
    assert found.keys() == state.keys()
    for name, tensor in state.items():
        np.testing.assert_array_equal(found[name], tensor.numpy(), strict=True)


# --- what is refused: programs ---


class Runs:
    """A value whose pickle calls a function when it is loaded."""

    def __init__(self, function: object, *arguments: object):
        self.call = (function, arguments)

    def __reduce__(self) -> tuple:
        return self.call


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_a_pickle_that_runs_a_command_is_refused_before_it_does(path: Path, tmp_path: Path, protocol: int) -> None:
    trace = tmp_path / "trace"
    program = pickle.dumps({"weight": Runs(os.system, f"touch {trace}")}, protocol)
    pickle.loads(program)
    assert trace.exists()  # the attack works on an unrestricted reader
    trace.unlink()
    write_zip(path, program, {})
    assert refusal(path) == (
        f"PATH asks to load {os.system.__module__}.system, which is not part of a plain tensor; it was refused and "
        "nothing was run. Use a checkpoint from a publisher you trust."
    )
    assert not trace.exists()


@pytest.mark.parametrize(
    ("function", "arguments"),
    [(eval, ("1",)), (getattr, ({}, "pop")), (exec, ("pass",)), (np.load, ("x",)), (__import__, ("os",))],
)
def test_no_other_callable_is_reachable(path: Path, function: object, arguments: tuple) -> None:
    write_zip(path, pickle.dumps({"weight": Runs(function, *arguments)}), {})
    assert "is not part of a plain tensor" in refusal(path)


@pytest.mark.parametrize(
    "name",
    [
        "torch\nBFloat16Storage",
        "torch._utils\n_rebuild_parameter",
        "torch.nn.modules.linear\nLinear",
        "collections\nOrderedDict.fromkeys",
    ],
)
def test_only_plain_tensors_are_part_of_a_state_dict(path: Path, name: str) -> None:
    write_zip(path, b"\x80\x04" + f"c{name}\n.".encode(), {})
    assert refusal(path).startswith(f"PATH asks to load {name.replace(chr(10), '.')}, which is not part of")


def test_a_pickle_leaves_no_trace_on_the_reader_for_the_next_one(path: Path) -> None:
    """BUILD can set attributes of whatever a name stands for."""
    attack = b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(}X\x0c\x00\x00\x00__defaults__(K\x01K\x02tstb."
    write_zip(path, attack, {})
    refusal(path)
    torch_save(path, {"a": np.arange(4, dtype=np.float32)})
    np.testing.assert_array_equal(read_state_dict(path)["a"], np.arange(4))


# --- what is refused: other contents ---


def test_contents_other_than_names_and_tensors_are_named(path: Path) -> None:
    for value, message in {
        3: "PATH holds a int, expected a state dict: names and tensors.",
        (): "PATH holds a tuple, expected a state dict: names and tensors.",
    }.items():
        write_zip(path, b"\x80\x02" + literal(value) + b".", {})
        assert refusal(path) == message
    write_zip(path, pickle.dumps({"model": {}}, 2), {})
    assert refusal(path) == "PATH holds a dict under 'model', expected nothing but names and tensors."
    write_zip(
        path,
        state_opcodes({}).replace(b".", literal(4) + tensor_opcodes(("FloatStorage", "0", 4), 0, (4,), (1,)) + b"s."),
        {"0": FOUR},
    )
    assert refusal(path) == "PATH holds a ndarray under 4, expected nothing but names and tensors."


@pytest.mark.parametrize(
    ("storage", "offset", "size", "stride"),
    [
        (("FloatStorage", "0", 4), 0, (5,), (1,)),
        (("FloatStorage", "0", 4), 1, (2, 2), (2, 1)),
        (("FloatStorage", "0", 4), -1, (2,), (1,)),
        (("FloatStorage", "0", 4), 3, (4,), (-1,)),
        (("FloatStorage", "0", 4), 0, (-2,), (1,)),
        (("FloatStorage", "0", 4), 0, (2, 2), (1,)),
        (("FloatStorage", "0", 4), 0, (2**40,), (1,)),
        (("FloatStorage", "0", 5), 0, (4,), (1,)),
        (("DoubleStorage", "0", 4), 0, (2,), (1,)),
        (("FloatStorage", "1", 4), 0, (2,), (1,)),
        (("FloatStorage", "../0", 4), 0, (2,), (1,)),
    ],
)
def test_a_tensor_never_reaches_outside_its_storage(path: Path, storage, offset, size, stride) -> None:
    write_zip(path, state_opcodes({"a": tensor_opcodes(storage, offset, size, stride)}), {"0": FOUR})
    message = refusal(path)
    assert message.startswith("PATH is truncated or damaged (") and message.endswith("); fetch it again.")


def test_the_old_format_and_other_files_are_told_apart(path: Path) -> None:
    path.write_bytes(pickle.dumps(0x1950A86A20F9469CFC6C, 2))
    assert refusal(path) == (
        "PATH is a bare pickle (torch.save before torch 1.6), which is not read; "
        "load and save it again with a current torch."
    )
    for content in (b"", b"version https://git-lfs.github.com/spec/v1\n"):
        path.write_bytes(content)
        assert refusal(path) == "PATH is not a file of torch.save (a zip of tensors); fetch it again."
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    assert refusal(path) == "PATH is a zip file, but not one of torch.save: it has no single data.pkl."


def test_compressed_and_big_endian_archives_are_refused(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02}." + bytes(10_000))
    assert refusal(path) == "PATH is compressed inside, as torch.save never does; it is not read."
    write_zip(path, state_opcodes({}), {}, byteorder=b"big")
    assert refusal(path) == "PATH was written on a big-endian machine, which is not read; save it on another."


def test_a_missing_file_and_a_folder_are_told(path: Path) -> None:
    assert refusal(path) == "PATH cannot be read: No such file or directory."
    path.mkdir()
    assert refusal(path) == "PATH cannot be read: Is a directory."


# --- damage ---


def test_a_truncated_file_is_refused_wherever_it_ends(path: Path) -> None:
    torch_save(path, {"a": np.arange(4, dtype=np.float32)})
    whole = path.read_bytes()
    for size in range(2, len(whole)):
        path.write_bytes(whole[:size])
        assert refusal(path).startswith("PATH is truncated or damaged (")


def test_a_flipped_byte_is_refused_or_without_effect(path: Path) -> None:
    tensor = np.arange(4, dtype=np.float32)
    torch_save(path, {"a": tensor})
    whole = path.read_bytes()
    data = whole.index(FOUR)
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        if place in range(data, data + len(FOUR)):
            refusal(path)
            continue
        try:
            found = read_state_dict(path)
        except ModelError:
            continue
        assert list(found) == ["a"]
        np.testing.assert_array_equal(found["a"], tensor)
