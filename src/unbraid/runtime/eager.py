"""The torch modules as an engine, for research and parity tests; the only run-side file that needs torch."""

from pathlib import Path

import numpy as np

from unbraid.errors import RuntimeUnavailable
from unbraid.hub.spec import ModelSpec
from unbraid.models.config import Config
from unbraid.models.family import module_of
from unbraid.models.tensors import read_weights

try:
    import torch
except ImportError:
    raise RuntimeUnavailable("Device 'torch' needs PyTorch: pip install 'unbraid[train]'.") from None


def load_module(geometry: Config, tensors: dict[str, np.ndarray]) -> torch.nn.Module:
    """The torch module of a geometry with these weights (widened to float32), ready to run."""
    module: torch.nn.Module = module_of(geometry, "network").build(geometry)
    state = {name: torch.from_numpy(value.astype(np.float32)) for name, value in tensors.items()}
    counters = {name: value for name, value in module.state_dict().items() if name.endswith("num_batches_tracked")}
    module.load_state_dict(state | counters)
    return module.eval()


class EagerExecutor:
    """The torch module of a model folder, on CUDA when torch has it, else on the CPU."""

    def __init__(self, spec: ModelSpec, folder: Path, threads: int | None = None, graph: str = "model"):
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.reason = "torch was asked for"
        if threads:
            torch.set_num_threads(threads)
        self._module = load_module(spec.geometry, read_weights(folder / "model.safetensors")).to(self.device)
        self._outputs = module_of(spec.geometry, "network").outputs
        self._graph = graph

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """One pass through the network."""
        tensors = {name: torch.from_numpy(value).to(self.device) for name, value in inputs.items()}
        with torch.inference_mode():
            found = self._outputs(self._module, self._graph, tensors)
            return {name: value.cpu().numpy() for name, value in found.items()}

    def close(self) -> None:
        """Free the module."""
        self.__dict__.pop("_module", None)
