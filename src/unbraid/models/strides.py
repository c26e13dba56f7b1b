"""The product of the strides of several convolutions: samples or frames in a step."""

import math

from unbraid.errors import quoted

MOST_STRIDE = 1 << 20  # samples or frames in a step


def check_stride(strides: tuple[int, ...]) -> None:
    """Raise ValueError where a step would be longer than any model's."""
    if (product := math.prod(strides)) > MOST_STRIDE:
        raise ValueError(f"the product of strides must be at most {MOST_STRIDE}, got {quoted(product)}.")
