"""The families of networks that the program knows."""

from unbraid.models.audio_transformer.config import AudioTransformerConfig
from unbraid.models.band_split.config import BandSplitConfig
from unbraid.models.sepformer.config import SepFormerConfig
from unbraid.models.unet.config import UNetConfig
from unbraid.models.wav2vec2.config import Wav2Vec2Config

Config = SepFormerConfig | BandSplitConfig | UNetConfig | AudioTransformerConfig | Wav2Vec2Config
