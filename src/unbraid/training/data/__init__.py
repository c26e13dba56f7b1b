"""Mixtures for training: drawn in NumPy, and torch datasets whose items depend on (seed, position) alone."""

from unbraid.training.data.dataset import DynamicMixtures, FixedMixtures
from unbraid.training.data.mixing import Mixing, mix
from unbraid.training.data.remixing import Remixing
from unbraid.training.data.songs import SongCrops, SongPieces

__all__ = ["DynamicMixtures", "FixedMixtures", "Mixing", "Remixing", "SongCrops", "SongPieces", "mix"]
