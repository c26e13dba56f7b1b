"""The weights file and the graph of a causal LSTM: tensors, inputs and outputs, operators."""

import numpy as np

from unbraid.models.causal_lstm.config import CausalLSTMConfig
from unbraid.models.operators import COMMON, TRANSFORMER
from unbraid.models.shapes import Shapes, affine, linear
from unbraid.models.signatures import Signature

QUIETEST = 1e-10  # mean square of a stretch that counts as more than nothing
FLOOR = 1e-4  # power of a bin, where that of a sample is 1 on average, below which levels are no longer compressed
FADES = 4.0  # time constants of the running level within its frames
OPERATORS = COMMON | TRANSFORMER | {"Cos", "LSTM", "Mod", "Neg", "Pad", "ReduceSum", "Sigmoid", "Sin"}


def level_weights(frames: int) -> np.ndarray:
    """The share (L,) of each frame in the running power, the newest last: an exponential window."""
    weights = np.exp(-FADES / frames * np.arange(frames)[::-1])
    shares: np.ndarray = (weights / weights.sum()).astype(np.float32)
    return shares


def tensor_shapes(g: CausalLSTMConfig) -> Shapes:
    """Name and shape of every weight."""
    d = g.features
    shapes = affine("norm", d) | linear("inlet", d, g.kernel_frames * 3 * g.hop_samples)
    shapes |= linear("outlet", g.sources * g.filter_size * g.hop_samples, d)
    for block in (f"blocks.{i}" for i in range(g.blocks)):
        shapes |= affine(f"{block}.time.norm", d) | affine(f"{block}.feed.norm", d)
        shapes |= {f"{block}.time.weight_{part}": (4 * d, d) for part in ("input", "hidden")}
        shapes |= {f"{block}.time.bias": (8 * d,)}
        for part in ("gate", "value"):
            shapes |= linear(f"{block}.feed.{part}", g.hidden, d)
        shapes |= linear(f"{block}.feed.out", d, g.hidden)
    return shapes


def signature(g: CausalLSTMConfig, part: str = "model") -> Signature:
    """Whole hops of a batch of mixtures and a state in, sources (one hop late) and the next state out."""
    samples = f"n * {g.hop_samples}"
    return Signature(
        {"mixture": ["B", samples], "state": ["B", g.state_size]},
        {"sources": ["B", g.sources, samples], "state_out": ["B", g.state_size]},
    )
