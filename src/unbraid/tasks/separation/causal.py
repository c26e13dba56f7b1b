"""A causal network on a stream: hops in, the stems of the hop before out, and a state that is kept between them."""

import numpy as np

from unbraid.dsp.arrays import Blocks, FloatArray
from unbraid.models.causal_lstm.config import CausalLSTMConfig
from unbraid.runtime.executor import Executor

HOPS_AT_ONCE = 64  # of a file: ten times as fast as one by one


class CausalStream:
    """Takes channels (C, T) through a causal network; the state is 0 before the first sample."""

    def __init__(self, executor: Executor, geometry: CausalLSTMConfig, channels: int):
        self._executor = executor
        self._state = np.zeros((channels, geometry.state_size), np.float32)

    def __call__(self, hops: FloatArray) -> FloatArray:
        """Whole hops (C, n·hop) -> stems (S, C, n·hop), one hop late."""
        made = self._executor.run({"mixture": np.ascontiguousarray(hops), "state": self._state})
        self._state = made["state_out"]
        return made["sources"].swapaxes(0, 1)


def causal_stems(executor: Executor, geometry: CausalLSTMConfig, blocks: Blocks) -> Blocks:
    """Stems (S, C, n) of blocks (C, n), in time with them, and of the same length in all."""
    hop, stream, taken, given = geometry.hop_samples, None, 0, -geometry.hop_samples
    rest: FloatArray = np.zeros((0, 0), np.float32)

    def late(hops: FloatArray) -> FloatArray:
        """The stems of hops without the silence before the first sample and behind the last."""
        nonlocal given
        assert stream is not None
        made = stream(hops)
        start, given = given, given + made.shape[-1]
        return made[..., max(0, -start) : made.shape[-1] - max(0, given - taken)]

    for block in blocks:
        if stream is None:
            stream, rest = CausalStream(executor, geometry, len(block)), np.zeros((len(block), 0), np.float32)
        taken += block.shape[1]
        rest = np.concatenate((rest, block), 1)
        while rest.shape[1] >= HOPS_AT_ONCE * hop:
            made, rest = late(rest[:, : HOPS_AT_ONCE * hop]), rest[:, HOPS_AT_ONCE * hop :]
            yield made
    if stream is not None:
        yield late(np.pad(rest, ((0, 0), (0, hop + -rest.shape[1] % hop))))
