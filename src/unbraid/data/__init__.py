"""Mixtures for training: dynamic mixing in NumPy, and torch datasets whose items depend on (seed, position) alone."""

from unbraid.data.dataset import DynamicMixtures, FixedMixtures, Positions
from unbraid.data.mixing import Mixing, mix

__all__ = ["DynamicMixtures", "FixedMixtures", "Mixing", "Positions", "mix"]
