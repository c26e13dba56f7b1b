"""Signal processing in NumPy: arrays in, arrays out, nothing of the rest of the package."""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
ComplexArray = NDArray[np.complex64]
