"""The torch modules as an engine, for research and parity tests; the only run-side file that needs torch."""

from pathlib import Path

import numpy as np

from unbraid.errors import RuntimeUnavailable
from unbraid.hub.spec import ModelSpec
from unbraid.models.config import Config
from unbraid.models.family import module_of
from unbraid.models.shapes import COUNTER
from unbraid.models.tensors import read_weights

try:
    import torch
except ImportError:
    raise RuntimeUnavailable("Device 'torch' needs PyTorch: pip install 'unbraid[train]'.") from None


def load_module(geometry: Config, tensors: dict[str, np.ndarray]) -> torch.nn.Module:
    """The torch module of a geometry with these weights (widened to float32), ready to run."""
    module: torch.nn.Module = module_of(geometry, "network").build(geometry)
    state = {name: torch.from_numpy(value.astype(np.float32)) for name, value in tensors.items()}
    counters = {name: value for name, value in module.state_dict().items() if name.endswith(COUNTER)}
    module.load_state_dict(state | counters)
    return module.eval()


def open_module(spec: ModelSpec, folder: Path, threads: int | None = None, graph: str = "model") -> "EagerExecutor":
    """The torch module of a model folder, on CUDA when torch has it, else on the CPU."""
    if threads:
        torch.set_num_threads(threads)
    module = load_module(spec.geometry, read_weights(folder / "model.safetensors"))
    return EagerExecutor(module, spec.geometry, torch.device("cuda" if torch.cuda.is_available() else "cpu"), graph)


class EagerExecutor:
    """A torch module of these sizes on a device."""

    reason = "torch was asked for"

    def __init__(self, module: torch.nn.Module, geometry: Config, device: torch.device, graph: str = "model"):
        self.device = str(device)
        self._module = module.to(device)
        self._outputs = module_of(geometry, "network").outputs
        self._graph = graph

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """One pass through the network."""
        tensors = {name: torch.from_numpy(value).to(self.device) for name, value in inputs.items()}
        with torch.inference_mode():
            found = self._outputs(self._module, self._graph, tensors)
            return {name: value.float().cpu().numpy() for name, value in found.items()}

    def close(self) -> None:
        """Free the module."""
        self.__dict__.pop("_module", None)
