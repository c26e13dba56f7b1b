"""Several networks as one: each gives some of the outputs."""

from collections.abc import Sequence

import numpy as np

from unbraid.runtime.executor import Executor


class Bag:
    """Networks that hear the same inputs, in turn; their outputs (B, …) are joined along the second axis."""

    def __init__(self, networks: Sequence[Executor]):
        self._networks = tuple(networks)
        self.device, self.reason = networks[0].device, networks[0].reason

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """As `Executor.run`."""
        found = [network.run(inputs) for network in self._networks]
        return {name: np.concatenate([outputs[name] for outputs in found], 1) for name in found[0]}

    def close(self) -> None:
        """As `Executor.close`."""
        for network in self._networks:
            network.close()
