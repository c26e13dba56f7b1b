"""SpeechBrain's HiFi-GAN folders, read without SpeechBrain or torch.

A published vocoder (`speechbrain/tts-hifigan-ljspeech`, `…-libritts-16kHz`, `…-libritts-22050Hz` on the Hugging Face
hub) is `hyperparams.yaml` and the state dict of its generator, `generator.ckpt`. The YAML (read as data, see
`hyperyaml`) gives the sizes, against which names and shapes of the tensors are checked both ways. It does not give the
sample rate, so this is known for the published ones, and for others the setting `sample_rate`.
Source: the files that speechbrain 0.5 to 1.1 write (lobes/models/HifiGAN.py, nnet/CNN.py, inference/vocoders.py).
"""

from pathlib import Path

import numpy as np

from unbraid.errors import ModelError
from unbraid.hub.importers.checkpoint import Checkpoint
from unbraid.hub.importers.hifigan import dilations_of, published_module, renamed, spec_of, with_frames
from unbraid.hub.importers.hyperyaml import read_settings, section
from unbraid.hub.importers.settings import Rules, Settings
from unbraid.hub.importers.torch_pickle import read_state_dict
from unbraid.models.hifigan.config import HifiganConfig

SETTINGS, WEIGHTS = "hyperparams.yaml", "generator.ckpt"
FILES = (SETTINGS, WEIGHTS)
GENERATOR = "generator"
RATES = {  # of the published ones, by the end of their names
    "tts-hifigan-ljspeech": 22050,
    "tts-hifigan-libritts-22050Hz": 22050,
    "tts-hifigan-libritts-16kHz": 16000,
}

MODULES = {  # ours, as a pattern: published; {block} is counted over all stages
    r"inlet": "conv_pre.conv",
    r"outlet": "conv_post.conv",
    r"stages\.(\d+)\.up": r"ups.\1.conv",
    r"stages\.\d+\.blocks\.\d+\.wide\.(\d+)": r"resblocks.{block}.convs1.\1.conv",
    r"stages\.\d+\.blocks\.\d+\.near\.(\d+)": r"resblocks.{block}.convs2.\1.conv",
}
RULES: Rules = {  # setting: (the peer's default, what our network has)
    "out_channels": (1, 1),
    "resblock_type": ("1", "1"),
    "cond_channels": (0, 0),
    "conv_post_bias": (True, True),
    "vocab_size": (0, 0),  # of units in place of a spectrogram
    "num_embeddings": (0, 0),
}


def is_checkpoint(folder: Path) -> bool:
    """Whether the folder looks like one of these."""
    return (folder / WEIGHTS).exists()


def read_checkpoint(folder: Path, name: str) -> Checkpoint:
    """Read a SpeechBrain HiFi-GAN folder.

    Raises:
        ModelError: a file is missing or damaged, the network is not a HiFi-GAN of spectrograms, its sample rate is not
            known, or a tensor does not fit.
    """
    if not (folder / SETTINGS).is_file():
        raise ModelError(f"{folder} has no {SETTINGS}; a SpeechBrain HiFi-GAN is {SETTINGS} and {WEIGHTS}.")
    settings = read_settings(folder / SETTINGS)
    generator = section(settings, GENERATOR, "a HiFi-GAN")
    generator.require(RULES)
    config, rate, path = _config(generator), _sample_rate(settings, folder, name), folder / WEIGHTS
    published = read_state_dict(path)
    published |= {"mean": np.zeros(config.bins, np.float32), "scale": np.ones(config.bins, np.float32)}
    tensors = renamed(published, config, path, lambda ours: published_module(ours, config, MODULES))
    official = name.startswith("speechbrain/")
    licence = "Apache-2.0" if official else "as stated by its publisher"
    provenance = f"A HiFi-GAN trained with SpeechBrain, imported from {name if official else folder.name}."
    return Checkpoint(tensors, spec_of(config, name, rate, "hifigan", licence, provenance))


def _config(settings: Settings) -> HifiganConfig:
    """The sizes that hyperparams.yaml gives."""
    kernels = settings.positives("resblock_kernel_sizes", ())
    edge = settings.get("inference_padding", 5)
    try:
        return with_frames(
            HifiganConfig(
                bins=settings.positive("in_channels"),
                width=settings.positive("upsample_initial_channel"),
                kernels=settings.positives("upsample_kernel_sizes", ()),
                strides=settings.positives("upsample_factors", ()),
                block_kernels=kernels,
                dilations=dilations_of(settings, "resblock_dilation_sizes", len(kernels)),
                edge_frames=edge,
            )
        )
    except ValueError as error:
        raise ModelError(f"{settings.path}: the sizes describe no network: {error}") from None


def _sample_rate(settings: Settings, folder: Path, name: str) -> int:
    """The sample rate, in Hz."""
    known = next((rate for end, rate in RATES.items() if end in (name.rpartition("/")[2], folder.name)), None)
    if known is None and settings.get("sample_rate") is None:
        raise ModelError(
            f"{settings.path} does not give the sample rate, and {folder.name} is not the name of a published model "
            f"({', '.join(RATES)}); add the line sample_rate: 22050, or what it was trained at."
        )
    return settings.positive("sample_rate", known)
