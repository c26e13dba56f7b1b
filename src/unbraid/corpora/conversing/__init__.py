"""Conversations drawn from recordings of single speakers: people take turns, pause and talk at once.

Who speaks when is known exactly, and so is the sound of each person, so that a separation of long recordings can be
scored. After LibriCSS (Chen et al., arXiv 2001.11482) and the simulated conversations of Landini et al. (arXiv
2204.00890). A conversation is a pure function of (seed, its number, the recordings, the settings).

    speakers = find_material(Path("speech"), "dev", Conversing(people=(2, 4)))
    for outcome in draw_conversations(speakers, Conversing(people=(2, 4)), Path("conversations/dev"), range(10)):
        ...
"""

from unbraid.corpora.conversing.material import Material, find_material
from unbraid.corpora.conversing.plan import Conversing
from unbraid.corpora.conversing.run import Outcome, draw_conversations

__all__ = ["Conversing", "Material", "Outcome", "draw_conversations", "find_material"]
