"""ONNX Runtime as an engine: providers, threads, sessions opened from a model folder."""

import os
from pathlib import Path

import numpy as np
import onnxruntime

from unbraid.errors import ModelError, RuntimeUnavailable, UsageError, shortened
from unbraid.hub.graph_check import check_graph
from unbraid.hub.spec import ModelSpec
from unbraid.models.family import WEIGHTS_FILES, signature
from unbraid.runtime import builds
from unbraid.runtime.executor import Engine
from unbraid.runtime.int8 import int8_graph

if not hasattr(onnxruntime, "InferenceSession"):
    raise ImportError("the folder 'onnxruntime' is there, but not what belongs in it")

PROVIDERS = {
    "cuda": "CUDAExecutionProvider",
    "rocm": "MIGraphXExecutionProvider",
    "directml": "DmlExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "cpu": "CPUExecutionProvider",
}
AUTO = ("cuda", "rocm", "directml")  # preferred to the CPU when there; CoreML refuses dynamic shapes


def choose_device(device: str) -> tuple[str, str, str]:
    """Provider, name and reason for `auto` or a device's name.

    Raises:
        UsageError: there is no such device.
        RuntimeUnavailable: it was asked for and is not there.
    """
    available = set(onnxruntime.get_available_providers())
    here = [name for name, provider in PROVIDERS.items() if provider in available]
    if device == "auto":
        chosen = next((name for name in AUTO if name in here), "cpu")
        return PROVIDERS[chosen], chosen, "the fastest here" if chosen != "cpu" else "no GPU provider is installed"
    if device not in PROVIDERS:
        raise UsageError(f"Device {device!r} is unknown; choose auto, {', '.join(PROVIDERS)} or torch.")
    if device not in here:
        remedy = f"{builds.commands_for(device)}, or use" if device in builds.BUILDS else "Use"
        raise RuntimeUnavailable(
            f"Device {device!r} was asked for, but this ONNX Runtime has only {', '.join(here)}. "
            f"{remedy} --device auto."
        )
    return PROVIDERS[device], device, "asked for"


def available_threads() -> int:
    """CPU threads this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _not_started(device: str) -> RuntimeUnavailable:
    return RuntimeUnavailable(
        f"Device {device!r} could not be started; its driver or libraries are missing. "
        "Install them, or use --device cpu."
    )


class _Named(os.PathLike[bytes]):
    """A path as bytes, the only form in which the runtime accepts names that are not UTF-8."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __fspath__(self) -> bytes:
        return os.fsencode(self._path)


def _told(error: Exception) -> str:
    """The message of an error of the runtime, shortened: some are as long as a graph."""
    return shortened(str(error).rpartition(" : ")[2] or type(error).__name__)


class OrtExecutor:
    """A session on one device. The graph is opened from its path, so that its weights are found beside it."""

    def __init__(
        self, folder: Path, spec: ModelSpec, graph: str, engine: Engine, *, provider: str, device: str, reason: str
    ):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = min(engine.threads or available_threads(), available_threads())
        # threads that have nothing to do sleep: spinning, they take 10 to 40 % more CPU time, and others' time to run
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # without VNNI, sums of products of 8 bits saturate at 16 and cost 5 dB; this way they do not, at some speed
        options.add_session_config_entry("session.x64quantprecision", "1")
        options.enable_mem_pattern = False  # a plan per input shape: lengths vary, and it costs 10 % more memory
        options.log_severity_level = 4  # failures are raised; the rest is noise
        path = int8_graph(spec, folder, graph) if engine.precision == "int8" else folder / f"{graph}.onnx"
        self.device, self.reason = device, reason
        self._name = spec.name
        check_graph(path, spec.family, signature(spec.geometry, graph), WEIGHTS_FILES[engine.precision])
        providers = [provider] if device == "cpu" else [provider, "CPUExecutionProvider"]
        try:
            self._session = onnxruntime.InferenceSession(_Named(path), options, providers=providers, enable_fallback=0)
        except Exception as error:  # the runtime's own classes differ from release to release
            if device != "cpu":
                raise _not_started(device) from error
            raise ModelError(f"{path} cannot be opened by ONNX Runtime: {_told(error)}") from error
        if device != "cpu" and provider not in self._session.get_providers():
            raise _not_started(device)
        self._outputs = [output.name for output in self._session.get_outputs()]

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """One pass through the network.

        Raises:
            ModelError: the runtime fails.
        """
        try:
            found = self._session.run(self._outputs, inputs)
        except Exception as error:  # as above
            raise ModelError(f"{self._name} cannot be run by ONNX Runtime: {_told(error)}") from error
        return dict(zip(self._outputs, found, strict=True))

    def close(self) -> None:
        """Free the session."""
        self.__dict__.pop("_session", None)
