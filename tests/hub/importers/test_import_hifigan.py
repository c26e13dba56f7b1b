"""HiFi-GAN folders become our weights and spec; the network with them gives what the peers give."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from engine_fakes import peak_error
from unbraid.dsp.framing import Mel
from unbraid.errors import ModelError
from unbraid.hub.folder import open_model_folder, write_model_folder
from unbraid.hub.importers import Checkpoint, read_checkpoint
from unbraid.models.hifigan.config import HifiganConfig
from unbraid.runtime import Engine, open_executor
from unbraid.tasks.vocoder import HifiganVocoder

TOLERANCE = 1e-4  # of the peak
SETTINGS = """
in_channels: 6
out_channels: 1
resblock_type: "1"
resblock_dilation_sizes: [[1, 3], [1, 3]]
resblock_kernel_sizes: [3, 5]
upsample_kernel_sizes: [8, 4]
upsample_initial_channel: 8
upsample_factors: [4, 2]
inference_padding: 5
cond_channels: 0
conv_post_bias: True
generator: !new:speechbrain.lobes.models.HifiGAN.HifiganGenerator
    in_channels: !ref <in_channels>
    out_channels: !ref <out_channels>
    resblock_type: !ref <resblock_type>
    resblock_dilation_sizes: !ref <resblock_dilation_sizes>
    resblock_kernel_sizes: !ref <resblock_kernel_sizes>
    upsample_kernel_sizes: !ref <upsample_kernel_sizes>
    upsample_initial_channel: !ref <upsample_initial_channel>
    upsample_factors: !ref <upsample_factors>
    inference_padding: !ref <inference_padding>
    cond_channels: !ref <cond_channels>
    conv_post_bias: !ref <conv_post_bias>
"""
SMALL = HifiganConfig(6, 8, (8, 4), (4, 2), (3, 5), (1, 3))


@pytest.fixture
def folder(tmp_path: Path, goldens: Path) -> Path:
    """A published folder of transformers' that may be damaged."""
    return shutil.copytree(goldens / "speecht5_hifigan", tmp_path / "published")


def change(path: Path, **values: Any) -> None:
    """Change settings of a JSON file."""
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | values), "utf-8")


def refusal(folder: Path, name: str = "mine") -> str:
    with pytest.raises(ModelError) as caught:
        read_checkpoint(folder, name)
    return str(caught.value).replace(str(folder), "FOLDER")


def made(checkpoint: Checkpoint, folder: Path, log_mel: np.ndarray, engine: str = "cpu") -> np.ndarray:
    pytest.importorskip("onnx")
    write_model_folder(folder, checkpoint.spec, checkpoint.tensors)
    executor = open_executor(open_model_folder(folder), folder, engine=Engine(engine))
    return executor.run({"log_mel": log_mel})["waveform"]


# --- as transformers publishes it ---


def test_a_folder_becomes_weights_and_spec(folder: Path) -> None:
    checkpoint = read_checkpoint(folder, "microsoft/speecht5_some")
    spec = checkpoint.spec
    assert (spec.family, spec.task, spec.licence, spec.sample_rate) == ("hifigan", "vocoder", "MIT", 16000)
    assert spec.geometry == HifiganConfig(6, 8, (8, 4), (4, 2), (3, 5), (1, 3), 0.2, "zeros", 0)
    assert spec.mel == Mel(1024, 8, 6, form="speecht5")
    assert all(t.flags.c_contiguous and t.dtype == np.float32 for t in checkpoint.tensors.values())


def test_the_card_has_a_command_that_works(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    checkpoint = read_checkpoint(folder, "mine")
    write_model_folder(tmp_path / "model", checkpoint.spec, checkpoint.tensors)
    card = (tmp_path / "model" / "README.md").read_text("utf-8")
    assert 'unbraid synthesize "Good morning." -m VOICE --vocoder mine' in card


@pytest.mark.parametrize("engine", ["cpu", "torch"])
def test_the_waveform_is_that_of_transformers(engine: str, folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    wanted = safetensors.numpy.load_file(folder / "io.safetensors")
    found = made(read_checkpoint(folder, "mine"), tmp_path / "model", wanted["log_mel"][None], engine)
    assert peak_error(wanted["waveform"][None], found) <= TOLERANCE


def test_the_older_names_of_weight_norms_are_the_same(folder: Path) -> None:
    wanted = read_checkpoint(folder, "mine").tensors
    tensors = safetensors.numpy.load_file(folder / "model.safetensors")
    parts = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
    for theirs, older in parts.items():
        tensors = {name.replace(theirs, older): tensor for name, tensor in tensors.items()}
    safetensors.numpy.save_file(tensors, folder / "model.safetensors")
    found = read_checkpoint(folder, "mine").tensors
    assert all(np.array_equal(found[name], wanted[name]) for name in wanted)


def test_levels_that_are_not_normalised(folder: Path) -> None:
    change(folder / "config.json", normalize_before=False)
    tensors = read_checkpoint(folder, "mine").tensors
    assert not tensors["mean"].any() and (tensors["scale"] == 1).all()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"upsample_rates": [4, 3]}, "a kernel must be its stride and an even number more, got 4 for 3."),
        ({"resblock_kernel_sizes": [3, 4]}, "block_kernels must be odd, so that samples stay where they are, got 4."),
        ({"resblock_dilation_sizes": [[1, 3], [1, 2]]}, "the same list of dilations for each of 2 blocks"),
        ({"upsample_initial_channel": 12}, "tensor 'conv_pre.bias' has shape (8,), expected (12,)."),
        ({"model_in_dim": 7}, "has shape (8, 6, 7), expected (8, 7, 7)."),
        ({"leaky_relu_slope": 2}, "slope must be at most 1, got 2.0."),
    ],
)
def test_settings_that_do_not_fit_are_refused(values: dict[str, Any], message: str, folder: Path) -> None:
    change(folder / "config.json", **values)
    assert message in refusal(folder)


def test_damaged_weights_are_refused(folder: Path) -> None:
    path = folder / "model.safetensors"
    whole = safetensors.numpy.load_file(path)
    safetensors.numpy.save_file({k: v for k, v in whole.items() if k != "conv_pre.bias"}, path)
    assert "tensor 'conv_pre.bias' is missing" in refusal(folder)
    safetensors.numpy.save_file(whole | {"scale": np.zeros_like(whole["scale"])}, path)
    assert "tensor 'scale' has a 0, by which levels would be divided; the checkpoint is damaged." in refusal(folder)
    direction = "conv_pre.parametrizations.weight.original1"
    safetensors.numpy.save_file(whole | {direction: np.zeros_like(whole[direction])}, path)
    assert refusal(folder) == (
        f"FOLDER/model.safetensors: tensor {direction!r} has a direction of length 0; the checkpoint is damaged."
    )
    path.unlink()
    assert refusal(folder) == (
        "FOLDER has no model.safetensors; a HiFi-GAN for transformers is config.json and model.safetensors or "
        "pytorch_model.bin."
    )


# --- as SpeechBrain publishes it ---


def generator() -> Any:
    """The generator of SpeechBrain, after the paper: its convolutions mirror their input, its weights have norms."""
    import torch
    from torch import nn
    from torch.nn.functional import leaky_relu
    from torch.nn.utils import weight_norm

    class Held(nn.Module):
        """A convolution with the weight norm of older torch, under the name `conv`."""

        def __init__(self, conv: nn.Module) -> None:
            super().__init__()
            self.conv = weight_norm(conv)

        def forward(self, x: Any) -> Any:
            return self.conv(x)

    def same(inputs: int, outputs: int, kernel: int, dilation: int = 1) -> Held:
        margin = dilation * (kernel - 1) // 2
        return Held(nn.Conv1d(inputs, outputs, kernel, dilation=dilation, padding=margin, padding_mode="reflect"))

    class Block(nn.Module):
        def __init__(self, width: int, kernel: int) -> None:
            super().__init__()
            self.convs1 = nn.ModuleList(same(width, width, kernel, dilation) for dilation in (1, 3))
            self.convs2 = nn.ModuleList(same(width, width, kernel) for _ in range(2))

        def forward(self, x: Any) -> Any:
            for first, second in zip(self.convs1, self.convs2, strict=True):
                x = x + second(leaky_relu(first(leaky_relu(x, 0.1)), 0.1))
            return x

    class Generator(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv_pre = same(6, 8, 7)
            sizes = [(8, 4, 8, 4), (4, 2, 4, 2)]
            self.ups = nn.ModuleList(Held(nn.ConvTranspose1d(i, o, k, s, (k - s) // 2)) for i, o, k, s in sizes)
            self.resblocks = nn.ModuleList(Block(width, kernel) for width in (4, 2) for kernel in (3, 5))
            self.conv_post = same(2, 1, 7)

        def forward(self, x: Any) -> Any:
            h = self.conv_pre(x)
            for i, up in enumerate(self.ups):
                h = up(leaky_relu(h, 0.1))
                h = (self.resblocks[2 * i](h) + self.resblocks[2 * i + 1](h)) / 2
            return torch.tanh(self.conv_post(leaky_relu(h)))

    torch.manual_seed(0)
    network = Generator().eval()
    for parameter in network.parameters():
        parameter.data.normal_(0, 0.5)
    return network


def write_speechbrain(folder: Path, settings: str = SETTINGS) -> Any:
    """Write a folder as SpeechBrain publishes it; returns the network."""
    torch = pytest.importorskip("torch")
    folder.mkdir(parents=True)
    network = generator()
    torch.save(network.state_dict(), folder / "generator.ckpt")
    (folder / "hyperparams.yaml").write_text(settings)
    return network


@pytest.mark.filterwarnings("ignore:.*weight_norm")
def test_the_waveform_is_that_of_speechbrain(tmp_path: Path) -> None:
    """Its inference repeats five frames at both ends, and keeps their samples; ours leaves these out."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnx")
    network = write_speechbrain(tmp_path / "tts-hifigan-ljspeech")
    checkpoint = read_checkpoint(tmp_path / "tts-hifigan-ljspeech", "mine")
    spec = checkpoint.spec
    assert (spec.geometry, spec.sample_rate, spec.mel) == (SMALL, 22050, Mel(1024, 8, 6, form="hifigan"))
    write_model_folder(tmp_path / "model", spec, checkpoint.tensors)
    for frames in (1, 2, 40, 600):
        levels = np.random.default_rng(frames).normal(-4, 2, (frames, 6)).astype(np.float32)
        padded = torch.nn.functional.pad(torch.from_numpy(levels.T[None]), (5, 5), "replicate")
        with torch.no_grad():
            wanted = network(padded)[0, 0].numpy()[5 * 8 : -5 * 8]
        with HifiganVocoder(tmp_path / "model") as vocoder:
            assert peak_error(wanted, vocoder(levels)) <= TOLERANCE


@pytest.mark.filterwarnings("ignore:.*weight_norm")
def test_folders_of_speechbrain_that_do_not_fit(tmp_path: Path) -> None:
    folder = tmp_path / "some"
    write_speechbrain(folder)
    assert refusal(folder) == (
        "FOLDER/hyperparams.yaml does not give the sample rate, and some is not the name of a published model "
        "(tts-hifigan-ljspeech, tts-hifigan-libritts-22050Hz, tts-hifigan-libritts-16kHz); add the line sample_rate: "
        "22050, or what it was trained at."
    )
    named = read_checkpoint(folder, "speechbrain/tts-hifigan-libritts-16kHz").spec
    assert (named.sample_rate, named.licence) == (16000, "Apache-2.0")
    settings = folder / "hyperparams.yaml"
    settings.write_text(SETTINGS + "sample_rate: 24000\n")
    assert read_checkpoint(folder, "mine").spec.sample_rate == 24000
    settings.write_text(SETTINGS.replace('resblock_type: "1"', 'resblock_type: "2"'))
    assert refusal(folder) == ("FOLDER/hyperparams.yaml: resblock_type is '2'; a network that can be imported has '1'.")
    settings.write_text("a: 1\n")
    assert "has no section 'generator'; is it the hyperparams.yaml of a HiFi-GAN?" in refusal(folder)
    settings.unlink()
    assert refusal(folder) == (
        "FOLDER has no hyperparams.yaml; a SpeechBrain HiFi-GAN is hyperparams.yaml and generator.ckpt."
    )
