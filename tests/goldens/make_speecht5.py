"""Make folders of SpeechT5 in the layout that transformers publishes, and what transformers makes of them.

    python make_speecht5.py                      # the goldens beside this script

Weights are seeded noise and the input is synthetic. Needs `pip install torch transformers`.
"""

from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import SpeechT5FeatureExtractor, SpeechT5HifiGan, SpeechT5HifiGanConfig

HERE = Path(__file__).parent
FRAMES = 40


def make_hifigan(folder: Path) -> None:
    """A small vocoder, saved with its weight norms."""
    torch.manual_seed(5)
    config = SpeechT5HifiGanConfig(
        model_in_dim=6,
        upsample_initial_channel=8,
        upsample_rates=[4, 2],
        upsample_kernel_sizes=[8, 4],
        resblock_kernel_sizes=[3, 5],
        resblock_dilation_sizes=[[1, 3], [1, 3]],
        leaky_relu_slope=0.2,
    )
    model = SpeechT5HifiGan(config).eval()
    for parameter in model.parameters():
        parameter.data.normal_(0, 0.3)
    model.mean.normal_()
    model.scale.uniform_(0.5, 2)
    model.apply_weight_norm()
    model.save_pretrained(folder)
    log_mel = torch.randn(FRAMES, config.model_in_dim)
    with torch.no_grad():
        save_file({"log_mel": log_mel, "waveform": model(log_mel)}, folder / "io.safetensors")


def make_log_mel(path: Path) -> None:
    """The spectrogram that SpeechT5 reads and writes."""
    torch.manual_seed(6)
    audio = 0.1 * torch.randn(4001) * torch.linspace(0, 1, 4001)
    levels = SpeechT5FeatureExtractor()(audio_target=audio.numpy(), sampling_rate=16000)["input_values"][0]
    save_file({"audio": audio, "log_mel": torch.as_tensor(levels)}, path)


if __name__ == "__main__":
    make_hifigan(HERE / "speecht5_hifigan")
    make_log_mel(HERE / "speecht5_log_mel.safetensors")
