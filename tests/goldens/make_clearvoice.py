"""Make a folder of a small MossFormer2 in the published layout, and the voices that ClearerVoice makes of noise.

    PYTHONPATH=ClearerVoice-Studio/clearvoice python make_clearvoice.py       # the golden beside this script

Weights are seeded noise, rounded to float16, and the input is synthetic. Needs a checkout of
github.com/modelscope/ClearerVoice-Studio and `pip install torch einops rotary-embedding-torch torchinfo safetensors`,
never the project's own environment.
"""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from unittest.mock import MagicMock

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

OF_OTHER_NETWORKS = ("utils.misc", "utils.bandwidth_sub", "dataloader", "dataloader.meldataset")
for name in ("librosa", "torchaudio", *(f"clearvoice.{module}" for module in OF_OTHER_NETWORKS)):
    sys.modules[name] = MagicMock()
sys.modules["clearvoice"] = package = ModuleType("clearvoice")  # without its __init__, which loads all of them
package.__path__ = [f"{sys.path[1]}/clearvoice"]
from clearvoice.models.mossformer2_ss import mossformer2_block as blocks  # noqa: E402
from clearvoice.models.mossformer2_ss.mossformer2 import MossFormer  # noqa: E402
from clearvoice.utils.decode import decode_one_audio  # noqa: E402

HERE = Path(__file__).parent
FEATURES, LAYERS, KEYS, MEMORY = 8, 2, 12, 6
DECODING = SimpleNamespace(
    network="MossFormer2_SS_16K", sampling_rate=1000, one_time_decode_length=60, decode_window=1, num_spks=2
)
SAMPLES = 3250  # a window and three steps of three quarters of it, so that it adds no zeros


def small() -> nn.Module:
    """The published network with fewer features; where its constructor has no argument, its parts are replaced."""
    network = MossFormer(FEATURES, FEATURES, LAYERS, kernel_size=8, num_spks=2)
    body = blocks.MossformerBlock_GFSMN(dim=FEATURES, depth=LAYERS, query_key_dim=KEYS)
    body.fsmn = nn.ModuleList(blocks.Gated_FSMN_Block_Dilated(FEATURES, MEMORY) for _ in range(LAYERS))
    network.mask_net.mdl.intra_mdl.mossformerM = body
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if "freq" not in name:  # angles are formulas
                value += 0.5 * torch.randn_like(value) / value[0].numel() ** 0.5
                value.copy_(value.half().float())
    return network.eval()


def main() -> None:
    """Write the folder, and beside it what the peer makes of a mixture."""
    torch.manual_seed(0)
    folder, network = HERE / "clearvoice", small()
    folder.mkdir(exist_ok=True)
    mixture = 0.1 * torch.randn(1, SAMPLES) * torch.linspace(0.1, 1, SAMPLES)
    with torch.no_grad():
        voices = torch.cat(network(mixture))
        decoded = decode_one_audio(network, torch.device("cpu"), mixture.numpy(), DECODING)
    scaled = torch.from_numpy(np.stack(decoded).astype(np.float32))
    save_file({"mixture": mixture, "voices": voices, "decoded": scaled}, folder.with_suffix(".safetensors"))
    state = {k: v if "freq" in k else v.half() for k, v in network.state_dict().items()}
    torch.save({"model": state, "epoch": 3, "step": 5}, folder / "last_best_checkpoint.pt")
    (folder / "last_best_checkpoint").write_text("last_best_checkpoint.pt\n", encoding="utf-8")


if __name__ == "__main__":
    main()
