"""The files that Demucs publishes: the class of a network, its arguments and its tensors, read without torch or Demucs.

A `.th` is a file of `torch.save`, whose pickle names the class. A `.safetensors` says the same in metadata, as JSON,
with a fraction as {"_type": "fraction", "numerator": …, "denominator": …}. Either way, arguments are read as data, and
nothing of that class is made. The name of a `.th` has the first digits of its SHA-256 behind a dash. Source: demucs
4.1.0, states.py, repo.py and hf.py.
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import safetensors

from unbraid.errors import ModelError, quoted, shortened
from unbraid.files.bounded import parse_json
from unbraid.hub.folder import sha256
from unbraid.hub.importers.settings import Settings
from unbraid.hub.importers.torch_pickle import check_state, read_package
from unbraid.models.tensor_table import tensor_table
from unbraid.models.tensors import read_weights

CLASS = "demucs.htdemucs.HTDemucs"
OTHERS = ("demucs.hdemucs.HDemucs", "demucs.demucs.Demucs")  # earlier networks, which are refused by name
WEIGHTS = (".th", ".safetensors")
QUANTISED = "__quantized"  # a key in the state of a network that DiffQ has compressed
_CHECKED = re.compile(r"[0-9a-z]+-([0-9a-f]{8})\.th")


@dataclass(frozen=True)
class Package:
    """The network in a file."""

    path: Path
    arguments: Settings
    state: dict[str, np.ndarray]


def names_class(path: Path) -> bool:
    """Whether a safetensors file says in its metadata that it is one of Demucs's networks."""
    try:
        return _metadata(path).get("klass", "").startswith("demucs.")
    except ModelError:
        return False


def read_demucs(path: Path) -> Package:
    """Read a file.

    Raises:
        ModelError: it is damaged, is not the one that its name says, or holds another network or anything but data.
    """
    if (stated := _CHECKED.fullmatch(path.name)) and not (found := sha256(path)).startswith(stated[1]):
        raise ModelError(f"{path} has a SHA-256 that begins with {found[:8]}, not as its name says; fetch it again.")
    content = _of_safetensors(path) if path.suffix.lower() == ".safetensors" else _of_pickle(path)
    kind = content.get("klass")
    if kind != CLASS:
        raise ModelError(f"{path} holds {quoted(kind)}; a network of Demucs that can be imported is a {CLASS}.")
    first, arguments, state = (content.get(key) for key in ("args", "kwargs", "state"))
    if not isinstance(arguments, dict) or not isinstance(first, list | tuple) or len(first) > 1:
        raise ModelError(f"{path} does not tell the arguments of its network by name; is it one of Demucs's files?")
    arguments = {**({"sources": first[0]} if first else {}), **arguments}
    if isinstance(state, dict) and QUANTISED in state:
        raise ModelError(f"{path} is compressed by DiffQ, which is not read; use the network that is not quantised.")
    return Package(path, Settings(path, arguments, arguments), check_state(state, path))


def _of_pickle(path: Path) -> dict[str, Any]:
    return read_package(path, {"fractions.Fraction": _fraction, CLASS: None, **dict.fromkeys(OTHERS)})


def _of_safetensors(path: Path) -> dict[str, Any]:
    content = _metadata(path)
    try:
        arguments = {key: _decoded(parse_json(content[key])) for key in ("args", "kwargs")}
    except (KeyError, ValueError) as error:
        raise ModelError(f"{path} does not tell its network's arguments as Demucs writes them: {error}.") from None
    if "structure" in content:
        raise ModelError(f"{path} is compressed by DiffQ, which is not read; use the network that is not quantised.")
    return {"klass": content.get("klass"), **arguments, "state": read_weights(path)}


def _metadata(path: Path) -> dict[str, str]:
    """The texts in the header of a safetensors file."""
    tensor_table(path)  # its limits
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            return dict(file.metadata() or {})
    except (OSError, safetensors.SafetensorError, ValueError, TypeError) as error:
        raise ModelError(f"{path} cannot be read as safetensors: {shortened(str(error))}.") from None


def _decoded(value: Any) -> Any:
    """The value that JSON stands for."""
    if isinstance(value, list):
        return [_decoded(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("_type") == "fraction":
        return _fraction(value["numerator"], value["denominator"])
    return {key: _decoded(item) for key, item in value.items()}


def _fraction(*parts: Any) -> Fraction:
    """A fraction of a text, "39/5", or of two numbers."""
    if len(parts) == 1 and isinstance(parts[0], str) and re.fullmatch(r"\d{1,9}(/[1-9]\d{0,8})?", parts[0]):
        return Fraction(parts[0])
    if len(parts) == 2 and all(type(part) is int and 0 <= part < 10**9 for part in parts) and parts[1]:
        return Fraction(*parts)
    raise ValueError(f"{quoted(parts)} is no fraction")
