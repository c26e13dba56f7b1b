"""The torch modules themselves as an engine, for research and for parity; the one run-side file that needs torch."""

from pathlib import Path

import numpy as np

from unbraid.errors import RuntimeUnavailable
from unbraid.geometry import Geometry, SepFormerGeometry
from unbraid.spec import ModelSpec
from unbraid.weights import read_weights

try:
    import torch

    from unbraid.models.sepformer import SepFormer
    from unbraid.models.unet import UNets
except ImportError:
    raise RuntimeUnavailable("Device 'torch' needs PyTorch: pip install 'unbraid[train]'.") from None


def load_module(geometry: Geometry, tensors: dict[str, np.ndarray]) -> SepFormer | UNets:
    """The torch module of a geometry with these weights (widened to float32), ready to run."""
    module = SepFormer(geometry) if isinstance(geometry, SepFormerGeometry) else UNets(geometry)
    state = {name: torch.from_numpy(value.astype(np.float32)) for name, value in tensors.items()}
    counters = {name: value for name, value in module.state_dict().items() if name.endswith("num_batches_tracked")}
    module.load_state_dict(state | counters)
    return module.eval()


class EagerExecutor:
    """The torch module of a model folder, on CUDA when torch has it, else on the CPU."""

    def __init__(self, spec: ModelSpec, folder: Path, threads: int | None = None):
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.reason = "torch was asked for"
        if threads:
            torch.set_num_threads(threads)
        self._module = load_module(spec.geometry, read_weights(folder / "model.safetensors")).to(self.device)
        self._output = "sources" if spec.family == "sepformer" else "magnitudes"

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """One pass through the network."""
        (value,) = inputs.values()
        with torch.inference_mode():
            return {self._output: self._module(torch.from_numpy(value).to(self.device)).cpu().numpy()}

    def close(self) -> None:
        """Free the module."""
        self.__dict__.pop("_module", None)
