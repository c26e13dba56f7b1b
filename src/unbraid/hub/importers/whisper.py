"""Whisper folders as `transformers` publishes them, read without transformers or torch.

A published model (`openai/whisper-base` on the Hugging Face hub, say, or a distilled one) is config.json (sizes),
preprocessor_config.json (the spectrogram), generation_config.json and the tokenizer (see `whisper_tokens`), and the
weights as safetensors or by torch.save, in one file or several. Names and shapes of the tensors are checked both ways.
Weights of float16 stay float16, and those in safetensors are read one tensor at a time.
Two things change form, and the network with them computes the same: q, k and v become one projection, in which the
keys' bias is 0, as they have none, and the second convolution's kernel gets one more frame, of zeros.
Source: the files that transformers 4.23 to 5.24 write, and its models/whisper.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from unbraid.dsp.framing import Mel, Windows
from unbraid.errors import ModelError, quoted
from unbraid.hub.importers.checkpoint import Checkpoint, as_weight
from unbraid.hub.importers.settings import Rules, Settings, read_json, states_model_type
from unbraid.hub.importers.wav2vec2 import SETTINGS, SOUND, WEIGHTS, read_tensors
from unbraid.hub.importers.whisper_tokens import GENERATION, MERGES, SYMBOLS, WHOLE, read_tokens
from unbraid.hub.spec import ModelSpec
from unbraid.hub.tokens import FILE, written_tokens
from unbraid.models.audio_transformer.config import AudioTransformerConfig, SpectrogramSide
from unbraid.models.audio_transformer.whisper import whisper_config
from unbraid.models.family import tensor_shapes
from unbraid.models.shapes import Shapes
from unbraid.models.tensors import LazyTensors, compare_shapes, types_of

FILES = f"{SETTINGS}, {SOUND}, {GENERATION}, {WHOLE} (or {SYMBOLS} and {MERGES}) and {' or '.join(WEIGHTS)}"
PARTS = tuple(f"{file}.index.json" for file in WEIGHTS)  # the tables of weights in several files
MOST_PARTS = 64
FRAME, HOP, RATE = 400, 160, 16000
RULES: Rules = {  # setting: (the peer's default, what our network has)
    "model_type": (None, "whisper"),
    "activation_function": ("gelu", "gelu"),
    "scale_embedding": (False, False),
    "tie_word_embeddings": (True, True),
}
SOUND_RULES: Rules = {
    "feature_extractor_type": ("WhisperFeatureExtractor", "WhisperFeatureExtractor"),
    "n_fft": (FRAME, FRAME),
    "hop_length": (HOP, HOP),
    "sampling_rate": (RATE, RATE),
    "dither": (0.0, 0.0),
}
MODULES = {  # ours: published, behind the prefix; \1 is a part of the network, \2 a layer
    r"front\.convs\.0": "encoder.conv1",
    r"front\.convs\.1": "encoder.conv2",
    r"back\.embedding": "decoder.embed_tokens",
    r"(encoder|decoder)\.norm": r"\1.layer_norm",
    r"(encoder|decoder)\.layers\.(\d+)\.(?:attention|self)_norm": r"\1.layers.\2.self_attn_layer_norm",
    r"(encoder|decoder)\.layers\.(\d+)\.cross_norm": r"\1.layers.\2.encoder_attn_layer_norm",
    r"(encoder|decoder)\.layers\.(\d+)\.(?:attention|self_attention)\.out_proj": r"\1.layers.\2.self_attn.out_proj",
    r"(encoder|decoder)\.layers\.(\d+)\.cross_attention\.out_proj": r"\1.layers.\2.encoder_attn.out_proj",
    r"(encoder|decoder)\.layers\.(\d+)\.feed_in": r"\1.layers.\2.fc1",
    r"(encoder|decoder)\.layers\.(\d+)\.feed_out": r"\1.layers.\2.fc2",
    r"(encoder|decoder)\.layers\.(\d+)\.feed_norm": r"\1.layers.\2.final_layer_norm",
}
PREFIX, TIED = "model.", "proj_out.weight"  # the latter is the table of embeddings again
KERNEL = "front.convs.1.weight"


def is_checkpoint(folder: Path) -> bool:
    """Whether the folder's config.json says that it is a Whisper."""
    return states_model_type(folder / SETTINGS, "whisper")


def read_checkpoint(folder: Path, name: str) -> Checkpoint:
    """Read a Whisper folder.

    Raises:
        ModelError: a file is missing or damaged, it is another network, or a tensor does not fit.
    """
    settings = read_json(folder / SETTINGS)
    settings.require(RULES)
    if not (folder / SOUND).is_file():
        raise ModelError(f"{folder} has no {SOUND}; a Whisper is {FILES}.")
    sound = read_json(folder / SOUND)
    sound.require(SOUND_RULES)
    geometry = geometry_of(settings)
    frames, bins = _check_sound(sound, geometry)
    tokens, texts = read_tokens(folder, settings)
    spec = ModelSpec(
        name=name,
        family="audio_transformer",
        sample_rate=RATE,
        channels=1,
        stems=(),
        geometry=geometry,
        licence="MIT" if name.startswith(("openai/", "distil-whisper/")) else "as stated by its publisher",
        provenance=f"A Whisper published for transformers, imported from {name if '/' in name else folder.name}.",
        windows=Windows(seconds=frames * HOP / RATE, overlap_seconds=0.0),
        mel=Mel(FRAME, HOP, bins, form="whisper"),
        tokens=tokens,
    )
    tensors = _renamed(read_parts(folder), geometry, folder)
    return Checkpoint(tensors, spec, {FILE: written_tokens(texts)}, tensors.types[KERNEL][0])


def geometry_of(settings: Settings) -> AudioTransformerConfig:
    """The sizes that config.json gives.

    Raises:
        ModelError: a size is missing or invalid.
    """
    heads = settings.positive("encoder_attention_heads", 4), settings.positive("decoder_attention_heads", 4)
    hidden = settings.positive("encoder_ffn_dim", 1536), settings.positive("decoder_ffn_dim", 1536)
    for what, (first, second) in {"attention heads": heads, "ffn_dim": hidden}.items():
        if first != second:
            raise ModelError(
                f"{settings.path}: encoder and decoder have {first} and {second} {what}; in a network that can be "
                "imported they are the same."
            )
    try:
        return whisper_config(
            settings.positive("d_model", 384),
            heads[0],
            (settings.positive("encoder_layers", 4), settings.positive("decoder_layers", 4)),
            hidden=hidden[0],
            symbols=settings.positive("vocab_size", 51865),
            bins=settings.positive("num_mel_bins", 80),
            steps=(settings.positive("max_source_positions", 1500), settings.positive("max_target_positions", 448)),
        )
    except ValueError as error:
        raise ModelError(f"{settings.path}: the sizes describe no network: {error}") from None


def _check_sound(sound: Settings, geometry: AudioTransformerConfig) -> tuple[int, int]:
    """Compare the spectrogram with the network; returns its frames and bands."""
    assert isinstance(geometry.source, SpectrogramSide)
    frames, bins = geometry.source.stride * geometry.source_steps, geometry.source.bins
    if (seconds := sound.positive("chunk_length", 30)) * RATE != frames * HOP:
        raise ModelError(f"{sound.path}: windows are {seconds} s, but the network reads {frames * HOP / RATE:g} s.")
    if (found := sound.positive("feature_size", 80)) != bins:
        raise ModelError(f"{sound.path}: spectrograms have {found} bands, but the network reads {bins}.")
    return frames, bins


def read_parts(folder: Path) -> Mapping[str, np.ndarray]:
    """The weights, by their published names, from one file or all files of a table.

    Raises:
        ModelError: a file is missing, unreadable, or of a type that NumPy lacks.
    """
    for file, table in zip(WEIGHTS, PARTS, strict=True):
        if (folder / file).is_file():
            return read_tensors(folder / file)
        if (folder / table).is_file():
            return _read_table(folder / table)
    raise ModelError(f"{folder} has no {WEIGHTS[0]}; a Whisper is {FILES}.")


def _read_table(table: Path) -> Mapping[str, np.ndarray]:
    """The tensors of all files that a table names."""
    places = read_json(table).get("weight_map")
    if not isinstance(places, dict) or not all(isinstance(file, str) for file in places.values()):
        raise ModelError(f"{table} has no weight_map of tensors and their files.")
    files = sorted(set(places.values()))
    if len(files) > MOST_PARTS:
        raise ModelError(f"{table} names {len(files)} files; at most {MOST_PARTS} are read.")
    parts: dict[str, Mapping[str, np.ndarray]] = {}  # of each tensor
    for file in files:
        if Path(file).name != file or not file.endswith((".safetensors", ".bin")):
            raise ModelError(f"{table} names {quoted(file)}, which is no file of weights in this folder.")
        if not (table.parent / file).is_file():
            raise ModelError(f"{table.parent} has no {quoted(file)}, which {table.name} names; download it, too.")
        part = read_tensors(table.parent / file)
        parts |= dict.fromkeys(part, part)
    types = {name: types_of(part)[name] for name, part in parts.items()}
    return LazyTensors(types, lambda name: parts[name][name])


def published_name(ours: str) -> str:
    """The published name of a tensor that is the same in both."""
    if ours.endswith(".positions_table"):
        return PREFIX + ours.replace("positions_table", "embed_positions.weight")
    module, _, tensor = ours.rpartition(".")
    matches = ((re.fullmatch(pattern, module), theirs) for pattern, theirs in MODULES.items())
    found = next(match.expand(theirs) for match, theirs in matches if match)
    return f"{PREFIX}{found}.{tensor}"


def _names(ours: str) -> list[str]:
    """The published names of the tensors that one of ours is made of: of q, k and v, but keys have no bias."""
    if ".in_proj." not in ours:
        return [published_name(ours)]
    out = published_name(ours.replace("in_proj", "out_proj"))
    return [out.replace("out_proj", f"{part}_proj") for part in ("qkv" if ours.endswith("weight") else "qv")]


def published_shapes(geometry: AudioTransformerConfig) -> Shapes:
    """Name and shape of every tensor that a published network of this geometry has."""
    shapes: Shapes = {}
    for ours, shape in tensor_shapes(geometry).items():
        names, size = _names(ours), shape
        if ".in_proj." in ours:
            size = (shape[0] // 3, *shape[1:])
        elif ours == KERNEL:
            size = (*shape[:2], shape[2] - 1)
        shapes |= dict.fromkeys(names, size)
    return shapes


def _renamed(published: Mapping[str, np.ndarray], geometry: AudioTransformerConfig, folder: Path) -> LazyTensors:
    """The tensors under our names and in our layouts: float16 if all are, else float32."""
    types = {name: kind for name, kind in types_of(published).items() if name != TIED}
    compare_shapes({name: shape for name, (_, shape) in types.items()}, published_shapes(geometry), str(folder))
    dtype = "float16" if all(kind == "float16" for kind, _ in types.values()) else "float32"

    def renamed(ours: str) -> np.ndarray:
        parts = [as_weight(published[name], name, str(folder), dtype) for name in _names(ours)]
        if len(parts) == 2:
            parts.insert(1, np.zeros_like(parts[0]))
        tensor = np.concatenate(parts) if len(parts) > 1 else parts[0]
        return np.pad(tensor, ((0, 0), (0, 0), (0, 1))) if ours == KERNEL else tensor

    return LazyTensors({ours: (dtype, shape) for ours, shape in tensor_shapes(geometry).items()}, renamed)
