"""What a folder of speech holds: mixtures to score and train on, speakers and noises to mix, in every known layout."""

from unbraid.corpora.layouts import Wanted, find_mixtures, find_noises, find_speakers
from unbraid.corpora.mixtures import Clip, Mixture, read_clip, read_mixture

__all__ = [
    "Clip",
    "Mixture",
    "Wanted",
    "find_mixtures",
    "find_noises",
    "find_speakers",
    "read_clip",
    "read_mixture",
]
