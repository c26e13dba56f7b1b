"""Published checkpoints, read without torch or TensorFlow.

The layout is found by content: SpeechBrain's folders of ECAPA-TDNNs (`speechbrain_ecapa`), x-vectors
(`speechbrain_xvector`), HiFi-GANs (`speechbrain_hifigan`), SepFormers (`speechbrain`) and RE-SepFormers
(`speechbrain_resepformer`), ClearerVoice's MossFormer2 (`clearvoice`), 3D-Speaker's (`campplus`), WeSpeaker's
(`wespeaker`) and their copies for pyannote.audio (`pyannote`), Spleeter's (`spleeter`), the Whisper, SpeechT5,
HiFi-GAN, Wav2Vec2 and HuBERT folders of transformers (`whisper`, `speecht5`, `hifigan`, `wav2vec2`), for songs Demucs's
networks (`htdemucs`) and RoFormers (`roformer`), TIGERs (`tiger`), and Basic Pitch (`basic_pitch`).
"""

from pathlib import Path

from unbraid.errors import ModelError, ModelNotFound
from unbraid.hub.importers import (
    basic_pitch,
    campplus,
    clearvoice,
    hifigan,
    htdemucs,
    pyannote,
    roformer,
    speechbrain,
    speechbrain_ecapa,
    speechbrain_hifigan,
    speechbrain_resepformer,
    speechbrain_xvector,
    speecht5,
    spleeter,
    tiger,
    wav2vec2,
    wespeaker,
    whisper,
)
from unbraid.hub.importers.checkpoint import Checkpoint

__all__ = ["Checkpoint", "is_checkpoint", "read_checkpoint"]

ORDER = (
    tiger,
    whisper,
    speecht5,
    hifigan,
    speechbrain_xvector,
    speechbrain_ecapa,
    speechbrain_hifigan,
    speechbrain_resepformer,
    speechbrain,
    clearvoice,
    campplus,
    wespeaker,
    pyannote,
    spleeter,
    wav2vec2,
    htdemucs,
    roformer,
    basic_pitch,
)

LAYOUTS = (
    f"a SpeechBrain SepFormer or RE-SepFormer ({', '.join(speechbrain.FILES)}), ECAPA-TDNN or x-vector network "
    f"({', '.join(speechbrain_ecapa.FILES)}) or "
    f"HiFi-GAN ({', '.join(speechbrain_hifigan.FILES)}), a MossFormer2 ({clearvoice.FILES}), a CAM++ "
    f"({campplus.FILES}), a ResNet of WeSpeaker's "
    f"({', '.join(wespeaker.FILES)} or {pyannote.WEIGHTS}), a Spleeter model ({spleeter.LAYOUT}), a Whisper "
    f"({whisper.FILES}), a SpeechT5 ({speecht5.FILES}), its HiFi-GAN ({hifigan.FILES}), a Wav2Vec2 or HuBERT with a "
    f"CTC head ({wav2vec2.FILES}), a Hybrid Transformer Demucs ({htdemucs.FILES}), a RoFormer ({roformer.FILES}), a "
    f"TIGER ({tiger.FILES}) or Basic Pitch ({basic_pitch.FILE})"
)


def is_checkpoint(folder: Path) -> bool:
    """Whether a folder looks like a published checkpoint, whole or not."""
    return any(layout.is_checkpoint(folder) for layout in ORDER)


def read_checkpoint(folder: Path, name: str) -> Checkpoint:
    """Read a published checkpoint; `name` is the name of the imported model.

    Raises:
        ModelError: there is no such folder, or no published layout in it, or what is there is damaged,
            incomplete, or not a network this package has.
    """
    if not folder.is_dir():
        raise ModelNotFound(f"{folder} is not a folder; expected one that holds {LAYOUTS}.")
    for layout in ORDER:
        if layout.is_checkpoint(folder):
            checkpoint: Checkpoint = layout.read_checkpoint(folder, name)
            return checkpoint
    if all(path.name.startswith(".") for path in folder.iterdir()):  # `.probe`, `._…` are no weights
        raise ModelError(f"{folder} is empty (Spleeter itself would run random weights there); expected {LAYOUTS}.")
    raise ModelError(f"{folder} holds no published checkpoint; looked for {LAYOUTS}.")
