"""Mixtures for training: drawn in NumPy, and torch datasets whose items depend on (seed, position) alone."""

from unbraid.data.dataset import DynamicMixtures, FixedMixtures, Positions
from unbraid.data.mixing import Mixing, mix
from unbraid.data.remixing import Remixing
from unbraid.data.songs import SongCrops, SongPieces

__all__ = ["DynamicMixtures", "FixedMixtures", "Mixing", "Positions", "Remixing", "SongCrops", "SongPieces", "mix"]
