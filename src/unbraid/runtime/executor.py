"""The seam between the program and its engines: an Executor runs a network on arrays and knows nothing else."""

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

Precision = Literal["float32", "int8"]


@dataclass(frozen=True)
class Engine:
    """How networks are run."""

    device: str = "auto"  # or torch (the eager modules, if it is installed), or ONNX Runtime's: cpu, cuda, …
    precision: Precision = "float32"
    threads: int | None = None  # of the CPU; None, and at most: as many as this process may use


class Executor(Protocol):
    """A loaded network."""

    device: str  # "cpu", "cuda", …
    reason: str  # why that device, for people

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """One pass through the network, arrays by name: float32, and int64 where they count something."""
        ...

    def close(self) -> None:
        """Free the network; the executor is of no use afterwards."""
        ...
