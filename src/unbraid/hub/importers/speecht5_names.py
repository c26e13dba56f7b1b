"""The tensors of a SpeechT5 under the names that `transformers` gives them, and their shapes there.

Three things have another form: q, k and v are projections of their own, the batch norms of the post-net stand behind
their convolutions, and the long convolution over steps has its weight norm.
"""

import re

from unbraid.hub.importers.wav2vec2 import POSITION
from unbraid.models.family import tensor_shapes
from unbraid.models.shapes import COUNTER, Shapes
from unbraid.models.speecht5.config import SpeechT5Config

MODULES = {  # ours, as a pattern: published; \1 is a part of the network, \2 a layer
    r"front\.embedding": "speecht5.encoder.prenet.embed_tokens",
    r"front\.convolutions\.(\d+)": r"speecht5.encoder.prenet.feature_encoder.conv_layers.\1.conv",
    r"front\.norms\.(\d+)": r"speecht5.encoder.prenet.feature_encoder.conv_layers.\1.layer_norm",
    r"front\.project_norm": "speecht5.encoder.prenet.feature_projection.layer_norm",
    r"front\.project": "speecht5.encoder.prenet.feature_projection.projection",
    r"encoder\.position": "speecht5.encoder.prenet.pos_conv_embed.conv",
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
    r"symbols": "speecht5.decoder.prenet.embed_tokens",
    r"frames": "speech_decoder_postnet.feat_out",
    r"stop": "speech_decoder_postnet.prob_out",
}
SCALES = {
    "front.scale": "speecht5.encoder.prenet.encode_positions.alpha",
    "prenet.scale": "speecht5.decoder.prenet.encode_positions.alpha",
}
POST = re.compile(r"post\.(\d+)\.(weight|bias)")
NORM = ("weight", "bias", "running_mean", "running_var")
TIED = "text_decoder_postnet.lm_head.weight"  # the last layer, a copy of the table of symbols; it may be absent
IGNORED = (  # ends of names: positions, which a formula gives, a counter, and a mask of the training
    ".encode_positions.pe",
    ".pos_sinusoidal_embed.weights",
    ".embed_positions.weights",
    ".masked_spec_embed",
    COUNTER,
)


def published_names(ours: str, norm: tuple[str, str]) -> list[str]:
    """The published names of the tensors that one of ours is made of; `norm` names the two of a weight norm."""
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
    if ours == POSITION:
        return [f"{name}.{part}" for part in norm]
    if module.endswith("in_proj"):
        return [f"{name.replace('out_proj', f'{part}_proj')}.{tensor}" for part in "qkv"]
    return [f"{name}.{tensor}"]


def published_shapes(geometry: SpeechT5Config, norm: tuple[str, str]) -> Shapes:
    """Name and shape of every tensor that a published network of this geometry has."""
    shapes: Shapes = {}
    for ours, shape in tensor_shapes(geometry).items():
        names = published_names(ours, norm)
        if ours in SCALES:
            shapes[names[0]] = ()
        elif ours == POSITION:
            shapes |= {names[0]: (1, 1, geometry.position_kernel), names[1]: shape}
        elif POST.fullmatch(ours):
            if ours.endswith("weight"):
                shapes |= {names[0]: shape} | dict.fromkeys(names[1:], shape[:1])
        else:
            shapes |= dict.fromkeys(names, (shape[0] // len(names), *shape[1:]))
    return shapes
