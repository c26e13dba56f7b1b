"""SpeechT5 folders for text to speech as `transformers` publishes them, read without transformers or torch.

A published model (`microsoft/speecht5_tts` on the Hugging Face hub) is config.json (sizes), spm_char.model (symbols,
see `sentencepiece`), preprocessor_config.json (the spectrogram; it may be absent) and the weights, as safetensors or by
torch.save. Names and shapes of the tensors are checked both ways. Three things change form: q, k and v become one
projection, the batch norms of the post-net become part of their convolutions, and the rows of the embedding get the
order of our vocabulary.
Source: the files that transformers 4.27 to 5.24 write, and its models/speecht5.
"""

import re
from pathlib import Path

import numpy as np

from unbraid.dsp.framing import Mel
from unbraid.errors import ModelError, quoted, shortened
from unbraid.hub.importers.checkpoint import Checkpoint, as_weight
from unbraid.hub.importers.sentencepiece import read_characters
from unbraid.hub.importers.settings import Rules, Settings, read_json, states_model_type
from unbraid.hub.importers.wav2vec2 import SETTINGS, SOUND, WEIGHTS, read_tensors
from unbraid.hub.spec import ModelSpec, Vocabularies
from unbraid.hub.vocabulary import SPECIAL
from unbraid.models.family import tensor_shapes
from unbraid.models.shapes import BATCH_NORM_EPS, COUNTER, Shapes
from unbraid.models.speecht5.config import SpeechT5Config
from unbraid.models.tensors import compare_shapes, shapes_of

SYMBOLS = "spm_char.model"
FILES = f"{SETTINGS}, {SYMBOLS} and {' or '.join(WEIGHTS)}"
TASK = "SpeechT5ForTextToSpeech"
RATE, FRAME, HOP = 16000, 1024, 256
RULES: Rules = {  # setting: (the peer's default, what our network has)
    "hidden_act": ("gelu", "gelu"),
    "speech_decoder_prenet_layers": (2, 2),
    "speech_decoder_prenet_dropout": (0.5, 0.5),
    "bos_token_id": (0, 0),
    "pad_token_id": (1, 1),
    "eos_token_id": (2, 2),
}
SOUND_RULES: Rules = {
    "sampling_rate": (RATE, RATE),
    "win_length": (64, 64),  # ms
    "hop_length": (16, 16),
    "win_function": ("hann_window", "hann_window"),
    "fmin": (80, 80),
    "fmax": (7600, 7600),
    "mel_floor": (1e-10, 1e-10),
}
SPECIAL_ROWS = (1, 0, 2, 3)  # of the published embedding: padding, the start and the end of a text, unknown symbols

MODULES = {  # ours, as a pattern: published; \1 is a part of the network, \2 a layer
    r"front\.embedding": "speecht5.encoder.prenet.embed_tokens",
    r"encoder\.norm": "speecht5.encoder.wrapped_encoder.layer_norm",
    r"encoder\.distances": "speecht5.encoder.wrapped_encoder.embed_positions.pe_k",
    r"encoder\.layers\.(\d+)\.attention_norm": r"speecht5.encoder.wrapped_encoder.layers.\1.layer_norm",
    r"encoder\.layers\.(\d+)\.attention\.out_proj": r"speecht5.encoder.wrapped_encoder.layers.\1.attention.out_proj",
    r"decoder\.layers\.(\d+)\.self_norm": r"speecht5.decoder.wrapped_decoder.layers.\1.self_attn_layer_norm",
    r"decoder\.layers\.(\d+)\.cross_norm": r"speecht5.decoder.wrapped_decoder.layers.\1.encoder_attn_layer_norm",
    r"decoder\.layers\.(\d+)\.self_attention\.out_proj": (
        r"speecht5.decoder.wrapped_decoder.layers.\1.self_attn.out_proj"
    ),
    r"decoder\.layers\.(\d+)\.cross_attention\.out_proj": (
        r"speecht5.decoder.wrapped_decoder.layers.\1.encoder_attn.out_proj"
    ),
    r"(encoder|decoder)\.layers\.(\d+)\.feed_in": (r"speecht5.\1.wrapped_\1.layers.\2.feed_forward.intermediate_dense"),
    r"(encoder|decoder)\.layers\.(\d+)\.feed_out": r"speecht5.\1.wrapped_\1.layers.\2.feed_forward.output_dense",
    r"(encoder|decoder)\.layers\.(\d+)\.feed_norm": r"speecht5.\1.wrapped_\1.layers.\2.final_layer_norm",
    r"prenet\.layers\.(\d+)": r"speecht5.decoder.prenet.layers.\1",
    r"prenet\.project": "speecht5.decoder.prenet.final_layer",
    r"prenet\.speaker": "speecht5.decoder.prenet.speaker_embeds_layer",
    r"frames": "speech_decoder_postnet.feat_out",
    r"stop": "speech_decoder_postnet.prob_out",
}
SCALES = {
    "front.scale": "speecht5.encoder.prenet.encode_positions.alpha",
    "prenet.scale": "speecht5.decoder.prenet.encode_positions.alpha",
}
POST = re.compile(r"post\.(\d+)\.(weight|bias)")
NORM = ("weight", "bias", "running_mean", "running_var")
IGNORED = (".encode_positions.pe", COUNTER)  # ends of names: positions, which a formula gives, and a counter


def is_checkpoint(folder: Path) -> bool:
    """Whether the folder's config.json says that it is a SpeechT5."""
    return states_model_type(folder / SETTINGS, "speecht5")


def read_checkpoint(folder: Path, name: str) -> Checkpoint:
    """Read a SpeechT5 folder.

    Raises:
        ModelError: a file is missing or damaged, it is another network, or a tensor does not fit.
    """
    settings = read_json(folder / SETTINGS)
    trained = settings.get("architectures", [TASK])
    if not isinstance(trained, list) or TASK not in trained:
        found = shortened(str(trained[0])) if isinstance(trained, list) and trained else quoted(trained)
        raise ModelError(f"{folder} is a {found}; of SpeechT5, only {TASK} can be imported.")
    settings.require(RULES)
    if (folder / SOUND).is_file():
        read_json(folder / SOUND).require(SOUND_RULES)
    weights = next((folder / file for file in WEIGHTS if (folder / file).is_file()), None)
    if not (folder / SYMBOLS).is_file() or weights is None:
        missing = WEIGHTS[0] if (folder / SYMBOLS).is_file() else SYMBOLS
        raise ModelError(f"{folder} has no {missing}; a SpeechT5 for text to speech is {FILES}.")
    geometry = _config(settings)
    published = {k: v for k, v in read_tensors(weights).items() if not k.endswith(IGNORED)}
    spec = ModelSpec(
        name=name,
        family="speecht5",
        sample_rate=RATE,
        channels=1,
        stems=(),
        geometry=geometry,
        licence="MIT" if name.startswith("microsoft/") else "as stated by its publisher",
        provenance=f"A SpeechT5 published for transformers, imported from {name if '/' in name else folder.name}.",
        vocabularies=_vocabularies(folder / SYMBOLS, geometry.symbols),
        mel=Mel(FRAME, HOP, geometry.bins, form="speecht5"),
    )
    return Checkpoint(_renamed(published, geometry, weights), spec)


def _config(settings: Settings) -> SpeechT5Config:
    """The sizes that config.json gives."""
    sizes = {
        what: tuple(settings.positive(f"{part}_{what}", default) for part in ("encoder", "decoder"))
        for what, default in (("attention_heads", 12), ("ffn_dim", 3072))
    }
    for what, (first, second) in sizes.items():
        if first != second:
            raise ModelError(
                f"{settings.path}: encoder and decoder have {first} and {second} {what}; in a network that can be "
                "imported they are the same."
            )
    eps = settings.get("layer_norm_eps", 1e-5)
    try:
        return SpeechT5Config(
            symbols=settings.positive("vocab_size", 81),
            features=settings.positive("hidden_size", 768),
            heads=sizes["attention_heads"][0],
            hidden=sizes["ffn_dim"][0],
            encoder_layers=settings.positive("encoder_layers", 12),
            decoder_layers=settings.positive("decoder_layers", 6),
            relative_steps=settings.positive("encoder_max_relative_position", 160),
            bins=settings.positive("num_mel_bins", 80),
            stride=settings.positive("reduction_factor", 2),
            prenet=settings.positive("speech_decoder_prenet_units", 256),
            speaker=settings.positive("speaker_embedding_dim", 512),
            post_layers=settings.positive("speech_decoder_postnet_layers", 5),
            post_width=settings.positive("speech_decoder_postnet_units", 256),
            post_kernel=settings.positive("speech_decoder_postnet_kernel", 5),
            norm_eps=eps,
        )
    except ValueError as error:
        raise ModelError(f"{settings.path}: the sizes describe no network: {error}") from None


def _vocabularies(path: Path, count: int) -> Vocabularies:
    """The symbols in the order of our rows; rows without a piece, of added tokens, are named by their numbers."""
    pieces = read_characters(path)
    texts = list(pieces)
    special = [number for number, is_character in enumerate(pieces.values()) if not is_character]
    if len(texts) > count or special[:4] != [0, 1, 2, 3]:
        raise ModelError(
            f"{path} has {len(texts)} pieces, of which the special ones are the numbers "
            f"{', '.join(map(str, special)) or 'none'}; the network has {count} symbols, of which the first four are "
            "special."
        )
    try:
        return Vocabularies((*SPECIAL, *texts[4:], *(f"<{number}>" for number in range(len(texts), count))), ())
    except ValueError as error:
        raise ModelError(f"{path} holds no vocabulary: {error}") from None


def published_names(ours: str) -> list[str]:
    """The published names of the tensors that one of ours is made of."""
    if ours in SCALES:
        return [SCALES[ours]]
    if match := POST.fullmatch(ours):
        layer = f"speech_decoder_postnet.layers.{match[1]}"
        return [f"{layer}.conv.weight", *(f"{layer}.batch_norm.{part}" for part in NORM)]
    module, _, tensor = ours.rpartition(".")
    matches = (
        (re.fullmatch(pattern, module.replace("in_proj", "out_proj")), name) for pattern, name in MODULES.items()
    )
    name = next(match.expand(theirs) for match, theirs in matches if match)
    if module.endswith("in_proj"):
        return [f"{name.replace('out_proj', f'{part}_proj')}.{tensor}" for part in "qkv"]
    return [f"{name}.{tensor}"]


def published_shapes(geometry: SpeechT5Config) -> Shapes:
    """Name and shape of every tensor that a published network of this geometry has."""
    shapes: Shapes = {}
    for ours, shape in tensor_shapes(geometry).items():
        names = published_names(ours)
        if ours in SCALES:
            shapes[names[0]] = ()
        elif POST.fullmatch(ours):
            if ours.endswith("weight"):
                shapes |= {names[0]: shape} | dict.fromkeys(names[1:], shape[:1])
        else:
            shapes |= dict.fromkeys(names, (shape[0] // len(names), *shape[1:]))
    return shapes


def _renamed(published: dict[str, np.ndarray], geometry: SpeechT5Config, path: Path) -> dict[str, np.ndarray]:
    """The tensors under our names and in our layouts."""
    compare_shapes(shapes_of(published), published_shapes(geometry), str(path))
    tensors = {}
    for ours, shape in tensor_shapes(geometry).items():
        parts = [as_weight(published[name], name, str(path)) for name in published_names(ours)]
        if match := POST.fullmatch(ours):
            tensors[ours] = _folded(*parts)[match[2] == "bias"]
        elif ours == "front.embedding.weight":
            tensors[ours] = np.concatenate((parts[0][list(SPECIAL_ROWS)], parts[0][len(SPECIAL_ROWS) :]))
        else:
            tensors[ours] = np.concatenate(parts) if len(parts) > 1 else parts[0].reshape(shape)
    return tensors


def _folded(
    kernel: np.ndarray, weight: np.ndarray, bias: np.ndarray, mean: np.ndarray, variance: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Weight and bias of a convolution without bias and the batch norm behind it."""
    gain = weight.astype(np.float64) / np.sqrt(np.maximum(variance, 0).astype(np.float64) + BATCH_NORM_EPS)
    folded = kernel * gain[:, None, None], bias - mean * gain
    return np.ascontiguousarray(folded[0], np.float32), folded[1].astype(np.float32)
