"""Array types of signals."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
Blocks = Iterator[FloatArray]  # a stream in pieces
ComplexArray = NDArray[np.complex64]
