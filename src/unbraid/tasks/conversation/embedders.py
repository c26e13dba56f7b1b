"""The model of speaker embeddings that people are followed by where none is named: the best one on this machine.

CAM++ comes first, which counts and assigns people best on dev conversations (docs/conversations.md), then SpeechBrain's
ECAPA-TDNN, then the model in the package. A model is taken only if its spec says from which cosine on two pieces are of
one speaker.
"""

from unbraid.hub.names import entries
from unbraid.hub.spec import read_spec

BEST_FIRST = ("campplus", "ecapa")  # families


def best_embedder() -> str | None:
    """The name of the best model here that was pulled or imported; None: there is the one in the package only."""
    here = [entry for entry in entries() if entry.where == "cached" and entry.family in BEST_FIRST]
    known = [entry for entry in here if entry.folder and read_spec(entry.folder).same_speaker is not None]
    return min(known, key=lambda entry: (BEST_FIRST.index(entry.family), entry.name)).name if known else None
