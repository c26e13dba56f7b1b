"""Write the graphs that ship with the package: `python -m unbraid.models.onnx src/unbraid/assets/graphs`."""

import sys
from pathlib import Path

from unbraid.models.audio_transformer.whisper import PUBLISHED as WHISPERS
from unbraid.models.basic_pitch.config import BasicPitchConfig
from unbraid.models.campplus.config import CampplusConfig
from unbraid.models.config import Config
from unbraid.models.ecapa.config import EcapaConfig
from unbraid.models.graph_files import graph_name, packed
from unbraid.models.hifigan.config import HifiganConfig
from unbraid.models.htdemucs.published import PUBLISHED as HTDEMUCS
from unbraid.models.mossformer2.config import MossFormer2Config
from unbraid.models.onnx.build import build_graph
from unbraid.models.resepformer.config import ResepformerConfig
from unbraid.models.roformer.published import PUBLISHED as ROFORMERS
from unbraid.models.sepformer.config import SepFormerConfig
from unbraid.models.speaker_resnet.config import SpeakerResnetConfig
from unbraid.models.speecht5.config import SpeechT5Config
from unbraid.models.tiger.published import PUBLISHED as TIGERS
from unbraid.models.unet.config import UNetConfig
from unbraid.models.wav2vec2.config import Wav2Vec2Config
from unbraid.models.xvector.config import XvectorConfig

PUBLISHED: tuple[Config, ...] = (
    *(SepFormerConfig(sources=sources) for sources in (1, 2, 3)),
    ResepformerConfig(),
    MossFormer2Config(),
    UNetConfig(stems=2),
    UNetConfig(stems=4, encoder_activation="elu", decoder_activation="elu"),
    UNetConfig(stems=5, encoder_activation="elu", decoder_activation="elu", output="softmax"),
    *ROFORMERS.values(),
    *HTDEMUCS.values(),
    *TIGERS.values(),
    Wav2Vec2Config(),
    Wav2Vec2Config(
        features=1024, heads=16, hidden=4096, layers=24, filter_bias=True, filter_norm="layer", pre_norm=True
    ),
    EcapaConfig(),
    CampplusConfig(),
    CampplusConfig(features=512),
    SpeakerResnetConfig(),
    XvectorConfig(),
    SpeechT5Config(),
    SpeechT5Config(source="waveform"),
    SpeechT5Config(source="waveform", target="text"),
    HifiganConfig(),
    HifiganConfig(kernels=(8,) * 4, strides=(4,) * 4, padding="zeros", edge_frames=0),
    *WHISPERS.values(),
    BasicPitchConfig(),
)


def dtypes_of(geometry: Config) -> tuple[str, ...]:
    """The types of weights that a published network is stored in: the larger Whispers come as float16."""
    half = ("float16",) if geometry in WHISPERS.values() else ()
    return ("float32", *half, *(("int8",) if geometry.has_int8 else ()))


def main(folder: Path) -> None:
    """Write every published geometry's graphs into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for geometry in PUBLISHED:
        for dtype in dtypes_of(geometry):
            for part in geometry.graphs:
                name = graph_name(geometry, dtype, part)
                (folder / name).write_bytes(packed(build_graph(geometry, dtype, part), name))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
