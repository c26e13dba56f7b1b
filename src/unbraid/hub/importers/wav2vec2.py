"""Wav2Vec2 and HuBERT folders as `transformers` publishes them, read without transformers or torch.

A published model (`facebook/wav2vec2-base-960h` on the Hugging Face hub, say) is config.json (sizes), vocab.json
(symbols, see `ctc_vocabulary`), preprocessor_config.json (rate) and the weights, as safetensors or by torch.save. Names
and shapes of the tensors are checked both ways. Three things change form: q, k and v become one projection, the weight
norm of the positions (Salimans and Kingma, arXiv 1602.07868) is worked out, w = g v / |v|, and the head's rows get the
order of our vocabulary.
Source: the files that transformers 4.0 to 5.23 write, and its models/wav2vec2 and models/hubert.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from unbraid.errors import ModelError, quoted, shortened
from unbraid.hub.importers.checkpoint import Checkpoint, as_weight, normed
from unbraid.hub.importers.ctc_vocabulary import SYMBOLS, Head, read_symbols
from unbraid.hub.importers.settings import Rules, Settings, read_json
from unbraid.hub.importers.torch_pickle import read_state_dict
from unbraid.hub.spec import ModelSpec, Vocabularies, Windows
from unbraid.models.family import tensor_shapes
from unbraid.models.shapes import Shapes
from unbraid.models.tensor_table import tensor_table
from unbraid.models.tensors import compare_shapes, open_weights, shapes_of
from unbraid.models.wav2vec2.config import Wav2Vec2Config
from unbraid.models.wav2vec2.layout import backbone_shapes

SETTINGS = "config.json"
SOUND = "preprocessor_config.json"
PROCESSOR = "processor_config.json"  # where the same is a section, since transformers 5
WEIGHTS = ("model.safetensors", "pytorch_model.bin")  # the first one that is there
FILES = f"{SETTINGS}, {SOUND}, {SYMBOLS} and {' or '.join(WEIGHTS)}"
HEADLESS_FILES = f"{SETTINGS}, {SOUND} and {' or '.join(WEIGHTS)}"
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
    parts = open_folder(folder, with_head=True)
    head = read_symbols(folder, parts.settings.positive("vocab_size", 32), parts.settings.get("pad_token_id"))
    geometry, kind = parts.geometry(len(head.symbols)), parts.kind
    spec = ModelSpec(
        name=name,
        family="wav2vec2",
        sample_rate=parts.sample_rate,
        channels=1,
        stems=(),
        geometry=geometry,
        licence="Apache-2.0" if name.startswith("facebook/") else "as stated by its publisher",
        provenance=f"A {KINDS[kind]} published for transformers, imported from {name if '/' in name else folder.name}.",
        windows=WINDOWS,
        vocabularies=Vocabularies((), head.symbols),
    )
    published = {k: v for k, v in read_tensors(parts.weights).items() if k.removeprefix(f"{kind}.") not in IGNORED}
    if f"{HEAD}.weight" not in published:
        raise _headless(folder, KINDS[kind])
    return Checkpoint(renamed(published, kind, geometry, head, parts.weights), spec)


@dataclass(frozen=True)
class Folder:
    """The parts of a published folder, but for the symbols."""

    settings: Settings
    sound: Settings  # of the input waveform
    weights: Path

    @property
    def kind(self) -> str:
        """One of KINDS."""
        return str(self.settings.get("model_type"))

    @property
    def sample_rate(self) -> int:
        """In Hz."""
        return self.sound.positive("sampling_rate", 16000)

    def geometry(self, symbols: int) -> Wav2Vec2Config:
        """The sizes that config.json gives.

        Raises:
            ModelError: a size is missing or invalid.
        """
        settings, default = self.settings, Wav2Vec2Config()
        norm = settings.get("feat_extract_norm", "group")
        if norm not in NORMS:
            raise settings.misfit("feat_extract_norm", norm, " or ".join(NORMS))
        try:
            return Wav2Vec2Config(
                symbols=symbols,
                features=settings.positive("hidden_size", default.features),
                heads=settings.positive("num_attention_heads", default.heads),
                hidden=settings.positive("intermediate_size", default.hidden),
                layers=settings.positive("num_hidden_layers", default.layers),
                filters=settings.positives("conv_dim", default.filters),
                kernels=settings.positives("conv_kernel", default.kernels),
                strides=settings.positives("conv_stride", default.strides),
                filter_bias=settings.flag("conv_bias", False),
                filter_norm="group" if norm == "group" else "layer",
                pre_norm=settings.flag("do_stable_layer_norm", False),
                project_norm=self.kind == "wav2vec2" or settings.flag("feat_proj_layer_norm", True),
                position_kernel=settings.positive("num_conv_pos_embeddings", default.position_kernel),
                position_groups=settings.positive("num_conv_pos_embedding_groups", default.position_groups),
                normalized=self.sound.flag("do_normalize", True),
            )
        except ValueError as error:
            raise ModelError(f"{settings.path}: the sizes describe no network: {error}") from None


def open_folder(folder: Path, *, with_head: bool) -> Folder:
    """Read the settings of a published folder, with a CTC head or without.

    Raises:
        ModelError: a file is missing or damaged, it is another network, or one without the head.
    """
    needed = f"with a CTC head is {FILES}" if with_head else f"is {HEADLESS_FILES}"

    def check(what: str, *choices: tuple[str, ...]) -> None:
        """Refuse a folder without one file of each choice."""
        for choice in choices:
            if not any((folder / file).is_file() for file in choice):
                raise ModelError(f"{folder} has no {choice[0]}; a {what} {needed}.")

    check(" or ".join(KINDS.values()), (SETTINGS,))
    settings = read_json(folder / SETTINGS)
    kind = settings.get("model_type")
    if not isinstance(kind, str) or kind not in KINDS:
        raise ModelError(
            f"{settings.path}: model_type is {quoted(kind)}; networks of transformers that can be imported are "
            f"{' and '.join(KINDS)}."
        )
    settings.require(RULES)
    trained = settings.get("architectures", [])
    if with_head and isinstance(trained, list) and trained and not any(str(a).endswith("ForCTC") for a in trained):
        raise _headless(folder, shortened(str(trained[0])))
    check(KINDS[kind], (SOUND, PROCESSOR), *([(SYMBOLS,)] if with_head else ()), WEIGHTS)
    return Folder(settings, _read_sound(folder), next(folder / file for file in WEIGHTS if (folder / file).is_file()))


def _read_sound(folder: Path) -> Settings:
    """The settings of the input waveform, checked against those that our network supports."""
    if (folder / SOUND).is_file():
        sound = read_json(folder / SOUND)
    else:
        whole = read_json(folder / PROCESSOR)
        sound = whole.within(whole.get("feature_extractor"))
    sound.require(SOUND_RULES)
    return sound


def _headless(folder: Path, what: str) -> ModelError:
    return ModelError(
        f"{folder} is a {what} without a CTC head, so it writes no text; import one that was fine-tuned to do so "
        "(Wav2Vec2ForCTC or HubertForCTC)."
    )


def published_shapes(geometry: Wav2Vec2Config, head: Head | None, prefix: str, norm: tuple[str, str]) -> Shapes:
    """Name and shape of every tensor that a published network of this geometry has, with such a head or without."""
    shapes: Shapes = {}
    if head:
        shapes |= {f"{HEAD}.weight": (head.outputs, geometry.features), f"{HEAD}.bias": (head.outputs,)}
    for ours, shape in backbone_shapes(geometry).items():
        names = _published_names(ours, prefix, norm)
        if ours == POSITION:
            shapes |= dict(zip(names, ((1, 1, geometry.position_kernel), shape), strict=True))
        else:
            shapes |= dict.fromkeys(names, (shape[0] // len(names), *shape[1:]))
    return shapes


def published_name(ours: str, prefix: str) -> str:
    """The published name of a tensor that is the same in both."""
    module, _, tensor = ours.rpartition(".")
    matches = ((re.fullmatch(pattern, module), theirs) for pattern, theirs in MODULES.items())
    found = next(match.expand(theirs) for match, theirs in matches if match)
    return f"{prefix}.{found}.{tensor}"


def _published_names(ours: str, prefix: str, norm: tuple[str, str]) -> list[str]:
    """The published names of the tensors that one of ours is made of: of two for the positions, of q, k and v."""
    if ours.startswith("symbols."):
        return [ours.replace("symbols", HEAD)]
    if ours == POSITION:
        return [published_name(POSITION, prefix).removesuffix("weight") + part for part in norm]
    if ".in_proj." in ours:
        out = published_name(ours.replace("in_proj", "out_proj"), prefix)
        return [out.replace("out_proj", f"{p}_proj") for p in "qkv"]
    return [published_name(ours, prefix)]


def renamed(
    published: dict[str, np.ndarray], prefix: str, geometry: Wav2Vec2Config, head: Head | None, path: Path
) -> dict[str, np.ndarray]:
    """The tensors under our names and in our layouts; without a head, those of the backbone."""
    norm = next((n for n in WEIGHT_NORMS if _published_names(POSITION, prefix, n)[0] in published), WEIGHT_NORMS[0])
    compare_shapes(shapes_of(published), published_shapes(geometry, head, prefix, norm), str(path))
    tensors = {}
    for ours in tensor_shapes(geometry) if head else backbone_shapes(geometry):
        names = _published_names(ours, prefix, norm)
        parts = [as_weight(published[name], name, str(path)) for name in names]
        if ours == POSITION:
            what = "the weight norm of the positions"  # (1, 1, K) and (D, D/G, K): each step of the kernel has its own
            tensors[ours] = normed(parts[0], parts[1], (0, 1), what, path)
        elif head and ours.startswith("symbols."):
            tensors[ours] = _permuted(parts[0], head, NO_SYMBOL if ours.endswith("bias") else 0.0)
        else:
            tensors[ours] = np.concatenate(parts) if len(parts) > 1 else parts[0]
    return tensors


def _permuted(rows: np.ndarray, head: Head, missing: float) -> np.ndarray:
    """Rows of the published head in the order of our symbols; `missing` for symbols that it does not have."""
    ours = np.full((len(head.rows), *rows.shape[1:]), missing, np.float32)
    for k, row in enumerate(head.rows):
        if row is not None:
            ours[k] = rows[row]
    return ours


def read_tensors(path: Path) -> Mapping[str, np.ndarray]:
    """The weights, by their published names; those of safetensors are read one at a time.

    Raises:
        ModelError: the weights are unreadable, or of a type that NumPy lacks.
    """
    if path.name == WEIGHTS[1]:
        return read_state_dict(path)
    types = {tensor.dtype for tensor in tensor_table(path).values()}
    if foreign := sorted(kind for kind in types if kind.startswith(FOREIGN)):
        raise ModelError(f"{path} holds {foreign[0]}, a type that NumPy lacks; save it as float32 or float16.")
    return open_weights(path)
