"""Make SepFormer folders in SpeechBrain's published layout, and what SpeechBrain itself makes of them.

    python make_speechbrain.py                             # the goldens beside this script
    python make_speechbrain.py --published 2 8000 FOLDER   # published sizes, 2 speakers, random weights: for bench/

Weights are seeded noise and the input is synthetic. The outputs come from `SepformerSeparation.separate_batch`,
loaded from the folder just written. Needs `pip install speechbrain safetensors` (`bench/envs.py` makes such an
environment), never the project's own.
"""

import argparse
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from speechbrain.inference.separation import SepformerSeparation
from speechbrain.lobes.models import dual_path
from torch import Tensor, nn

HERE = Path(__file__).parent

HYPERPARAMS = """\
# Laid out as the published ones (HyperPyYAML); the weights are random.
sample_rate: {sample_rate}
num_spks: {speakers}
N_encoder_out: {features}

Encoder: !new:speechbrain.lobes.models.dual_path.Encoder
  kernel_size: 16
  out_channels: {features_text}

SBtfintra: !new:speechbrain.lobes.models.dual_path.SBTransformerBlock
  num_layers: {layers}
  d_model: {features_text}
  nhead: {heads}
  d_ffn: {hidden}
  dropout: 0
  use_positional_encoding: true
  norm_before: true

SBtfinter: !new:speechbrain.lobes.models.dual_path.SBTransformerBlock
  num_layers: {layers}
  d_model: {features_text}
  nhead: {heads}
  d_ffn: {hidden}
  dropout: 0
  use_positional_encoding: true
  norm_before: true

MaskNet: !new:speechbrain.lobes.models.dual_path.Dual_Path_Model
  num_spks: {speakers_text}
  in_channels: {features_text}
  out_channels: {features_text}
  num_layers: {blocks}
  K: {chunk_frames}
  intra_model: !ref <SBtfintra>
  inter_model: !ref <SBtfinter>
  norm: ln
  linear_layer_after_inter_intra: false
  skip_around_intra: true

Decoder: !new:speechbrain.lobes.models.dual_path.Decoder
  in_channels: {features_text}
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
    """Sizes of one SepFormer; the defaults are the published ones."""

    speakers: int
    sample_rate: int = 8000
    features: int = 256
    layers: int = 8
    heads: int = 8
    hidden: int = 1024
    blocks: int = 2
    chunk_frames: int = 250


@dataclass(frozen=True)
class Golden:
    """One small model, and how many samples it hears."""

    sizes: Sizes
    samples: int
    seed: int


GOLDENS = {
    # 16 kHz, one source; the length is a prime.
    "speechbrain_1spk": Golden(Sizes(1, 16000, features=8, layers=1, heads=2, hidden=24, chunk_frames=50), 5003, 1),
    # N = 374 = 9 · 40 + 14 frames; two blocks, two layers.
    "speechbrain_2spk": Golden(Sizes(2, features=12, layers=2, heads=4, hidden=64, chunk_frames=40), 3001, 2),
    # N = 330 = 16 · 20 + 10 frames: the chunks come out whole, and a full one of zeros is still added.
    "speechbrain_3spk": Golden(Sizes(3, features=24, layers=1, heads=8, hidden=40, chunk_frames=20, blocks=1), 2653, 3),
}


def modules(sizes: Sizes) -> dict[str, nn.Module]:
    """The three networks of a published folder, by the names of their files."""
    transformers = [
        dual_path.SBTransformerBlock(
            num_layers=sizes.layers,
            d_model=sizes.features,
            nhead=sizes.heads,
            d_ffn=sizes.hidden,
            use_positional_encoding=True,
            norm_before=True,
        )
        for _ in ("intra", "inter")
    ]
    masknet = dual_path.Dual_Path_Model(
        sizes.features,
        sizes.features,
        *transformers,
        num_layers=sizes.blocks,
        norm="ln",
        K=sizes.chunk_frames,
        num_spks=sizes.speakers,
        skip_around_intra=True,
        linear_layer_after_inter_intra=False,
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
    values = {name: getattr(sizes, name) for name in Sizes.__dataclass_fields__}
    reference = sizes.speakers == 3  # published files write sizes out, or refer to them: have both
    values["features_text"] = "!ref <N_encoder_out>" if reference else sizes.features
    values["speakers_text"] = "!ref <num_spks>" if reference else sizes.speakers
    (folder / "hyperparams.yaml").write_text(HYPERPARAMS.format(**values))


def mixture(samples: int, sample_rate: int, seed: int) -> Tensor:
    """A chirp, a pulse train of harmonics and a little noise: (T,)."""
    generator = torch.Generator().manual_seed(seed)
    time = torch.arange(samples, dtype=torch.float64) / sample_rate  # seconds
    chirp = torch.sin(2 * torch.pi * (300 * time + 1500 * time**2))
    voice = sum(torch.sin(2 * torch.pi * 120 * k * time) / k for k in range(1, 12))
    noise = torch.randn(samples, generator=generator, dtype=torch.float64)
    envelope = 0.5 + 0.5 * torch.sin(2 * torch.pi * 5 * time)
    return (0.2 * chirp + 0.15 * envelope * voice + 0.02 * noise).float()


def separate(folder: Path, audio: Tensor) -> Tensor:
    """What SpeechBrain returns for the model in `folder`: (T,) -> (S, T)."""
    with tempfile.TemporaryDirectory() as scratch, torch.no_grad():
        copy = shutil.copytree(folder, Path(scratch) / "model")  # SpeechBrain links and writes beside its source
        model = SepformerSeparation.from_hparams(source=str(copy), savedir=str(Path(scratch) / "links"))
        return model.separate_batch(audio[None])[0].T.contiguous()


def write_golden(name: str, golden: Golden) -> None:
    """Write one golden folder beside this script."""
    folder = HERE / name
    write_model(folder, golden.sizes, golden.seed)
    audio = mixture(golden.samples, golden.sizes.sample_rate, golden.seed)
    sources = separate(folder, audio)
    if not (sources.isfinite().all() and (sources.std(dim=1) > 1e-3).all()):
        raise SystemExit(f"{name}: a source is silent or not finite: choose another seed.")
    save_file({"mixture": audio, "sources": sources}, folder / "io.safetensors")
    print(f"{name}: mixture {tuple(audio.shape)}, sources {tuple(sources.shape)}, std {sources.std(dim=1).tolist()}")


def main() -> None:
    """Read the command line and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--published", nargs=3, metavar=("SPEAKERS", "SAMPLE_RATE", "FOLDER"))
    published = parser.parse_args().published
    if published:
        speakers, sample_rate = map(int, published[:2])
        write_model(Path(published[2]), Sizes(speakers, sample_rate), seed=0)
    else:
        for name, golden in GOLDENS.items():
            write_golden(name, golden)


if __name__ == "__main__":
    main()
