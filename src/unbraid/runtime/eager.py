"""The torch modules as an engine, for research and parity tests; the only run-side file that needs torch."""

from pathlib import Path

import numpy as np

from unbraid.errors import RuntimeUnavailable
from unbraid.hub.graphs import ATTENTION, source_name
from unbraid.hub.spec import ModelSpec
from unbraid.models.audio_transformer.config import AudioTransformerConfig, TextSide, WaveSide
from unbraid.models.band_split.config import BandSplitConfig
from unbraid.models.family import Config
from unbraid.models.sepformer.config import SepFormerConfig
from unbraid.models.tensors import read_weights
from unbraid.models.wav2vec2.config import Wav2Vec2Config

try:
    import torch

    from unbraid.models.audio_transformer.network.attention_maps import attention_maps
    from unbraid.models.audio_transformer.network.model import AudioTransformer
    from unbraid.models.band_split.network import BandSplit
    from unbraid.models.sepformer.network import SepFormer
    from unbraid.models.unet.network import UNets
    from unbraid.models.wav2vec2.network import Wav2Vec2
except ImportError:
    raise RuntimeUnavailable("Device 'torch' needs PyTorch: pip install 'unbraid[train]'.") from None

Network = SepFormer | BandSplit | UNets | AudioTransformer | Wav2Vec2


def load_module(geometry: Config, tensors: dict[str, np.ndarray]) -> Network:
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


def _empty_module(geometry: Config) -> Network:
    if isinstance(geometry, AudioTransformerConfig):
        return AudioTransformer(geometry)
    if isinstance(geometry, Wav2Vec2Config):
        return Wav2Vec2(geometry)
    if isinstance(geometry, BandSplitConfig):
        return BandSplit(geometry)
    return SepFormer(geometry) if isinstance(geometry, SepFormerConfig) else UNets(geometry)


def _outputs(module: Network, graph: str, inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The outputs of the ONNX graph of that name, by the same names."""
    if isinstance(module, AudioTransformer):
        return _transformed(module, graph, inputs)
    (value,) = inputs.values()
    if isinstance(module, Wav2Vec2):
        return {"logits": module(value)}
    return {"sources" if isinstance(module, SepFormer | BandSplit) else "magnitudes": module(value)}


def _transformed(module: AudioTransformer, graph: str, inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The outputs of an audio Transformer's graphs."""
    if graph == "post":
        return {"refined": module.back.refine(inputs["log_mel"])}
    if graph == "decoder":
        return _step(module, inputs)
    source, lengths = inputs[source_name(module.geometry.source)], inputs["lengths"]
    if graph == ATTENTION:
        maps = attention_maps(module, source, lengths, inputs.get("target"))
        return {name: weights[:, 0] for name, weights in maps.items()}  # (L, H, M, N): it is one item
    if graph == "model":
        name = "waveform_out" if isinstance(module.geometry.target, WaveSide) else "log_mel_out"
        return {name: module.convert(source, lengths)}
    memory = module.encode(source, lengths)
    keys, values = module.cross_keys_values(memory)
    asked = {"cross_keys": keys, "cross_values": values}
    return asked | ({"ctc_logits": module.ctc(memory)} if module.geometry.ctc else {})


def _step(module: AudioTransformer, inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    past, memory = ((inputs[f"{kind}_keys"], inputs[f"{kind}_values"]) for kind in ("self", "cross"))
    written = inputs["symbols" if isinstance(module.geometry.target, TextSide) else "frames"]
    follows, (keys, values) = module.step(written, past, memory, inputs["lengths"])
    named = {"logits": follows} if isinstance(follows, torch.Tensor) else {"new_frames": follows[0], "stop": follows[1]}
    return {**named, "new_self_keys": keys, "new_self_values": values}
