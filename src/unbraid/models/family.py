"""The families of networks: a line each in FAMILIES, a folder each in `models/`.

A family's folder has

    config.py    its sizes, a frozen dataclass over `models.config.Config`
    layout.py    tensor_shapes(config), signature(config, part), OPERATORS: the weights file and the graphs
    graph.py     build(config, tensors, location, part): an ONNX graph; needs onnx
    network.py   build(config): the torch module; outputs(module, part, inputs): as the graph of that part; needs torch

Modules are loaded when they are used, so that this table knows every family and imports none. Apart from the line here,
a family is an importer, if others publish checkpoints of it, and entries in the catalogue.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, cast

from unbraid.models.config import Config
from unbraid.models.shapes import Shapes

if TYPE_CHECKING:
    from unbraid.models.signatures import Signature  # which needs NumPy

Front = Literal["waveform", "spectrogram", "complex spectrogram", "waveform and spectrogram"]
Part = Literal["config", "layout", "graph", "network"]
WEIGHTS_FILES = {"float32": "model.safetensors", "float16": "model.safetensors", "int8": "model.int8.safetensors"}


@dataclass(frozen=True)
class Family:
    """Where a family of networks is, and what is common to all of them."""

    module: str
    config: str  # name of the class in MODULE.config
    front: Front | None = None  # what the networks that separate see

    def load(self, part: Part) -> Any:
        """A module of the family."""
        return import_module(f"{self.module}.{part}")

    def config_type(self) -> type[Config]:
        """The class of its sizes."""
        return getattr(self.load("config"), self.config)


FAMILIES = {
    "sepformer": Family("unbraid.models.sepformer", "SepFormerConfig", "waveform"),
    "resepformer": Family("unbraid.models.resepformer", "ResepformerConfig", "waveform"),
    "mossformer2": Family("unbraid.models.mossformer2", "MossFormer2Config", "waveform"),
    "conv_tasnet": Family("unbraid.models.conv_tasnet", "ConvTasNetConfig", "waveform"),
    "band_split": Family("unbraid.models.band_split", "BandSplitConfig", "waveform"),
    "causal_lstm": Family("unbraid.models.causal_lstm", "CausalLSTMConfig", "waveform"),
    "unet": Family("unbraid.models.unet", "UNetConfig", "spectrogram"),
    "roformer": Family("unbraid.models.roformer", "RoformerConfig", "complex spectrogram"),
    "htdemucs": Family("unbraid.models.htdemucs", "HtdemucsConfig", "waveform and spectrogram"),
    "tiger": Family("unbraid.models.tiger", "TigerConfig", "complex spectrogram"),
    "audio_transformer": Family("unbraid.models.audio_transformer", "AudioTransformerConfig", "waveform"),
    "wav2vec2": Family("unbraid.models.wav2vec2", "Wav2Vec2Config"),
    "ecapa": Family("unbraid.models.ecapa", "EcapaConfig"),
    "campplus": Family("unbraid.models.campplus", "CampplusConfig"),
    "speaker_resnet": Family("unbraid.models.speaker_resnet", "SpeakerResnetConfig"),
    "xvector": Family("unbraid.models.xvector", "XvectorConfig"),
    "hifigan": Family("unbraid.models.hifigan", "HifiganConfig"),
    "speecht5": Family("unbraid.models.speecht5", "SpeechT5Config"),
    "basic_pitch": Family("unbraid.models.basic_pitch", "BasicPitchConfig"),
}


def family_of(config: Config) -> str:
    """The name of the family whose networks have such sizes; empty where it is not in the table."""
    place = (type(config).__module__, type(config).__name__)
    return next((name for name, family in FAMILIES.items() if place == (f"{family.module}.config", family.config)), "")


def module_of(config: Config, part: Part) -> Any:
    """A module of the family whose networks have such sizes: the one beside its config."""
    return import_module(type(config).__module__.removesuffix("config") + part)


def families_with(sizes: Iterable[str]) -> list[str]:
    """The families whose networks have sizes of all these names."""
    return [name for name, family in FAMILIES.items() if has_sizes(family.config_type(), sizes)]


def has_sizes(kind: type[Config], sizes: Iterable[str]) -> bool:
    """Whether a config has fields of all these names."""
    return set(sizes) <= {field.name for field in fields(cast(Any, kind))}


def tensor_shapes(config: Config) -> Shapes:
    """Name and shape of every weight of a network: those of its torch module's parameters and buffers."""
    shapes: Shapes = module_of(config, "layout").tensor_shapes(config)
    return dict(sorted(shapes.items()))


def signature(config: Config, part: str = "model") -> "Signature":
    """The inputs and outputs of one of a network's graphs (see `Config.graphs`)."""
    return module_of(config, "layout").signature(config, part)
