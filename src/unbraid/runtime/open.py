"""Opening a model folder in the engine for a device."""

import functools
import typing
from pathlib import Path

import numpy as np

from unbraid.errors import RuntimeUnavailable, UsageError, current_folder_gone
from unbraid.hub.spec import ModelSpec
from unbraid.models.family import signature
from unbraid.models.signatures import check_outputs
from unbraid.runtime import builds
from unbraid.runtime.executor import Engine, Executor, Precision


def open_executor(spec: ModelSpec, folder: Path, graph: str = "model", engine: Engine = Engine()) -> Executor:
    """Load a graph of a model folder (see `Config.graphs`) into an engine.

    Raises:
        RuntimeUnavailable: the device or the engine is not there.
        UsageError: int8 was asked of a network that has none, or a graph that it lacks.
    """
    precision, threads = engine.precision, engine.threads
    if precision == "int8" and not spec.geometry.has_int8:
        raise UsageError(f"int8 is for SepFormers, RoFormers and Whispers, and {spec.name} is none: use float32.")
    if precision not in (precisions := typing.get_args(Precision)):
        raise UsageError(f"The precision is one of {', '.join(precisions)}, not {precision!r}.")
    if graph not in (parts := (*spec.geometry.graphs, *spec.geometry.optional_graphs)):
        raise UsageError(f"{spec.name} has no graph {graph!r}; it has {', '.join(parts)}.")
    if threads is not None and threads < 1:
        raise UsageError(f"{threads} threads are not possible; give 1 or more.")
    if engine.device == "torch" and precision == "int8":
        raise UsageError("int8 runs on ONNX Runtime; leave out --device torch, or use float32.")
    opened = _torch(spec, folder, threads, graph) if engine.device == "torch" else _ort(spec, folder, graph, engine)
    return _Checked(opened, spec, graph)


class _Checked:
    """An engine whose outputs are compared with the signature of the network."""

    def __init__(self, engine: Executor, spec: ModelSpec, graph: str) -> None:
        self.device, self.reason = engine.device, engine.reason
        self._engine: Executor | None = engine
        self._name, self._signature = spec.name, signature(spec.geometry, graph)

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """As `Executor.run`."""
        if self._engine is None:
            raise UsageError("This model is closed; load it again.")
        outputs = self._engine.run(inputs)
        check_outputs(self._signature, inputs, outputs, self._name)
        return outputs

    def close(self) -> None:
        """As `Executor.close`; may be called again."""
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.close()


def _torch(spec: ModelSpec, folder: Path, threads: int | None, graph: str) -> Executor:
    """The torch modules."""
    if gone := current_folder_gone():  # PyTorch would abort
        raise RuntimeUnavailable(gone)
    from unbraid.runtime.eager import open_module

    return open_module(spec, folder, threads, graph)


def _ort(spec: ModelSpec, folder: Path, graph: str, engine: Engine) -> Executor:
    """ONNX Runtime on a device; on the CPU where `auto` finds a device that cannot be started."""
    try:
        from unbraid.runtime.ort import OrtExecutor, choose_device
    except ImportError as error:
        remedy = builds.what_is_wrong() or "Reinstall unbraid."
        raise RuntimeUnavailable(f"ONNX Runtime cannot be loaded ({error}). {remedy}") from error

    provider, name, reason = choose_device(engine.device)
    start = functools.partial(OrtExecutor, folder, spec, graph, engine)
    try:
        return start(provider=provider, device=name, reason=reason)
    except RuntimeUnavailable:
        if engine.device != "auto" or name == "cpu":
            raise
    provider, _, _ = choose_device("cpu")  # a GPU build of the runtime on a machine without a driver, say
    return start(provider=provider, device="cpu", reason=f"{name} could not be started")
