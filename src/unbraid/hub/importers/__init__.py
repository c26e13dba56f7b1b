"""Published checkpoints, read without torch or TensorFlow.

The layout is found by content: SpeechBrain's folders of ECAPA-TDNNs (`speechbrain_ecapa`) and SepFormers
(`speechbrain`), Spleeter's (`spleeter`), and the Wav2Vec2 and HuBERT folders of transformers (`wav2vec2`).
"""

from pathlib import Path

from unbraid.errors import ModelError, ModelNotFound
from unbraid.hub.importers import speechbrain, speechbrain_ecapa, spleeter, wav2vec2
from unbraid.hub.importers.checkpoint import Checkpoint

__all__ = ["Checkpoint", "read_checkpoint"]

LAYOUTS = (
    f"a SpeechBrain SepFormer ({', '.join(speechbrain.FILES)}) or ECAPA-TDNN ({', '.join(speechbrain_ecapa.FILES)}), a "
    f"Spleeter model ({spleeter.LAYOUT}) or a Wav2Vec2 or HuBERT with a CTC head ({wav2vec2.FILES})"
)


def read_checkpoint(folder: Path, name: str) -> Checkpoint:
    """Read a published checkpoint; `name` is the name of the imported model.

    Raises:
        ModelError: there is no such folder, or no published layout in it, or what is there is damaged,
            incomplete, or not a network this package has.
    """
    if not folder.is_dir():
        raise ModelNotFound(f"{folder} is not a folder; expected one that holds {LAYOUTS}.")
    for layout in (speechbrain_ecapa, speechbrain, spleeter, wav2vec2):
        if layout.is_checkpoint(folder):
            checkpoint: Checkpoint = layout.read_checkpoint(folder, name)
            return checkpoint
    if all(path.name.startswith(".") for path in folder.iterdir()):  # `.probe`, `._…` are no weights
        raise ModelError(f"{folder} is empty (Spleeter itself would run random weights there); expected {LAYOUTS}.")
    raise ModelError(f"{folder} holds no published checkpoint; looked for {LAYOUTS}.")
