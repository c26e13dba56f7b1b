"""The sizes of RoFormers that many published checkpoints have; their graphs ship with the package."""

from dataclasses import replace

from unbraid.models.roformer.config import RoformerConfig

BS_WIDTHS = (*[2] * 24, *[4] * 12, *[12] * 8, *[24] * 8, *[48] * 8, 128, 129)  # of BS-RoFormers that name no bands
_BS = RoformerConfig(mel_bands=0, mel_rate=0, widths=BS_WIDTHS, blocks=12, block_norm=False, final_norm=True)

PUBLISHED = {
    "mel, 1 stem": RoformerConfig(),  # 913 MB: vocals, karaoke, reverb, noise, crowds
    "bs, 1 stem": replace(_BS, features=512, hidden=2048, mask_hidden=2048, mask_layers=1),  # 639 MB: vocals
    "bs, 6 stems": replace(_BS, stems=6, hop_samples=512, features=256, hidden=1024, mask_hidden=1024, mask_layers=1),
}  # the last has 699 MB: bass, drums, other, vocals, guitar, piano
