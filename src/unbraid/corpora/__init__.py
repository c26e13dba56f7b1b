"""Data sets on disk, in the published layouts.

Speech: mixtures to score and train on, speakers and noises to mix. Music: songs and the recordings of their parts.
"""

from unbraid.corpora.layouts import Wanted, find_mixtures, find_noises, find_speakers
from unbraid.corpora.mixtures import Clip, Mixture, read_clip, read_mixture
from unbraid.corpora.song_layouts import SONG_LAYOUTS, find_songs
from unbraid.corpora.songs import PARTS, Song, read_stereo, song_seconds, stems_of

__all__ = [
    "PARTS",
    "SONG_LAYOUTS",
    "Clip",
    "Mixture",
    "Song",
    "Wanted",
    "find_mixtures",
    "find_noises",
    "find_songs",
    "find_speakers",
    "read_clip",
    "read_mixture",
    "read_stereo",
    "song_seconds",
    "stems_of",
]
