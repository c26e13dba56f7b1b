"""Make folders of small RoFormers in the published layout, and the stems that the published programs make of noise.

    python make_roformer.py        # the goldens beside this script

Weights are seeded noise, rounded to float16, and the input is synthetic. Needs `pip install bs-roformer-infer
melband-roformer-infer safetensors`, never the project's own environment.
"""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
import yaml
from bs_roformer import utils as bs
from mel_band_roformer import utils as mel
from safetensors.torch import save_file
from torch import nn

HERE = Path(__file__).parent
CHUNK, SAMPLES = 480, 1301
COMMON = """\
# Laid out as the published ones; the weights are random.
audio:
  chunk_size: 480
  num_channels: 2
  sample_rate: 8000
model:
  dim: 6
  depth: 2
  stereo: true
  time_transformer_depth: 1
  freq_transformer_depth: 1
  linear_transformer_depth: 0
  dim_head: 4
  heads: 2
  attn_dropout: 0.1
  ff_dropout: 0.1
  flash_attn: false
  stft_n_fft: 64
  stft_hop_length: 16
  stft_win_length: 64
  multi_stft_resolutions_window_sizes: !!python/tuple
  - 64
  - 32
"""
MEL = f"""{COMMON}\
  stft_normalized: false
  num_stems: 1
  num_bands: 7
  sample_rate: 8000
  mask_estimator_depth: 2
training:
  instruments:
  - vocals
  - other
  target_instrument: vocals
inference:
  num_overlap: 2
"""
BS = f"""{COMMON}\
  stft_normalized: true
  num_stems: 2
  freqs_per_bands: !!python/tuple [2, 3, 5, 10, 13]
  mask_estimator_depth: 2
  zero_dc: true
training:
  instruments: [drums, bass]
  target_instrument: null
inference:
  num_overlap: 4
"""


class Loader(yaml.SafeLoader):
    """With tuples, as lists."""


Loader.add_constructor("tag:yaml.org,2002:python/tuple", lambda loader, node: loader.construct_sequence(node))


def settings(text: str) -> Any:
    """The sections, as the programs have them."""
    root = yaml.load(text, Loader)
    sections = {name: SimpleNamespace(**section) for name, section in root.items() if name != "model"}
    return SimpleNamespace(model=root["model"], **sections)


def rounded(network: nn.Module) -> nn.Module:
    """Random weights that float16 can hold, large enough for masks of every size."""
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if value.is_floating_point() and "freqs" not in name:
                value += 0.3 * torch.randn_like(value) / value.shape[-1] ** 0.5
            value.copy_(value.half().float())
    return network.eval()


def write(folder: Path, name: str, kind: str, text: str, programs: Any) -> None:
    """A folder with the checkpoint and the settings, and beside it what the peer makes of a song."""
    folder.mkdir(exist_ok=True)
    config = settings(text)
    network = rounded(programs.get_model_from_config(kind, config))
    song = 0.3 * torch.randn(2, SAMPLES) * torch.linspace(0.1, 1, SAMPLES)
    with torch.no_grad():
        chunk = network(song[None, :, :CHUNK])[0]  # (2, CHUNK), or (S, 2, CHUNK)
        stems, _ = programs.demix_track(config, network, song, torch.device("cpu"))
    save_file(
        {"song": song, "chunk": chunk.contiguous()}
        | {f"stems/{k}": torch.from_numpy(v.copy()) for k, v in stems.items()},
        folder.with_suffix(".safetensors"),
    )
    torch.save({k: v.half() for k, v in network.state_dict().items()}, folder / f"{name}.ckpt")
    (folder / f"{name}.yaml").write_text(text, encoding="utf-8")


def main() -> None:
    """Write both."""
    torch.manual_seed(0)
    write(HERE / "mel_band_roformer", "vocals", "mel_band_roformer", MEL, mel)
    write(HERE / "bs_roformer", "rhythm", "bs_roformer", BS, bs)


if __name__ == "__main__":
    main()
