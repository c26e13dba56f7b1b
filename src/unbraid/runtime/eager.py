"""The torch modules themselves as an engine, for research and for parity; the one run-side file that needs torch."""

from pathlib import Path

import numpy as np

from unbraid.errors import RuntimeUnavailable
from unbraid.geometry import AudioTransformerGeometry, Geometry, SepFormerGeometry
from unbraid.spec import ModelSpec
from unbraid.weights import read_weights

try:
    import torch

    from unbraid.models.audio_transformer import AudioTransformer
    from unbraid.models.sepformer import SepFormer
    from unbraid.models.unet import UNets
except ImportError:
    raise RuntimeUnavailable("Device 'torch' needs PyTorch: pip install 'unbraid[train]'.") from None

Network = SepFormer | UNets | AudioTransformer


def load_module(geometry: Geometry, tensors: dict[str, np.ndarray]) -> Network:
    """The torch module of a geometry with these weights (widened to float32), ready to run."""
    module = _empty_module(geometry)
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
        self._graph = graph

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """One pass through the network."""
        tensors = {name: torch.from_numpy(value).to(self.device) for name, value in inputs.items()}
        with torch.inference_mode():
            return {name: value.cpu().numpy() for name, value in _outputs(self._module, self._graph, tensors).items()}

    def close(self) -> None:
        """Free the module."""
        self.__dict__.pop("_module", None)


def _empty_module(geometry: Geometry) -> Network:
    if isinstance(geometry, AudioTransformerGeometry):
        return AudioTransformer(geometry)
    return SepFormer(geometry) if isinstance(geometry, SepFormerGeometry) else UNets(geometry)


def _outputs(module: Network, graph: str, inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """What the ONNX graph of that name returns, by the same names."""
    if isinstance(module, AudioTransformer) and graph == "encoder":
        keys, values = module.prepare(inputs["symbols"], inputs["lengths"])
        return {"cross_keys": keys, "cross_values": values}
    if isinstance(module, AudioTransformer):
        past, memory = ((inputs[f"{kind}_keys"], inputs[f"{kind}_values"]) for kind in ("self", "cross"))
        logits, (keys, values) = module.step(inputs["symbols"], past, memory, inputs["lengths"])
        return {"logits": logits, "new_self_keys": keys, "new_self_values": values}
    (value,) = inputs.values()
    return {"sources" if isinstance(module, SepFormer) else "magnitudes": module(value)}
