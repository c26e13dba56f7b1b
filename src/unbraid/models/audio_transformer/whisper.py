"""The sizes of Whisper (Radford et al., arXiv 2212.04356): spectrograms of 30 s to text in any language."""

from unbraid.models.audio_transformer.config import AudioTransformerConfig, SpectrogramSide, TextSide

STRIDES = (1, 2)  # of the convolutions over frames


def whisper_config(
    features: int,
    heads: int,
    layers: tuple[int, int],
    *,
    hidden: int | None = None,
    symbols: int = 51865,
    bins: int = 80,
    steps: tuple[int, int] = (1500, 448),
) -> AudioTransformerConfig:
    """A Whisper of so many layers of encoder and decoder, and steps that they read and write at most.

    Raises:
        ValueError: a size out of its range.
    """
    return AudioTransformerConfig(
        SpectrogramSide(bins, STRIDES),
        TextSide(symbols),
        features,
        heads,
        4 * features if hidden is None else hidden,
        *layers,
        positions="learned",
        activation="gelu",
        norm_eps=1e-5,
        source_steps=steps[0],
        target_steps=steps[1],
        tied=True,
    )


ENGLISH, LATEST = 51864, 51866  # tokens of models for English alone, and since version 3
PUBLISHED = {
    "tiny": whisper_config(384, 6, (4, 4)),
    "tiny.en": whisper_config(384, 6, (4, 4), symbols=ENGLISH),
    "base": whisper_config(512, 8, (6, 6)),
    "base.en": whisper_config(512, 8, (6, 6), symbols=ENGLISH),
    "small": whisper_config(768, 12, (12, 12)),
    "small.en": whisper_config(768, 12, (12, 12), symbols=ENGLISH),
    "medium": whisper_config(1024, 16, (24, 24)),
    "medium.en": whisper_config(1024, 16, (24, 24), symbols=ENGLISH),
    "large-v2": whisper_config(1280, 20, (32, 32)),
    "large-v3": whisper_config(1280, 20, (32, 32), symbols=LATEST, bins=128),
    "large-v3-turbo": whisper_config(1280, 20, (32, 4), symbols=LATEST, bins=128),
    "distil-small.en": whisper_config(768, 12, (12, 4), symbols=ENGLISH),
    "distil-medium.en": whisper_config(1024, 16, (24, 2), symbols=ENGLISH),
    "distil-large-v2": whisper_config(1280, 20, (32, 2)),
    "distil-large-v3": whisper_config(1280, 20, (32, 2), symbols=LATEST, bins=128),
}
