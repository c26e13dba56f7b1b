"""The interface between the program and its engines: an Executor runs a network on arrays."""

import functools
import typing
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from unbraid.errors import RuntimeUnavailable, UsageError, current_folder_gone
from unbraid.hub.graphs import every_part
from unbraid.hub.spec import ModelSpec
from unbraid.runtime import builds

Precision = Literal["float32", "int8"]


class Executor(Protocol):
    """A loaded network."""

    device: str  # "cpu", "cuda", …
    reason: str  # why that device, for people

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """One pass through the network, arrays by name: float32, and int64 where they count something."""
        ...

    def close(self) -> None:
        """Free the network; the executor is of no use afterwards."""
        ...


def open_executor(
    spec: ModelSpec,
    folder: Path,
    *,
    graph: str = "model",
    device: str = "auto",
    precision: Precision = "float32",
    threads: int | None = None,
) -> Executor:
    """Load a graph of a model folder (see `graphs.every_part`) into the engine for a device.

    `device` is auto, torch (the eager modules, when torch is installed), or one of ONNX Runtime's: cpu, cuda, …
    `threads` is the number of CPU threads; by default, and at most, as many as this process may use.

    Raises:
        RuntimeUnavailable: the device or the engine is not there.
        UsageError: int8 was asked of a network that has none, or a graph that it lacks.
    """
    if precision == "int8" and spec.family != "sepformer":
        raise UsageError(f"int8 is for SepFormers, and {spec.name} is none: use float32.")
    if precision not in (precisions := typing.get_args(Precision)):
        raise UsageError(f"The precision is one of {', '.join(precisions)}, not {precision!r}.")
    if graph not in (parts := every_part(spec.geometry)):
        raise UsageError(f"{spec.name} has no graph {graph!r}; it has {', '.join(parts)}.")
    if threads is not None and threads < 1:
        raise UsageError(f"At least one thread is needed, got {threads}.")
    if device == "torch" and precision == "int8":
        raise UsageError("int8 runs on ONNX Runtime; leave out --device torch, or use float32.")
    if device == "torch":
        if gone := current_folder_gone():  # PyTorch would abort
            raise RuntimeUnavailable(gone)
        from unbraid.runtime.eager import EagerExecutor

        return EagerExecutor(spec, folder, threads, graph)
    try:
        from unbraid.runtime.ort import OrtExecutor, choose_device
    except ImportError as error:
        remedy = builds.what_is_wrong() or "Reinstall unbraid."
        raise RuntimeUnavailable(f"ONNX Runtime cannot be loaded ({error}). {remedy}") from error

    provider, name, reason = choose_device(device)
    start = functools.partial(OrtExecutor, folder, spec, graph=graph, precision=precision, threads=threads)
    try:
        return start(provider=provider, device=name, reason=reason)
    except RuntimeUnavailable:
        if device != "auto" or name == "cpu":
            raise
    provider, _, _ = choose_device("cpu")  # a GPU build of the runtime on a machine without a driver, say
    return start(provider=provider, device="cpu", reason=f"{name} could not be started")
