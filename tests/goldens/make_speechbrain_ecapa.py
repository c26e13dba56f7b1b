"""Make an ECAPA-TDNN folder in SpeechBrain's published layout, and the embedding that SpeechBrain itself computes.

    python make_speechbrain_ecapa.py        # the goldens beside this script

Weights are seeded noise and the input is synthetic. Needs `pip install speechbrain safetensors`, never the project's
own environment.
"""

from pathlib import Path

import torch
from hyperpyyaml import load_hyperpyyaml
from safetensors.torch import save_file

FOLDER = Path(__file__).parent / "speechbrain_ecapa"
SAMPLES = 4001

HYPERPARAMS = """\
# Laid out as the published ones (HyperPyYAML); the weights are random.
n_mels: 24
compute_features: !new:speechbrain.lobes.features.Fbank
    n_mels: !ref <n_mels>
mean_var_norm: !new:speechbrain.processing.features.InputNormalization
    norm_type: sentence
    std_norm: False
embedding_model: !new:speechbrain.lobes.models.ECAPA_TDNN.ECAPA_TDNN
    input_size: !ref <n_mels>
    channels: [16, 16, 16, 16, 40]
    kernel_sizes: [5, 3, 3, 3, 1]
    dilations: [1, 2, 3, 4, 1]
    attention_channels: 6
    res2net_scale: 4
    se_channels: 10
    lin_neurons: 12
modules:
    compute_features: !ref <compute_features>
    mean_var_norm: !ref <mean_var_norm>
    embedding_model: !ref <embedding_model>
"""


def main() -> None:
    torch.manual_seed(0)
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "hyperparams.yaml").write_text(HYPERPARAMS, encoding="utf-8")
    modules = load_hyperpyyaml(HYPERPARAMS)["modules"]
    network = modules["embedding_model"].eval()
    for name, buffer in network.named_buffers():
        if name.endswith("running_mean"):
            buffer.normal_()
        elif name.endswith("running_var"):
            buffer.uniform_(0.5, 2)
    torch.save(network.state_dict(), FOLDER / "embedding_model.ckpt")
    audio = 0.3 * torch.randn(2, SAMPLES) * torch.linspace(0.01, 1, SAMPLES)
    lengths = torch.ones(2)
    with torch.no_grad():
        levels = modules["mean_var_norm"](modules["compute_features"](audio), lengths)
        embedding = network(levels, lengths)[:, 0]
    save_file({"audio": audio, "levels": levels, "embedding": embedding}, FOLDER / "io.safetensors")


if __name__ == "__main__":
    main()
