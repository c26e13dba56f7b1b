"""The attention weights of an audio Transformer's layers, from one pass with a known target.

The layers run unchanged; beside each, its weights are computed once more from the same queries and keys.
"""

from collections.abc import Iterable
from typing import cast

from torch import Tensor, stack

from unbraid.models.audio_transformer.network.model import AudioTransformer
from unbraid.models.layers.attention import causal_mask, padding_mask
from unbraid.models.layers.transformer import DecoderLayer, EncoderLayer, TransformerDecoder, TransformerEncoder


def attention_maps(
    module: AudioTransformer, source: Tensor, lengths: Tensor, target: Tensor | None = None
) -> dict[str, Tensor]:
    """Weights (L, B, H, M, N) by the names of the graph's outputs; the decoder's where there is a target (B, M, …)."""
    x = module.front(source, lengths)  # (B, N, D)
    mask = padding_mask(lengths, x.shape[1])
    found = {"encoder_attention": _encoder(module.encoder, x, mask)}
    if target is not None:
        own, cross = _decoder(module.decoder, module.back.embed(target), module.encoder(x, mask), mask)
        found |= {"decoder_attention": own, "cross_attention": cross}
    return found


def _encoder(encoder: TransformerEncoder, x: Tensor, mask: Tensor) -> Tensor:
    x, angle = encoder.add_positions(x)
    found = []
    for layer in cast(Iterable[EncoderLayer], encoder.layers):
        q, keys, _ = layer.attention.project(layer.attention_norm(x), angle)
        found.append(layer.attention.weights(q, keys, mask))
        x = layer(x, mask, angle)
    return stack(found)


def _decoder(decoder: TransformerDecoder, x: Tensor, memory: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Self-attention (L, B, H, M, M) and cross-attention (L, B, H, M, N) of a target's embeddings (B, M, D)."""
    x, angle = decoder.add_positions(x)
    causal = causal_mask(x.shape[1], x.shape[1], x)
    own, cross = [], []
    layers = cast(Iterable[DecoderLayer], decoder.layers)
    for layer, nothing, above in zip(layers, decoder.empty_cache(memory), decoder.keys_values(memory), strict=True):
        q, keys, values = layer.self_attention.project(layer.self_norm(x), angle)
        own.append(layer.self_attention.weights(q, keys, causal))
        y = x + layer.self_attention.attend(q, (keys, values), causal)
        cross.append(layer.cross_attention.weights(layer.cross_attention.queries(layer.cross_norm(y)), above[0], mask))
        x, _ = layer(x, nothing, above, mask, angle)
    return stack(own), stack(cross)
