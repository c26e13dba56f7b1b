"""Make folders of small networks in the layouts of 3D-Speaker and WeSpeaker, and the embeddings that these compute.

    PYTHONPATH=3D-Speaker:wespeaker python make_kaldi_speakers.py        # the goldens beside this script

Weights are seeded noise and the input is synthetic. Needs `pip install torch kaldi-native-fbank safetensors` and the
repositories github.com/modelscope/3D-Speaker and github.com/wenet-e2e/wespeaker, never the project's own environment.
"""

from collections import OrderedDict
from pathlib import Path

import kaldi_native_fbank as kaldi
import torch
from safetensors.torch import save_file
from speakerlab.models.campplus.DTDNN import FCM
from speakerlab.models.campplus.layers import (
    CAMDenseTDNNBlock,
    DenseLayer,
    StatsPool,
    TDNNLayer,
    TransitLayer,
    get_nonlinear,
)
from torch import Tensor, nn
from wespeaker.models.resnet import BasicBlock, ResNet

HERE = Path(__file__).parent
SAMPLES, RATE, BINS = 4011, 16_000, 16
FRAMES = 230  # of the networks' input: more than a segment of CAM++
CONFIG = """\
# Laid out as the published ones; the weights are random.
dataset_args:
  fbank_args:
    dither: 1.0
    frame_length: 25
    frame_shift: 10
    num_mel_bins: 16
  resample_rate: 16000
  spec_aug: false
exp_dir: exp/resnet
gpus: '[0,1]'
model: ResNet18
model_args:
  embed_dim: 9
  feat_dim: 16
  pooling_func: TSTP
  two_emb_layer: false
model_init: null
"""


def campplus() -> nn.Module:
    """The parts of 3D-Speaker's CAMPPlus, put together as it does, but for fewer and narrower layers."""
    parts = OrderedDict(tdnn=TDNNLayer(8, 10, 5, stride=2, padding=-1))
    channels = 10
    for i, (layers, dilation) in enumerate(((2, 1), (1, 2), (1, 2)), 1):
        parts[f"block{i}"] = CAMDenseTDNNBlock(layers, channels, 6, 8, 3, dilation=dilation)
        channels += 6 * layers
        parts[f"transit{i}"] = TransitLayer(channels, channels // 2, bias=False)
        channels //= 2
    parts["out_nonlinear"] = get_nonlinear("batchnorm-relu", channels)
    parts["stats"] = StatsPool()
    parts["dense"] = DenseLayer(2 * channels, 7, config_str="batchnorm_")
    return nn.Sequential(
        OrderedDict(head=FCM(num_blocks=[2, 1], m_channels=4, feat_dim=BINS), xvector=nn.Sequential(parts))
    )


def stirred(network: nn.Module) -> nn.Module:
    """A network whose batch norms have learnt something."""
    for name, buffer in network.named_buffers():
        if name.endswith("running_mean"):
            buffer.normal_()
        elif name.endswith("running_var"):
            buffer.uniform_(0.5, 2)
    return network.eval()


def levels(audio: Tensor, window: str, scale: float) -> Tensor:
    """Kaldi's log-mel spectrogram."""
    options = kaldi.FbankOptions()
    options.frame_opts.samp_freq, options.frame_opts.dither, options.frame_opts.window_type = RATE, 0, window
    options.mel_opts.num_bins = BINS
    fbank = kaldi.OnlineFbank(options)
    fbank.accept_waveform(RATE, (audio * scale).tolist())
    fbank.input_finished()
    return torch.tensor([fbank.get_frame(i).tolist() for i in range(fbank.num_frames_ready)])


def write(folder: Path, weights: str, network: nn.Module, audio: Tensor, found: Tensor) -> None:
    folder.mkdir(exist_ok=True)
    torch.save(network.state_dict(), folder / weights)
    given = torch.randn(2, FRAMES, BINS)
    with torch.no_grad():  # the parts of CAMPPlus read (B, F, N)
        outputs = network(given.mT if weights.startswith("campplus") else given)
    embedding = outputs[-1] if isinstance(outputs, tuple) else outputs
    save_file({"audio": audio, "levels": found, "input": given, "embedding": embedding}, folder / "io.safetensors")


def main() -> None:
    torch.manual_seed(0)
    audio = 0.3 * torch.randn(SAMPLES) * torch.linspace(0.001, 1, SAMPLES)
    write(HERE / "3d_speaker", "campplus_small.bin", stirred(campplus()), audio, levels(audio, "povey", 1))
    resnet = ResNet(BasicBlock, [1, 2, 1, 1], m_channels=2, feat_dim=BINS, embed_dim=9)
    resnet.add_module("projection", nn.Linear(9, 3, bias=False))
    write(HERE / "wespeaker", "avg_model.pt", stirred(resnet), audio, levels(audio, "hamming", 32768))
    (HERE / "wespeaker" / "config.yaml").write_text(CONFIG, encoding="utf-8")


if __name__ == "__main__":
    main()
