"""Wav2Vec2 and HuBERT folders as `transformers` publishes them, read without transformers or torch.

A published model (`facebook/wav2vec2-base-960h` on the Hugging Face hub, say) is config.json (sizes), vocab.json
(symbols, see `ctc_vocabulary`), preprocessor_config.json (rate) and the weights, as safetensors or by torch.save. Names
and shapes of the tensors are checked both ways. Three things change form: q, k and v become one projection, the weight
norm of the positions (Salimans and Kingma, arXiv 1602.07868) is worked out, w = g v / |v|, and the head's rows get the
order of our vocabulary.
Source: the files that transformers 4.0 to 5.23 write, and its models/wav2vec2 and models/hubert.
"""

import re
from pathlib import Path

import numpy as np

from unbraid.errors import ModelError, quoted, shortened
from unbraid.hub.importers.checkpoint import Checkpoint, as_weight, finish, shapes_of
from unbraid.hub.importers.ctc_vocabulary import SYMBOLS, Head, read_symbols
from unbraid.hub.importers.hyperyaml import Rules, Settings
from unbraid.hub.importers.json_settings import read_json
from unbraid.hub.importers.torch_pickle import read_state_dict
from unbraid.hub.spec import ModelSpec, Vocabularies, Windows
from unbraid.models.family import tensor_shapes
from unbraid.models.shapes import Shapes
from unbraid.models.tensor_table import tensor_table
from unbraid.models.tensors import compare_shapes, read_weights
from unbraid.models.wav2vec2.config import Wav2Vec2Config
from unbraid.models.wav2vec2.layout import backbone_shapes

SETTINGS = "config.json"
SOUND = "preprocessor_config.json"
PROCESSOR = "processor_config.json"  # where the same is a section, since transformers 5
WEIGHTS = ("model.safetensors", "pytorch_model.bin")  # the first one that is there
FILES = f"{SETTINGS}, {SOUND}, {SYMBOLS} and {' or '.join(WEIGHTS)}"
KINDS = {"wav2vec2": "Wav2Vec2", "hubert": "HuBERT"}  # model_type, which is also the prefix of names: for people
WINDOWS = Windows(seconds=20.0, overlap_seconds=4.0)

RULES: Rules = {  # setting: (the peer's default, what our network has)
    "hidden_act": ("gelu", "gelu"),
    "feat_extract_activation": ("gelu", "gelu"),
    "layer_norm_eps": (1e-5, 1e-5),
    "add_adapter": (False, False),
    "adapter_attn_dim": (None, None),
    "conv_pos_batch_norm": (False, False),
}
SOUND_RULES: Rules = {
    "feature_extractor_type": ("Wav2Vec2FeatureExtractor", "Wav2Vec2FeatureExtractor"),
    "feature_size": (1, 1),
}
NORMS = ("group", "layer")

MODULES = {  # ours: published, behind the prefix; \1 is a convolution or a layer
    r"front\.convolutions\.(\d+)": r"feature_extractor.conv_layers.\1.conv",
    r"front\.norms\.(\d+)": r"feature_extractor.conv_layers.\1.layer_norm",
    r"front\.project_norm": "feature_projection.layer_norm",
    r"front\.project": "feature_projection.projection",
    r"encoder\.norm": "encoder.layer_norm",
    r"encoder\.position": "encoder.pos_conv_embed.conv",
    r"encoder\.layers\.(\d+)\.attention\.out_proj": r"encoder.layers.\1.attention.out_proj",
    r"encoder\.layers\.(\d+)\.attention_norm": r"encoder.layers.\1.layer_norm",
    r"encoder\.layers\.(\d+)\.feed_in": r"encoder.layers.\1.feed_forward.intermediate_dense",
    r"encoder\.layers\.(\d+)\.feed_out": r"encoder.layers.\1.feed_forward.output_dense",
    r"encoder\.layers\.(\d+)\.feed_norm": r"encoder.layers.\1.final_layer_norm",
}
POSITION = "encoder.position.weight"
WEIGHT_NORMS = (("weight_g", "weight_v"), ("parametrizations.weight.original0", "parametrizations.weight.original1"))
HEAD = "lm_head"
FOREIGN = ("BF", "F8", "F6", "F4")  # safetensors' names for small floats
IGNORED = ("masked_spec_embed",)  # of pre-training
NO_SYMBOL = -1e4  # the bias of a symbol that the head does not know: never the likeliest, and a number in float16


def is_checkpoint(folder: Path) -> bool:
    """Whether the folder looks like one of transformers'."""
    return any((folder / file).exists() for file in (SETTINGS, *WEIGHTS))


def read_checkpoint(folder: Path, name: str) -> Checkpoint:
    """Read a Wav2Vec2 or HuBERT folder.

    Raises:
        ModelError: a file is missing or damaged, it is another network or one without a CTC head, or a tensor does not
            fit.
    """
    settings = read_settings(folder)
    kind = settings.get("model_type")
    architectures = settings.get("architectures", [])
    if isinstance(architectures, list) and architectures and not any(str(a).endswith("ForCTC") for a in architectures):
        raise _headless(folder, shortened(str(architectures[0])))
    for choice in ((SOUND, PROCESSOR), (SYMBOLS,), WEIGHTS):
        if not any((folder / file).is_file() for file in choice):
            raise ModelError(f"{folder} has no {choice[0]}; a {KINDS[kind]} with a CTC head is {FILES}.")
    weights = next(folder / file for file in WEIGHTS if (folder / file).is_file())
    sound = read_sound(folder)
    head = read_symbols(folder, settings.positive("vocab_size", 32), settings.get("pad_token_id"))
    geometry = geometry_of(settings, len(head.symbols), flag(sound, "do_normalize", True))
    spec = ModelSpec(
        name=name,
        family="wav2vec2",
        sample_rate=sound.positive("sampling_rate", 16000),
        channels=1,
        stems=(),
        geometry=geometry,
        licence="Apache-2.0" if name.startswith("facebook/") else "as stated by its publisher",
        provenance=f"A {KINDS[kind]} published for transformers, imported from {name if '/' in name else folder.name}.",
        windows=WINDOWS,
        vocabularies=Vocabularies((), head.symbols),
    )
    published = {k: v for k, v in read_tensors(weights).items() if k.removeprefix(f"{kind}.") not in IGNORED}
    if f"{HEAD}.weight" not in published:
        raise _headless(folder, KINDS[kind])
    return finish(renamed(published, kind, geometry, head, weights), spec, str(folder))


def published_shapes(geometry: Wav2Vec2Config, head: Head | None, prefix: str, norm: tuple[str, str]) -> Shapes:
    """Name and shape of every tensor that a published network of this geometry has, with such a head or without."""
    shapes: Shapes = {}
    if head:
        shapes |= {f"{HEAD}.weight": (head.outputs, geometry.features), f"{HEAD}.bias": (head.outputs,)}
    for ours, shape in backbone_shapes(geometry).items():
        if ours == POSITION:
            shapes |= dict(zip(_position_names(prefix, norm), ((1, 1, geometry.position_kernel), shape), strict=True))
        elif ".in_proj." in ours:
            shapes |= dict.fromkeys(_projections(ours, prefix), (geometry.features, *shape[1:]))
        else:
            shapes[published_name(ours, prefix)] = shape
    return shapes


def published_name(ours: str, prefix: str) -> str:
    """The published name of a tensor that is the same in both."""
    module, _, tensor = ours.rpartition(".")
    matches = ((re.fullmatch(pattern, module), theirs) for pattern, theirs in MODULES.items())
    found = next(match.expand(theirs) for match, theirs in matches if match)
    return f"{prefix}.{found}.{tensor}"


def _position_names(prefix: str, norm: tuple[str, str]) -> tuple[str, str]:
    stem = published_name(POSITION, prefix).removesuffix("weight")
    return f"{stem}{norm[0]}", f"{stem}{norm[1]}"


def _projections(ours: str, prefix: str) -> list[str]:
    """Published names of q, k and v."""
    return [published_name(ours.replace("in_proj", "out_proj"), prefix).replace("out_proj", f"{p}_proj") for p in "qkv"]


def renamed(
    published: dict[str, np.ndarray], prefix: str, geometry: Wav2Vec2Config, head: Head | None, path: Path
) -> dict[str, np.ndarray]:
    """The tensors under our names and in our layouts; without a head, those of the trunk."""
    norm = next((n for n in WEIGHT_NORMS if _position_names(prefix, n)[0] in published), WEIGHT_NORMS[0])
    compare_shapes(shapes_of(published), published_shapes(geometry, head, prefix, norm), str(path))

    def take(name: str) -> np.ndarray:
        return as_weight(published[name], name, str(path))

    tensors = {}
    for ours in tensor_shapes(geometry) if head else backbone_shapes(geometry):
        if ours == POSITION:
            g, v = (take(name) for name in _position_names(prefix, norm))
            tensors[ours] = _normed(g, v, path)
        elif ".in_proj." in ours:
            tensors[ours] = np.concatenate([take(name) for name in _projections(ours, prefix)])
        elif head and ours.startswith("symbols."):
            rows = take(ours.replace("symbols", HEAD))
            tensors[ours] = _permuted(rows, head, NO_SYMBOL if ours.endswith("bias") else 0.0)
        else:
            tensors[ours] = take(published_name(ours, prefix))
    return tensors


def _normed(g: np.ndarray, v: np.ndarray, path: Path) -> np.ndarray:
    """The weight (D, D/G, K) of lengths g (1, 1, K) and directions v (D, D/G, K): each step of the kernel has its own.

    The length of a direction is a sum of many squares, taken in float64.
    """
    length = np.sqrt(np.square(v, dtype=np.float64).sum((0, 1), keepdims=True))
    if not length.all():
        raise ModelError(
            f"{path}: the weight norm of the positions has a direction of length 0; the checkpoint is damaged."
        )
    return np.ascontiguousarray(v * (g / length), dtype=np.float32)


def _permuted(rows: np.ndarray, head: Head, missing: float) -> np.ndarray:
    """Rows of the published head in the order of our symbols; `missing` for symbols that it does not have."""
    ours = np.full((len(head.rows), *rows.shape[1:]), missing, np.float32)
    for k, row in enumerate(head.rows):
        if row is not None:
            ours[k] = rows[row]
    return ours


def read_settings(folder: Path) -> Settings:
    """config.json, when it is that of a network that can be imported.

    Raises:
        ModelError: the file is missing, or describes another network.
    """
    if not (folder / SETTINGS).is_file():
        raise ModelError(f"{folder} has no {SETTINGS}; a Wav2Vec2 or HuBERT with a CTC head is {FILES}.")
    settings = read_json(folder / SETTINGS)
    kind = settings.get("model_type")
    if not isinstance(kind, str) or kind not in KINDS:
        raise ModelError(
            f"{settings.path}: model_type is {quoted(kind)}; networks of transformers that can be imported are "
            f"{' and '.join(KINDS)}."
        )
    settings.require(RULES)
    return settings


def read_sound(folder: Path) -> Settings:
    """The settings of the input waveform, checked against those that our network supports."""
    if (folder / SOUND).is_file():
        sound = read_json(folder / SOUND)
    else:
        whole = read_json(folder / PROCESSOR)
        section = whole.get("feature_extractor", {})
        sound = Settings(whole.path, whole.root, section if isinstance(section, dict) else {})
    sound.require(SOUND_RULES)
    return sound


def _headless(folder: Path, what: str) -> ModelError:
    return ModelError(
        f"{folder} is a {what} without a CTC head, so it writes no text; import one that was fine-tuned to do so "
        "(Wav2Vec2ForCTC or HubertForCTC)."
    )


def geometry_of(settings: Settings, symbols: int, normalized: bool) -> Wav2Vec2Config:
    """The sizes that config.json gives.

    Raises:
        ModelError: a size is missing or invalid.
    """
    norm = settings.get("feat_extract_norm", "group")
    if norm not in NORMS:
        raise ModelError(f"{settings.path}: feat_extract_norm is {quoted(norm)}, expected {' or '.join(NORMS)}.")
    default = Wav2Vec2Config()
    try:
        return Wav2Vec2Config(
            symbols=symbols,
            features=settings.positive("hidden_size", default.features),
            heads=settings.positive("num_attention_heads", default.heads),
            hidden=settings.positive("intermediate_size", default.hidden),
            layers=settings.positive("num_hidden_layers", default.layers),
            filters=_sizes(settings, "conv_dim", default.filters),
            kernels=_sizes(settings, "conv_kernel", default.kernels),
            strides=_sizes(settings, "conv_stride", default.strides),
            filter_bias=flag(settings, "conv_bias", False),
            filter_norm="group" if norm == "group" else "layer",
            pre_norm=flag(settings, "do_stable_layer_norm", False),
            project_norm=settings.get("model_type") == "wav2vec2" or flag(settings, "feat_proj_layer_norm", True),
            position_kernel=settings.positive("num_conv_pos_embeddings", default.position_kernel),
            position_groups=settings.positive("num_conv_pos_embedding_groups", default.position_groups),
            normalized=normalized,
        )
    except ValueError as error:
        raise ModelError(f"{settings.path}: the sizes describe no network: {error}") from None


def _sizes(settings: Settings, key: str, default: tuple[int, ...]) -> tuple[int, ...]:
    values = settings.get(key, list(default))
    if not isinstance(values, list) or not values or not all(type(value) is int and value > 0 for value in values):
        raise ModelError(f"{settings.path}: {key} is {quoted(values)}, expected a list of whole numbers above zero.")
    return tuple(values)


def flag(settings: Settings, key: str, default: bool) -> bool:
    """A setting that is true or false."""
    if not isinstance(value := settings.get(key, default), bool):
        raise ModelError(f"{settings.path}: {key} is {quoted(value)}, expected true or false.")
    return value


def read_tensors(path: Path) -> dict[str, np.ndarray]:
    """The weights, by their published names.

    Raises:
        ModelError: the weights are unreadable, or of a type that NumPy lacks.
    """
    if path.name == WEIGHTS[1]:
        return read_state_dict(path)
    types = {tensor.dtype for tensor in tensor_table(path).values()}
    if foreign := sorted(kind for kind in types if kind.startswith(FOREIGN)):
        raise ModelError(f"{path} holds {foreign[0]}, a type that NumPy lacks; save it as float32 or float16.")
    return read_weights(path)
