"""Make a RE-SepFormer folder in SpeechBrain's published layout, and what SpeechBrain itself makes of it.

    python make_speechbrain_resepformer.py                     # the golden beside this script
    python make_speechbrain_resepformer.py --published FOLDER  # published sizes, random weights

Weights are seeded noise and the input is synthetic, as in `make_speechbrain`. The table of positions, 100 000 steps for
each Transformer, is taken out of the golden's file once SpeechBrain has run: it is a formula, and no importer reads it.
Needs `pip install speechbrain safetensors`, never the project's own environment.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import torch
from make_speechbrain import HERE, mixture, separate
from safetensors.torch import save_file
from speechbrain.lobes.models import dual_path, resepformer
from torch import nn

NAME = "speechbrain_resepformer"
HYPERPARAMS = """\
# Laid out as the published ones (HyperPyYAML); the weights are random.
sample_rate: 8000
num_spks: 2

N_encoder_out: {features}
out_channels: {features}
kernel_size: 16
kernel_stride: 8

Encoder: !new:speechbrain.lobes.models.dual_path.Encoder
  kernel_size: 16
  out_channels: {features}

intra_mdl: !new:speechbrain.lobes.models.resepformer.SBTransformerBlock_wnormandskip
  num_layers: {layers}
  d_model: {features}
  nhead: {heads}
  d_ffn: {hidden}
  dropout: 0
  use_positional_encoding: true
  norm_before: true
  use_norm: true
  use_skip: true

mem_mdl: !new:speechbrain.lobes.models.resepformer.SBTransformerBlock_wnormandskip
  num_layers: {layers}
  d_model: {features}
  nhead: {heads}
  d_ffn: {hidden}
  dropout: 0
  use_positional_encoding: true
  norm_before: true
  use_norm: true
  use_skip: true

MaskNet: !new:speechbrain.lobes.models.resepformer.ResourceEfficientSeparator
  input_dim: {features}
  num_spk: 2
  causal: false
  unit: 256
  segment_size: {chunk_frames}
  layer: {blocks}
  mem_type: av
  seg_model: !ref <intra_mdl>
  mem_model: !ref <mem_mdl>

Decoder: !new:speechbrain.lobes.models.dual_path.Decoder
  in_channels: {features}
  out_channels: 1
  kernel_size: 16
  stride: 8
  bias: false

modules:
  encoder: !ref <Encoder>
  decoder: !ref <Decoder>
  masknet: !ref <MaskNet>

pretrainer: !new:speechbrain.utils.parameter_transfer.Pretrainer
  loadables:
    encoder: !ref <Encoder>
    masknet: !ref <MaskNet>
    decoder: !ref <Decoder>
"""


@dataclass(frozen=True)
class Sizes:
    """Sizes of one RE-SepFormer; the defaults are the published ones."""

    features: int = 128
    layers: int = 8
    heads: int = 8
    hidden: int = 1024
    blocks: int = 2
    chunk_frames: int = 150


SMALL = Sizes(features=12, layers=2, heads=3, hidden=20, blocks=3, chunk_frames=16)
SAMPLES = 3021  # 376 frames: 23 chunks and a half


def modules(sizes: Sizes) -> dict[str, nn.Module]:
    """The three networks of a published folder, by the names of their files."""
    stacks = [
        resepformer.SBTransformerBlock_wnormandskip(
            sizes.layers, sizes.features, sizes.heads, sizes.hidden, use_positional_encoding=True, norm_before=True
        )
        for _ in ("within", "across")
    ]
    masknet = resepformer.ResourceEfficientSeparator(
        sizes.features,
        causal=False,
        layer=sizes.blocks,
        segment_size=sizes.chunk_frames,
        mem_type="av",
        seg_model=stacks[0],
        mem_model=stacks[1],
    )
    return {
        "encoder": dual_path.Encoder(kernel_size=16, out_channels=sizes.features),
        "masknet": masknet,
        "decoder": dual_path.Decoder(sizes.features, 1, kernel_size=16, stride=8, bias=False),
    }


def write_model(folder: Path, sizes: Sizes, seed: int) -> None:
    """Write a folder in the published layout; no weight is left at a value that hides a mistake (0 or 1)."""
    torch.manual_seed(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for name, module in modules(sizes).items():
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.add_(0.5 * parameter.std(correction=0).clamp(min=0.1) * torch.randn_like(parameter))
        torch.save(module.state_dict(), folder / f"{name}.ckpt")
    (folder / "hyperparams.yaml").write_text(HYPERPARAMS.format(**vars(sizes)))


def main() -> None:
    """Read the command line and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--published", metavar="FOLDER")
    if published := parser.parse_args().published:
        write_model(Path(published), Sizes(), seed=0)
        return
    folder = HERE / NAME
    write_model(folder, SMALL, seed=4)
    audio = mixture(SAMPLES, 8000, seed=4)
    sources = separate(folder, audio)
    if not (sources.isfinite().all() and (sources.std(dim=1) > 1e-3).all()):
        raise SystemExit("A source is silent or not finite: choose another seed.")
    save_file({"mixture": audio, "sources": sources}, folder / "io.safetensors")
    state = torch.load(folder / "masknet.ckpt", weights_only=True)
    torch.save({name: value for name, value in state.items() if not name.endswith(".pe")}, folder / "masknet.ckpt")
    print(f"{NAME}: sources {tuple(sources.shape)}, std {sources.std(dim=1).tolist()}")


if __name__ == "__main__":
    main()
