"""A reader of `torch.save` files: state dicts of plain tensors, in NumPy, without torch.

A file of torch >= 1.6 is a zip of uncompressed members: `<root>/data.pkl`, a pickle that describes tensors as
(storage, offset, size, stride), and `<root>/data/<key>`, the raw bytes of each storage. A pickle is a program, so it is
interpreted here (see `plain_pickle`), and only the three kinds of names that plain tensors need mean anything. Whatever
a number in the file asks for is compared with the size of the file before it is done. Source: the format as written by
torch/serialization.py and torch/_utils.py.
"""

import io
import math
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from unbraid.errors import ModelError, quoted, shortened
from unbraid.files.bounded import check_regular
from unbraid.hub.importers.plain_pickle import Inert, PlainPickle, Refused

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
ORDERED, TENSOR = "collections.OrderedDict", "torch._utils._rebuild_tensor_v2"
MOST_PICKLE_BYTES = 16 << 20
MOST_DIRECTORY_BYTES = 4 << 20  # of a zip: 40 000 members
MOST_AXES = 16
MOST_REPEATED = 2  # times the file: of all tensors together, which may share storages or repeat a number
MOST_EXTRA_BYTES = 16 << 20  # and so much more in a small file


Known = Mapping[str, Callable[..., Any] | None]


def read_package(path: Path, known: Known) -> dict[str, Any]:
    """Read a file of `torch.save` that holds a state dict among plain values, as {name: value}.

    `known` are dotted names that may be in it: functions of plain values, which stand for those of the file, or None
    for a name that may be told but not called; it is read as a text.

    Raises:
        ModelError: as `read_state_dict`, or the file holds something else.
    """
    package = _read(path, known)
    if not isinstance(package, dict) or not all(isinstance(key, str) for key in package):
        raise ModelError(f"{path} holds a {type(package).__name__}, expected a package: names and values.")
    return package


def read_state_dict(path: Path, within: tuple[str, ...] = (), inert: tuple[str, ...] = ()) -> dict[str, np.ndarray]:
    """Read {name: tensor} from a file of `torch.save`; the arrays are read-only views of their storages.

    In a checkpoint of Lightning, the state dict lies beside other values: `within` are keys that it may have. `inert`
    are dotted names of classes whose objects may be among those values; they are left out, and no code of theirs is
    run.

    Raises:
        ModelError: the file is missing, damaged, in torch's old format, or holds anything but plain tensors.
    """
    state = _read(path, {name: _inert for name in inert})
    if isinstance(state, dict):
        state = next((state[key] for key in within if key in state), state)
    return check_state(state, path)


def _inert(*_: object) -> Inert:
    return Inert()


def _read(path: Path, known: Known) -> Any:
    """The value in a file."""
    try:
        check_regular(path)
        with open(path, "rb") as file:
            if (start := file.read(2)) != b"PK":
                raise ModelError(_not_a_zip(path, start))
        with _Zip(path) as members, zipfile.ZipFile(members) as archive:
            return _read_archive(archive, path, known)
    except ModelError:
        raise
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}.") from None
    except Exception as error:  # hostile input: whatever a damaged zip or pickle trips over is one failure here
        raise ModelError(f"{path} is truncated or damaged ({shortened(str(error))}); fetch it again.") from None


class _Zip(io.FileIO):
    """A file that refuses `zipfile` a directory so large that it would fill the memory."""

    def read(self, size: int | None = -1) -> bytes:
        """As any file's, where the directory is looked for; members are read by `_member`, which knows their sizes."""
        if size is not None and size > MOST_DIRECTORY_BYTES and not self.in_member:
            raise ValueError(f"its directory has {size} bytes, more than any of torch.save")
        return super().read(size) or b""

    in_member = False


def _not_a_zip(path: Path, start: bytes) -> str:
    if start[:1] == b"\x80":  # the opcode that opens every binary pickle
        return (
            f"{path} is a bare pickle (torch.save before torch 1.6), which is not read; "
            "load and save it again with a current torch."
        )
    return f"{path} is not a file of torch.save (a zip of tensors); fetch it again."


def check_state(state: Any, path: Path) -> dict[str, np.ndarray]:
    """A state dict.

    Raises:
        ModelError: it is something else.
    """
    if not isinstance(state, dict):
        raise ModelError(f"{path} holds a {type(state).__name__}, expected a state dict: names and tensors.")
    for name, tensor in state.items():
        if not isinstance(name, str) or not isinstance(tensor, np.ndarray):
            kind = type(tensor).__name__
            raise ModelError(f"{path} holds a {kind} under {quoted(name)}, expected nothing but names and tensors.")
    return dict(state)


def _read_archive(archive: zipfile.ZipFile, path: Path, known: Known) -> Any:
    names = archive.namelist()
    pickles = [name for name in names if name.split("/")[1:] == ["data.pkl"]]
    if len(pickles) != 1:
        raise ModelError(f"{path} is a zip file, but not one of torch.save: it has no single data.pkl.")
    if len(set(names)) < len(names):
        raise ModelError(f"{path} has a member twice, as torch.save never does; it is not read.")
    root = pickles[0].removesuffix("data.pkl")
    members = _Members(archive, root, path)
    if f"{root}byteorder" in names and members.read("byteorder") != b"little":
        raise ModelError(f"{path} was written on a big-endian machine, which is not read; save it on another.")
    if archive.getinfo(pickles[0]).file_size > MOST_PICKLE_BYTES:
        raise ModelError(f"{path} has a data.pkl of more than {MOST_PICKLE_BYTES} bytes; no state dict needs so many.")
    program = members.read("data.pkl")
    tensors = _Tensors(members, path.stat().st_size, known)
    try:
        return PlainPickle(tensors.call, tensors.storage).read(program)
    except Refused as error:
        raise ModelError(
            f"{path} asks to {error}, which is not part of a plain tensor; "
            "it was refused and nothing was run. Use a checkpoint from a publisher you trust."
        ) from None


class _Members:
    """The members of a file, each read once, together no larger than the file."""

    def __init__(self, archive: zipfile.ZipFile, root: str, path: Path):
        self._archive, self._root, self._path = archive, root, path
        self._left = path.stat().st_size

    def read(self, name: str) -> bytes:
        """A member's bytes, whose CRC is right."""
        info = self._archive.getinfo(f"{self._root}{name}")
        if info.compress_type != zipfile.ZIP_STORED:  # so that no file grows beyond its own size
            raise ModelError(f"{self._path} is compressed inside, as torch.save never does; it is not read.")
        self._left -= max(info.file_size, info.compress_size)
        if self._left < 0:
            raise ValueError("its members together are larger than the file")
        file: Any = self._archive.fp
        file.in_member = True
        return self._archive.read(info)


class _Tensors:
    """The functions and storages that the pickle of a state dict may use."""

    def __init__(self, members: _Members, file_bytes: int, known: Known):
        self._members, self._known = members, known
        self._left = MOST_REPEATED * file_bytes + MOST_EXTRA_BYTES
        self._storages: dict[str, np.ndarray] = {}
        self._kinds = {f"torch.{name}": dtype for name, dtype in STORAGES.items()}

    def call(self, name: str, arguments: tuple[Any, ...] | None) -> Any:
        """The result of an allowed function; without arguments, only check that it is allowed (else KeyError)."""
        if name not in (ORDERED, TENSOR, *self._kinds, *self._known):
            raise KeyError(name)
        if arguments is None:
            return None
        if function := self._known.get(name):
            return function(*arguments)
        if name == ORDERED and not arguments:
            return {}
        if name != TENSOR or len(arguments) < 4:
            raise ValueError(f"{name} of {quoted(arguments)}")
        return self._tensor(*arguments[:4])

    def storage(self, pid: Any) -> np.ndarray:
        """The numbers that a persistent id means."""
        if not isinstance(pid, tuple) or len(pid) != 5:
            raise ValueError(f"unknown storage {quoted(pid)}")
        word, kind, key, _location, count = pid
        if word != "storage" or kind not in self._kinds or not isinstance(key, str) or type(count) is not int:
            raise ValueError(f"unknown storage {quoted(pid)}")
        if key not in self._storages:
            self._storages[key] = np.frombuffer(self._members.read(f"data/{key}"), self._kinds[kind])
        storage = self._storages[key]
        if storage.dtype != np.dtype(self._kinds[kind]) or storage.size != count:
            raise ValueError(f"storage {key} has {storage.size} {storage.dtype}, {count} {self._kinds[kind]} announced")
        return storage

    def _tensor(self, storage: Any, offset: Any, size: Any, stride: Any) -> np.ndarray:
        """A view of a storage, in whole numbers of Python: those of NumPy would overflow at 2^63."""
        if not isinstance(storage, np.ndarray) or not isinstance(size, tuple) or not isinstance(stride, tuple):
            raise ValueError(f"impossible tensor: size {quoted(size)}, stride {quoted(stride)}")
        numbers = (offset, *size, *stride)
        if len(size) != len(stride) or len(size) > MOST_AXES or any(type(n) is not int or n < 0 for n in numbers):
            raise ValueError(
                f"impossible tensor: offset {quoted(offset)}, size {quoted(size)}, stride {quoted(stride)}"
            )
        self._left -= math.prod(max(n, 1) for n in size) * storage.itemsize
        if self._left < 0:
            raise ValueError(f"tensors of {quoted(size)} and others are larger than the file can be meant to hold")
        if 0 in size:
            return np.empty(size, storage.dtype)
        last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
        if last >= storage.size:
            raise ValueError(f"tensor of size {quoted(size)} reaches beyond its storage of {storage.size}")
        steps = [step * storage.itemsize if n > 1 else 0 for n, step in zip(size, stride, strict=True)]
        return np.lib.stride_tricks.as_strided(storage[offset:], size, steps, writeable=False)
