"""Warm start: a run's first weights from another model, also from one with other outputs.

Stems are matched by their names. Voices have none: as many of the first rows are taken as both models have.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from unbraid.errors import ModelError
from unbraid.hub.folder import WEIGHTS
from unbraid.hub.names import resolve
from unbraid.hub.spec import read_spec
from unbraid.models.shapes import COUNTER
from unbraid.models.tensors import read_weights
from unbraid.training.export import read_checkpoint

State = dict[str, Tensor]
REST = ("other", "accompaniment")  # a new one of these may start from an old one of these
_ACROSS = "_across."  # of a U-Net
_LISTENS = ("front.", "encoder.")  # of an audio Transformer


def read_first(name: str) -> dict[str, Any]:
    """A best.pt, or a model, by name or folder, as if it were one: "model" and, for music, "stems", for text,
    "vocabularies".

    Raises:
        ModelError: it is neither.
    """
    if Path(name).is_file() or Path(name).suffix in (".pt", ".ckpt"):
        return read_checkpoint(Path(name))
    place = resolve(name)
    weights = read_weights(place / WEIGHTS)
    tensors = {name: torch.from_numpy(value).float() for name, value in weights.items()}
    spec = read_spec(place)
    found: dict[str, Any] = {"model": tensors, "stems": list(spec.stems)}
    if spec.vocabularies:
        found["vocabularies"] = {"source": list(spec.vocabularies.source), "target": list(spec.vocabularies.target)}
    return found


def voices_taken(own: State, given: Mapping[str, Tensor], per_source: Mapping[str, int], path: str) -> State:
    """The weights of a speech model; those of sources that the other model lacks are kept.

    A layer that begins like one of `per_source` has one block for each source along the axis that is named there, and
    gets the blocks there are.

    Raises:
        ModelError: the other model is of other sizes.
    """
    _check_names(own, given, path)
    for name, tensor in given.items():
        mine = own[name]
        axis = next((axis for prefix, axis in per_source.items() if name.startswith(prefix)), None)
        if axis is not None and mine.ndim == tensor.ndim:
            blocks = min(mine.shape[axis], tensor.shape[axis])
            mine, tensor = mine.narrow(axis, 0, blocks), tensor.narrow(axis, 0, blocks)
        if mine.shape != tensor.shape:
            raise _misfit(name, given[name], own[name], path)
        mine.copy_(tensor)
    return own


def listening_taken(own: State, given: Mapping[str, Tensor], path: str) -> State:
    """The front end and encoder of a model with other symbols; the rest is initialised at random.

    Raises:
        ModelError: the other model is of another kind or of other sizes.
    """
    mine, theirs = ({n: v for n, v in state.items() if n.startswith(_LISTENS)} for state in (own, given))
    return own | voices_taken(mine, theirs, {}, path)


def ancestors(stems: Sequence[str], given: Sequence[str]) -> list[int | None]:
    """For each stem, the place of the one it starts from: its namesake, or for the rest of a song another's rest."""
    found: list[int | None] = []
    for stem in stems:
        names = (stem, *REST) if stem in REST else (stem,)
        found.append(next((given.index(name) for name in names if name in given), None))
    return found


def nets_taken(own: State, given: Mapping[str, Tensor], places: Sequence[int | None], path: str) -> State:
    """A network for each stem: each one's from its ancestor's, or as it is.

    Raises:
        ModelError: no stem has an ancestor, or the networks are of other sizes.
    """
    if all(place is None for place in places):
        raise ModelError(f"trainer.init: {path} has none of the recipe's stems; leave trainer.init out.")
    for k, place in enumerate(places):
        if place is not None:
            old, new = f"nets.{place}.", f"nets.{k}."
            theirs = {new + n.removeprefix(old): v for n, v in given.items() if n.startswith(old)}
            mine = {n: v for n, v in own.items() if n.startswith(new)}
            _check_names(mine, theirs, path)
            for name in _weights(theirs):
                _copy(own[name], theirs[name], name, path)
    return own


def trunk_taken(own: State, given: Mapping[str, Tensor], places: Sequence[int | None], levels: int, path: str) -> State:
    """A shared trunk: all of it, and of the layers that have planes for every stem those of the ancestors.

    Planes are C for each stem, stem after stem. The masks of an inherited stem ignore the planes of new stems, so that
    they start as they ended.

    Raises:
        ModelError: the network is of other sizes.
    """
    _check_names(own, given, path)
    channels = len(own["nets.0.last.bias"]) // len(places)
    planes = [(k * channels + c, place * channels + c) for k, place in enumerate(places) if place is not None
              for c in range(channels)]  # fmt: skip
    mine, theirs = (torch.tensor([pair[i] for pair in planes], dtype=torch.long) for i in (0, 1))
    last = levels - 1
    outermost = (f"nets.0.up.{last}.", f"nets.0.up_norm.{last}.", f"nets.0.up_across.{last}.norm.")
    if len(given[f"{outermost[0]}bias"]) != len(given["nets.0.last.bias"]):
        raise ModelError(f"trainer.init: {path} has a network for each stem, and the recipe's trunk is shared.")
    for name in _weights(given):
        new, old = own[name], given[name]
        if name == "nets.0.last.weight" and new.shape[2:] == old.shape[2:]:  # (masks, planes, 4, 4)
            new[mine] = 0
            new[mine[:, None], mine] = old[theirs[:, None], theirs]
        elif name == f"{outermost[0]}weight" and new.shape[0] == old.shape[0]:  # (inner, planes, 5, 5)
            new[:, mine] = old[:, theirs]
        elif name == "nets.0.last.bias" or (name.startswith(outermost) and new.ndim == 1):
            new[mine] = old[theirs]
        else:
            _copy(new, old, name, path)
    return own


def _weights(tensors: Mapping[str, Tensor]) -> list[str]:
    return [name for name in tensors if not name.endswith(COUNTER)]


def _check_names(own: Mapping[str, Tensor], given: Mapping[str, Tensor], path: str) -> None:
    mine, theirs = set(_weights(own)), set(_weights(given))
    if not any(_ACROSS in name for name in theirs):  # they begin as nothing, as if they had been there
        mine = {name for name in mine if _ACROSS not in name}
    if odd := sorted(mine ^ theirs):
        raise ModelError(f"trainer.init: {path} is of another kind of model ({odd[0]} is in one of them only).")


def _copy(mine: Tensor, theirs: Tensor, name: str, path: str) -> None:
    if name.endswith(".down.0.weight") and mine.shape[1] == theirs.shape[1] + 1:  # a song's side begins as nothing
        theirs = F.pad(theirs, (0, 0, 0, 0, 0, 1))
    if mine.shape != theirs.shape:
        raise _misfit(name, theirs, mine, path)
    mine.copy_(theirs)


def _misfit(name: str, theirs: Tensor, mine: Tensor, path: str) -> ModelError:
    sizes = f"{tuple(theirs.shape)}, not {tuple(mine.shape)}"
    return ModelError(f"trainer.init: {path} is of other sizes ({name} is {sizes}).")
