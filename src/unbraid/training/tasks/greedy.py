"""Greedy decoding of a network in training, a batch at a time; `unbraid.tasks.decoding` runs exported ones."""

from collections.abc import Callable

import torch
from torch import Tensor

from unbraid.models.audio_transformer.network.model import AudioTransformer

Follows = Tensor | tuple[Tensor, Tensor]  # logits (B, V) of a symbol, or frames (B, r·F) and stop logits (B,)
Choose = Callable[[Follows], tuple[Tensor, Tensor]]  # -> the step to be written (B, …), and whether it is the last (B,)


@torch.no_grad()
def decode(
    model: AudioTransformer, source: Tensor, lengths: Tensor, first: Tensor, choose: Choose, most_steps: int
) -> tuple[Tensor, Tensor]:
    """Write until all items of the batch have ended, or have so many steps.

    Args:
        model: with a decoder.
        source: the batch, padded, of these lengths (B,) in steps.
        first: given to the decoder before anything is written, (B, …).
        choose: the step to be written, given the network's output.
        most_steps: at least 1.

    Returns:
        The steps (B, M, …), and how many of them (B,) belong to each item, its last one included.
    """
    memory = model.prepare(source, lengths)  # each (L, B, H, N, D/H)
    past = memory[0][..., :0, :], memory[1][..., :0, :]
    counts, ended = torch.zeros_like(lengths), torch.zeros_like(lengths, dtype=torch.bool)
    written, steps = first, list[Tensor]()
    for _ in range(most_steps):
        follows, past = model.step(written, past, memory, lengths)
        written, is_last = choose(follows)
        steps.append(written)
        counts += ~ended
        ended |= is_last
        if ended.all():
            break
    return torch.stack(steps, 1), counts
