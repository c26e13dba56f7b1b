"""The attention weights of an audio Transformer's layers, from one pass with a known target."""

from torch import Tensor, stack

from unbraid.models.audio_transformer.network.model import AudioTransformer
from unbraid.models.layers.attention import padding_mask


def attention_maps(
    module: AudioTransformer, source: Tensor, lengths: Tensor, target: Tensor | None = None
) -> dict[str, Tensor]:
    """Weights (L, B, H, M, N) by the names of the graph's outputs; the decoder's where there is a target (B, M, …)."""
    x = module.front(source, lengths)  # (B, N, D)
    mask, read = padding_mask(lengths, x.shape[1]), list[Tensor]()
    memory = module.encoder(x, mask, read)
    if target is None:
        return {"encoder_attention": stack(read)}
    d, own, cross = module.decoder, list[Tensor](), list[Tensor]()
    d(module.back.embed(target), d.empty_cache(memory), d.keys_values(memory), mask, cross, own)
    return {"encoder_attention": stack(read), "decoder_attention": stack(own), "cross_attention": stack(cross)}
