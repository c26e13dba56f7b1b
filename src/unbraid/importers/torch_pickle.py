"""A restricted reader of `torch.save` files: state dicts of plain tensors, in NumPy, without torch.

A file of torch >= 1.6 is a zip of uncompressed members: `<root>/data.pkl`, a pickle that describes tensors as
(storage, offset, size, stride), and `<root>/data/<key>`, the raw bytes of each storage. A pickle is a program, so
only the three kinds of names that plain tensors need mean anything here; every other one is refused before
anything of it could run. Source: the format as written by torch/serialization.py and torch/_utils.py.
"""

import collections
import io
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from unbraid.errors import ModelError

STORAGES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "|i1",
    "ByteStorage": "|u1",
    "BoolStorage": "|b1",
}


def read_state_dict(path: Path) -> dict[str, np.ndarray]:
    """Read {name: tensor} from a file of `torch.save`; the arrays are read-only views of their storages.

    Raises:
        ModelError: the file is missing, damaged, in torch's old format, or holds anything but plain tensors.
    """
    try:
        with open(path, "rb") as file:
            if (start := file.read(2)) != b"PK":
                raise ModelError(_not_a_zip(path, start))
            with zipfile.ZipFile(file) as archive:
                state = _read_archive(archive, path)
    except ModelError:
        raise
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}.") from None
    except Exception as error:  # hostile input: whatever a damaged zip or pickle trips over is one failure here
        raise ModelError(f"{path} is truncated or damaged ({error}); fetch it again.") from None
    return _check_state(state, path)


def _not_a_zip(path: Path, start: bytes) -> str:
    if start[:1] == b"\x80":  # the opcode that opens every binary pickle
        return (
            f"{path} is a bare pickle (torch.save before torch 1.6), which is not read; "
            "load and save it again with a current torch."
        )
    return f"{path} is not a file of torch.save (a zip of tensors); fetch it again."


def _check_state(state: Any, path: Path) -> dict[str, np.ndarray]:
    if not isinstance(state, dict):
        raise ModelError(f"{path} holds a {type(state).__name__}, expected a state dict: names and tensors.")
    for name, tensor in state.items():
        if not isinstance(name, str) or not isinstance(tensor, np.ndarray):
            kind = type(tensor).__name__
            raise ModelError(f"{path} holds a {kind} under {name!r}, expected nothing but names and tensors.")
    return dict(state)


def _read_archive(archive: zipfile.ZipFile, path: Path) -> Any:
    pickles = [name for name in archive.namelist() if name.split("/")[1:] == ["data.pkl"]]
    if len(pickles) != 1:
        raise ModelError(f"{path} is a zip file, but not one of torch.save: it has no single data.pkl.")
    root = pickles[0].removesuffix("data.pkl")
    byte_order = f"{root}byteorder"
    if byte_order in archive.namelist() and _member(archive, byte_order, path) != b"little":
        raise ModelError(f"{path} was written on a big-endian machine, which is not read; save it on another.")
    return _Unpickler(archive, root, path).load()


def _member(archive: zipfile.ZipFile, name: str, path: Path) -> bytes:
    if archive.getinfo(name).compress_type != zipfile.ZIP_STORED:  # so that no file grows beyond its own size
        raise ModelError(f"{path} is compressed inside, as torch.save never does; it is not read.")
    return archive.read(name)  # checks the CRC


class _Unpickler(pickle.Unpickler):
    """Knows the names that plain tensors need, and no other."""

    def __init__(self, archive: zipfile.ZipFile, root: str, path: Path):
        super().__init__(io.BytesIO(_member(archive, f"{root}data.pkl", path)), encoding="utf-8")
        self.archive, self.root, self.path = archive, root, path
        self.storages: dict[str, np.ndarray] = {}
        self.known: dict[tuple[str, str], str | type | Callable[..., np.ndarray]] = {
            ("collections", "OrderedDict"): collections.OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): _rebuilder(),
            **{("torch", name): dtype for name, dtype in STORAGES.items()},
        }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.known:
            raise ModelError(
                f"{self.path} asks to load {module}.{name}, which is not part of a plain tensor; "
                "it was refused and nothing was run. Use a checkpoint from a publisher you trust."
            )
        return self.known[module, name]

    def persistent_load(self, pid: Any) -> np.ndarray:
        kind, dtype, key, _location, count = pid
        if kind != "storage" or dtype not in STORAGES.values() or not isinstance(key, str):
            raise ValueError(f"unknown storage {pid!r}")
        if key not in self.storages:
            data = _member(self.archive, f"{self.root}data/{key}", self.path)
            self.storages[key] = np.frombuffer(data, dtype)
        storage = self.storages[key]
        if storage.dtype != np.dtype(dtype) or storage.size != count:
            raise ValueError(f"storage {key} has {storage.size} {storage.dtype}, {count} {dtype} announced")
        return storage


def _rebuilder() -> Callable[..., np.ndarray]:
    """Make the stand-in for `torch._utils._rebuild_tensor_v2`, anew for each file: a pickle can set its attributes."""

    def rebuild(storage: Any, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any) -> np.ndarray:
        if not isinstance(storage, np.ndarray) or len(size) != len(stride) or min(offset, 0, *size, *stride) < 0:
            raise ValueError(f"impossible tensor: offset {offset}, size {size}, stride {stride}")
        last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
        if 0 not in size and last >= storage.size:
            raise ValueError(f"tensor of size {size} reaches beyond its storage of {storage.size}")
        if 0 in size:
            return np.empty(size, storage.dtype)
        steps = [step * storage.itemsize for step in stride]
        return np.lib.stride_tricks.as_strided(storage[offset:], size, steps, writeable=False)

    return rebuild
