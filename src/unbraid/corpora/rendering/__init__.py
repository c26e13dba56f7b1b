"""Rendered songs for training: MIDI played by SoundFonts and drum kits, with voices that sing by WORLD.

After Slakh2100 (Manilow et al., WASPAA 2019, arXiv 1909.08494): a song is rendered part by part, so that its stems
are known exactly. Networks need variety above all, so instruments, keys, tempi, balance and voices are drawn for
every song. A song is a pure function of (seed, its number, the material).

    stock = find_stock(material, "train")
    for outcome in render_songs(stock, Rendering(seconds=30), Path("songs/train"), range(300), workers=2):
        ...
"""

from unbraid.corpora.rendering.digits import speak_digits
from unbraid.corpora.rendering.phrases import speak_phrases
from unbraid.corpora.rendering.plan import Rendering
from unbraid.corpora.rendering.run import Outcome, render_songs
from unbraid.corpora.rendering.speech import speak
from unbraid.corpora.rendering.stock import Material, Stock, find_stock

__all__ = [
    "Material",
    "Outcome",
    "Rendering",
    "Stock",
    "find_stock",
    "render_songs",
    "speak",
    "speak_digits",
    "speak_phrases",
]
