"""A step of a decoder that takes several symbols at once, as its graph does it (graph/prompted.py)."""

from torch import Tensor, cat

from unbraid.models.audio_transformer.network.model import AudioTransformer
from unbraid.models.layers.attention import padding_mask


def prompted_step(module: AudioTransformer, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """M symbols of each of B rows, which are equally many of each of I items: the graph's outputs by name."""
    symbols, lengths = inputs["symbols"], inputs["lengths"]  # (B, M), (I,)
    layers, rows = range(module.geometry.decoder_layers), len(symbols) // len(lengths)

    def pairs(kind: str, times: int) -> list[tuple[Tensor, Tensor]]:
        """Keys and values of each layer, those of an item for each of its rows."""
        names = [[f"{kind}_{name}_{i}" for name in ("keys", "values")] for i in layers]
        return [(inputs[k].repeat_interleave(times, 0), inputs[v].repeat_interleave(times, 0)) for k, v in names]

    mask = padding_mask(lengths.repeat_interleave(rows), inputs["cross_keys_0"].shape[2])
    weights: list[Tensor] = []  # of each layer, (B, H, M, N)
    x, kept = module.decoder(module.back.embed(symbols), pairs("self", 1), pairs("cross", rows), mask, weights)
    chosen = cat([weights[i][:, inputs[f"heads_{i}"]] for i in layers], dim=1)  # (B, A, M, N)
    split = chosen.view(len(lengths), rows, *chosen.shape[1:]).transpose(1, 2)  # (I, A, B/I, M, N)
    outputs = {"logits": module.back(x[:, -1]), "alignment": split.flatten(2, 3)}
    for i, (keys, values) in enumerate(kept):
        outputs |= {f"new_self_keys_{i}": keys, f"new_self_values_{i}": values}
    return outputs
