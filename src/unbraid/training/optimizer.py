"""Muon for the matrices and AdamW for the rest, as one optimiser.

Muon (Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024; Liu et al., arXiv 2502.16982, for
the scale that lets AdamW's rate serve both) is defined for the matrices of hidden layers. Everything else, encoders,
decoders, embeddings, norms and biases, is trained by AdamW. Both are torch's own.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.optim import AdamW, Muon, Optimizer

from unbraid.errors import UsageError


def parted(model: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """The parameters of a network for Muon, and the rest.

    Raises:
        UsageError: one of both is empty.
    """
    tables = {module.weight for module in model.modules() if isinstance(module, nn.Embedding)}
    matrices = [p for p in model.parameters() if p.ndim == 2 and p not in tables]
    rest = [p for p in model.parameters() if p.ndim != 2 or p in tables]
    if not matrices or not rest:
        have = "no linear layers" if not matrices else "nothing else"
        raise UsageError(
            f"Muon is for the matrices of linear layers, AdamW for the rest, and this network has {have}; "
            "set optimizer.kind=adamw."
        )
    return matrices, rest


class MuonAndAdamW(Optimizer):
    """Both optimisers as one; it shares their parameter groups, and so their rates."""

    def __init__(self, model: nn.Module, lr: float, weight_decay: float):
        matrices, rest = parted(model)
        self.parts: tuple[Optimizer, ...] = (
            Muon(matrices, lr=lr, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw"),
            AdamW(rest, lr=lr, weight_decay=weight_decay),
        )
        super().__init__([group for part in self.parts for group in part.param_groups], {})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Step both optimisers."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for part in self.parts:
            part.step()
        return loss

    def state_dict(self) -> dict[str, Any]:
        """The states of both optimisers."""
        return {"parts": [part.state_dict() for part in self.parts]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the states of both optimisers."""
        for part, state in zip(self.parts, state_dict["parts"], strict=True):
            part.load_state_dict(state)
        self.param_groups = [group for part in self.parts for group in part.param_groups]
