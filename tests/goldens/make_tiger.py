"""Make folders of small TIGERs in the published layout, and what the published programs make of noise with them.

    python make_tiger.py FOLDER    # a copy of github.com/JusperLee/TIGER; writes the goldens beside this script

Weights are seeded noise, rounded to float16, and the input is synthetic. Needs torch, numpy, safetensors and
huggingface_hub.
"""

import json
import sys
import types
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

HERE = Path(__file__).parent
SIZES = {"num_blocks": 2, "upsampling_depth": 3, "att_n_head": 2, "att_hid_chan": 2}
SIZES |= {"att_kernel_size": 8, "att_stride": 1, "in_channels": 6}
VOICES = SIZES | {"out_channels": 4, "win": 640, "stride": 160, "num_sources": 2, "sample_rate": 16_000}
FILMS = SIZES | {"out_channels": 6, "win": 1024, "stride": 256, "num_sources": 3, "sample_rate": 44_100}
EVERY = 97  # of the samples of a film's stems are kept


def published(folder: Path) -> tuple[Any, Any]:
    """The networks' classes; the package's own lists of modules, which need more, are left out."""
    for name in ("look2hear", "look2hear.layers", "look2hear.models"):
        module = types.ModuleType(name)
        module.__path__ = [str(folder.joinpath(*name.split(".")))]
        sys.modules[name] = module
    from look2hear.layers import activations, normalizations  # noqa: F401
    from look2hear.models.tiger import TIGER
    from look2hear.models.tiger_dnr import TIGERDNR

    return TIGER, TIGERDNR


def rounded(network: nn.Module) -> nn.Module:
    """Random weights that float16 can hold, large enough for masks of every size."""
    with torch.no_grad():
        for value in network.parameters():
            value += 0.3 * torch.randn_like(value) / max(1, value[0].numel() if value.ndim > 1 else 4) ** 0.5
            value.copy_(value.half().float())
    return network.eval()


def write(folder: Path, network: nn.Module, sizes: dict[str, int]) -> None:
    """The two files of a published model; its weights are float16, to be small."""
    folder.mkdir(exist_ok=True)
    save_file({name: value.half() for name, value in network.state_dict().items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(sizes, sort_keys=True) + "\n", encoding="utf-8")


def noise(samples: int) -> torch.Tensor:
    """Noise that gets louder."""
    return 0.2 * torch.randn(1, samples) * torch.linspace(0.1, 1, samples)


def main() -> None:
    """Write both."""
    torch.manual_seed(0)
    voices, films = published(Path(sys.argv[1]))
    network, mixture = rounded(voices(**VOICES)), noise(5001)
    write(HERE / "tiger", network, VOICES)
    with torch.no_grad():
        save_file({"mixture": mixture, "sources": network(mixture[None])[0]}, HERE / "tiger.safetensors")
    network, mixture = rounded(films(**FILMS)), noise(30_001).repeat(1, 7)[:, :200_001]
    write(HERE / "tiger_dnr", network, FILMS)
    with torch.no_grad():
        dialogue, effects, music = (stem[0, ::EVERY].contiguous() for stem in network(mixture[None]))
    stems = {"stems/dialogue": dialogue, "stems/effects": effects, "stems/music": music}
    save_file({"mixture": mixture[0, :30_001].contiguous()} | stems, HERE / "tiger_dnr.safetensors")


if __name__ == "__main__":
    main()
