"""Spleeter folders become our weights and spec; the networks with them give the masks that Spleeter gives."""

import json
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from published_writers import (
    Bundle,
    published_spleeter,
    seeded_weights,
    spleeter_config,
    write_bundle,
    write_spleeter,
)

from unbraid.errors import ChecksumError, ModelError
from unbraid.hub.importers import read_checkpoint, spleeter
from unbraid.hub.importers.spleeter_config import shipped_config
from unbraid.hub.spec import Spectral
from unbraid.models.unet.config import UNetConfig

FILTERS = (2, 3, 4, 5, 6, 7)
STEMS = ("vocals", "other")
TINY = UNetConfig(stems=2, filters=FILTERS)


def tiny_folder(tmp_path: Path, name: str = "model", **changes: object) -> Path:
    tensors = published_spleeter(seeded_weights(TINY), TINY)
    return write_spleeter(tmp_path / "tiny", tensors, spleeter_config(STEMS, TINY, **changes), name)


def refusal(folder: Path, name: str = "mine") -> str:
    with pytest.raises(ModelError) as caught:
        read_checkpoint(folder, name)
    return str(caught.value).replace(str(folder), "FOLDER")


# --- what is read ---


@pytest.mark.parametrize(
    "geometry",
    [
        TINY,
        UNetConfig(stems=4, filters=FILTERS, encoder_activation="elu", decoder_activation="elu"),
        UNetConfig(stems=5, filters=FILTERS, encoder_activation="relu", output="softmax"),
        UNetConfig(stems=1, filters=FILTERS, decoder_activation="leaky_relu"),
    ],
)
def test_a_folder_becomes_weights_and_spec(tmp_path: Path, geometry: UNetConfig) -> None:
    weights, stems = seeded_weights(geometry), tuple(f"stem{i}" for i in range(geometry.stems))
    config = spleeter_config(stems, geometry, separation_exponent=1, mask_extension="average", sample_rate=48000)
    folder = write_spleeter(tmp_path / "model", published_spleeter(weights, geometry), config)
    checkpoint = read_checkpoint(folder, "mine")
    spec = checkpoint.spec
    assert (spec.name, spec.family, spec.geometry, spec.stems) == ("mine", "unet", geometry, stems)
    assert (spec.sample_rate, spec.channels, spec.windows, spec.files) == (48000, 2, None, {})
    assert spec.spectral == Spectral(4096, 1024, 64, 256, 1.0, "average")
    assert spec.licence == "as stated by its publisher"
    assert spec.provenance == "A model trained with Spleeter, imported from the checkpoint model/model."
    assert list(checkpoint.tensors) == sorted(weights)
    for name, weight in checkpoint.tensors.items():
        np.testing.assert_array_equal(weight, weights[name], strict=True)
        assert weight.flags.c_contiguous


def test_published_variables_are_numbered_as_keras_does() -> None:
    names = spleeter.published_names(UNetConfig(stems=3))
    assert names["conv2d/kernel"] == "nets.0.down.0.weight"
    assert names["conv2d_6/bias"] == "nets.0.last.bias"
    assert names["conv2d_7/kernel"] == "nets.1.down.0.weight"
    assert names["conv2d_transpose_17/kernel"] == "nets.2.up.5.weight"
    assert names["batch_normalization_12/gamma"] == "nets.1.down_norm.0.weight"
    assert names["batch_normalization_18/moving_variance"] == "nets.1.up_norm.0.running_var"
    assert "batch_normalization_17/gamma" not in names  # dead: made and saved, never used
    shapes = spleeter.published_shapes(UNetConfig(stems=3))
    assert shapes["batch_normalization_17/gamma"] == (512,)
    assert shapes["conv2d_1/kernel"] == (5, 5, 16, 32)
    assert shapes["conv2d_transpose/kernel"] == (5, 5, 256, 512)
    assert shapes["conv2d_20/kernel"] == (4, 4, 1, 2)
    assert len(shapes) == 3 * 74


@pytest.mark.parametrize("saved_as", ["model.ckpt-120", "/home/me/runs/model.ckpt-120", r"C:\\runs\\model.ckpt-120"])
def test_a_training_checkpoint_is_found_wherever_it_was_saved(tmp_path: Path, saved_as: str) -> None:
    folder = tiny_folder(tmp_path, "model.ckpt-120")
    write_bundle(folder / "model.ckpt-60", {})
    (folder / "checkpoint").write_text(f'model_checkpoint_path: "{saved_as}"\nall_model_checkpoint_paths: "x"\n')
    assert len(read_checkpoint(folder, "mine").tensors) == 2 * 70


def test_a_lone_index_needs_no_pointer(tmp_path: Path) -> None:
    folder = tiny_folder(tmp_path)
    (folder / "checkpoint").unlink()
    assert len(read_checkpoint(folder, "mine").tensors) == 2 * 70


def test_what_the_optimiser_saved_is_skipped_unread(tmp_path: Path) -> None:
    tensors = published_spleeter(seeded_weights(TINY), TINY)
    slots = {f"{name}/{slot}": value for name, value in tensors.items() for slot in ("Adam", "Adam_1")}
    powers = {"beta1_power": np.array(0.5, np.float32), "beta2_power": np.array(0.5, np.float32)}
    folder = write_spleeter(tmp_path, tensors | slots | powers, spleeter_config(STEMS, TINY))
    assert len(read_checkpoint(folder, "mine").tensors) == 2 * 70


def test_the_configuration_may_have_any_name_when_alone(tmp_path: Path) -> None:
    folder = tiny_folder(tmp_path)
    (folder / "config.json").rename(folder / "mymodel.json")
    assert read_checkpoint(folder, "mine").spec.stems == STEMS
    (folder / "second.json").write_text("{}")
    assert refusal(folder) == "FOLDER has several *.json files; name the model's configuration config.json."
    (folder / "mymodel.json").rename(folder / "config.json")
    assert read_checkpoint(folder, "mine").spec.stems == STEMS


def test_without_a_configuration_the_official_one_is_taken(tmp_path: Path) -> None:
    geometry = shipped_config(2).geometry
    weights = {name: np.zeros(shape, np.float32) for name, shape in spleeter.published_shapes(geometry).items()}
    folder = write_spleeter(tmp_path, weights, None)
    (folder / ".probe").write_text("OK")
    spec = read_checkpoint(folder, "spleeter:2stems").spec
    assert (spec.geometry, spec.spectral, spec.sample_rate) == (UNetConfig(), Spectral(), 44100)
    assert spec.stems == ("vocals", "accompaniment")
    assert read_checkpoint(folder, "spleeter:2stems-16kHz").spec.spectral == Spectral(bins=1536)
    for name in ("spleeter:2stems-finetune", "spleeter:4stems", "spleeter:2stems-16khz"):
        assert refusal(folder, name) == (
            f"{name} is not a name for FOLDER, which holds 2 stems; it can be spleeter:2stems or spleeter:2stems-16kHz."
        )


def test_official_configurations() -> None:
    four, five = shipped_config(4), shipped_config(5, 1536)
    assert four.stems == ("vocals", "drums", "bass", "other")
    assert four.geometry == UNetConfig(stems=4, encoder_activation="elu", decoder_activation="elu")
    assert five.stems == ("vocals", "piano", "drums", "bass", "other")
    assert five.geometry == UNetConfig(stems=5, encoder_activation="elu", decoder_activation="elu", output="softmax")
    assert (four.spectral, five.spectral) == (Spectral(), Spectral(bins=1536))


@pytest.mark.parametrize("stems", [2, 4, 5])
def test_an_official_index_is_recognised_and_its_data_asked_for(parity: Path, stems: int) -> None:
    folder = parity / "spleeter" / f"official_{stems}stems"
    told = "FOLDER/model.data-00000-of-00001 is missing: model.index says that the weights are in it."
    assert refusal(folder, f"spleeter:{stems}stems") == told


# --- parity with the peer ---


def spectrogram(waveform: np.ndarray, frame: int, hop: int) -> np.ndarray:
    """Spleeter's STFT, (C, T) -> (C, N, F): one frame of zeros before, zeros after, periodic Hann."""
    samples = waveform.shape[1]
    frames = -(-(samples + frame) // hop)
    padded = np.zeros((waveform.shape[0], (frames - 1) * hop + frame))
    padded[:, frame : frame + samples] = waveform
    cut = np.lib.stride_tricks.sliding_window_view(padded, frame, axis=1)[:, ::hop]
    return np.fft.rfft(cut * hann(frame))


def waveform_of(spectrum: np.ndarray, samples: int, frame: int, hop: int) -> np.ndarray:
    """The inverse, (C, N, F) -> (C, T)."""
    pieces = np.fft.irfft(spectrum) * hann(frame)
    joined = np.zeros((len(spectrum), (spectrum.shape[1] - 1) * hop + frame))
    for i in range(spectrum.shape[1]):
        joined[:, i * hop : i * hop + frame] += pieces[:, i]
    return joined[:, frame : frame + samples] * 2 / 3


def hann(samples: int) -> np.ndarray:
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(samples) / samples)


def masked(folder: Path, waveform: np.ndarray) -> dict[str, np.ndarray]:
    """Stems of a waveform by soft masks, the network in torch and the rest here."""
    torch = pytest.importorskip("torch")
    from unbraid.models.unet.network import UNets

    checkpoint = read_checkpoint(folder, "peer")
    spec, spectral = checkpoint.spec, checkpoint.spec.spectral
    networks = UNets(spec.geometry).eval()
    counters = {name: value for name, value in networks.state_dict().items() if name.endswith("num_batches_tracked")}
    networks.load_state_dict({name: torch.tensor(weight) for name, weight in checkpoint.tensors.items()} | counters)
    spectrum = spectrogram(waveform, spectral.frame_samples, spectral.hop_samples)  # (C, N, 2049)
    frames, bins = spectrum.shape[1], spectral.bins
    segments = -(-frames // spectral.frames)
    magnitude = np.zeros((2, segments * spectral.frames, bins), np.float32)
    magnitude[:, :frames] = np.abs(spectrum[..., :bins])
    batch = magnitude.reshape(2, segments, spectral.frames, bins).transpose(1, 0, 2, 3)  # (B, C, N, F)
    with torch.no_grad():
        output = networks(torch.tensor(batch)).numpy()  # (B, stems, C, N, F)
    output = output.transpose(1, 2, 0, 3, 4).reshape(len(spec.stems), 2, -1, bins)[:, :, :frames].astype(np.float64)
    power = output**spectral.exponent
    mask = (power + 1e-10 / len(power)) / (power.sum(0) + 1e-10)
    stems = {}
    for name, part in zip(spec.stems, mask, strict=True):
        above = part.mean(-1, keepdims=True) if spectral.extension == "average" else 0
        kept = above * spectrum
        kept[..., :bins] = part * spectrum[..., :bins]
        stems[name] = waveform_of(kept, waveform.shape[1], spectral.frame_samples, spectral.hop_samples)
    return stems


def assert_parity(folder: Path, waveform: np.ndarray | None = None) -> None:
    reference = safetensors.numpy.load_file(folder / "reference.safetensors")
    found = masked(folder, reference["waveform"] if waveform is None else waveform)
    compared = [name for name in reference if name.startswith("mask/")]
    assert compared
    for name in compared:
        expected = reference[name].astype(np.float64)
        error = found[name.removeprefix("mask/")] - expected
        assert 10 * np.log10(np.sum(expected**2) / np.sum(error**2)) >= 95, name


@pytest.mark.parametrize("kind", ["spleeter_2stems", "spleeter_4stems", "spleeter_5stems"])
def test_masked_stems_are_those_of_the_peer(goldens: Path, kind: str) -> None:
    assert_parity(goldens / kind)


@pytest.mark.parametrize("kind", ["tiny_2stems", "tiny_4stems", "tiny_5stems"])
def test_masked_stems_are_those_of_the_peer_on_the_larger_fixtures(parity: Path, kind: str) -> None:
    song = safetensors.numpy.load_file(parity / "spleeter" / "song4s.safetensors")["waveform"]
    assert_parity(parity / "spleeter" / kind, song)


# --- folders that cannot be read ---


def test_folders_without_weights_are_refused(tmp_path: Path) -> None:
    wanted = (
        "a SpeechBrain SepFormer or RE-SepFormer (hyperparams.yaml, encoder.ckpt, masknet.ckpt, decoder.ckpt), "
        "ECAPA-TDNN or x-vector network (hyperparams.yaml, embedding_model.ckpt) or HiFi-GAN (hyperparams.yaml, "
        "generator.ckpt), a CAM++ "
        "(campplus_….bin or campplus_….pt), a ResNet of WeSpeaker's (config.yaml, avg_model.pt or pytorch_model.bin), "
        "a Spleeter model (checkpoint, model.index and model.data-00000-of-00001), a Whisper (config.json, "
        "preprocessor_config.json, generation_config.json, tokenizer.json (or vocab.json and merges.txt) and "
        "model.safetensors or pytorch_model.bin), a SpeechT5 (config.json, spm_char.model and model.safetensors or "
        "pytorch_model.bin), its HiFi-GAN (config.json and model.safetensors or pytorch_model.bin), a Wav2Vec2 or "
        "HuBERT with a CTC head (config.json, preprocessor_config.json, "
        "vocab.json and model.safetensors or pytorch_model.bin), a Hybrid Transformer Demucs (a .th or .safetensors of "
        "Demucs's, or several and the .yaml that names them), a RoFormer (a .yaml or .yml of settings and a "
        ".ckpt, .pt, .pth, .th or .safetensors of weights) or Basic Pitch (nmp.onnx)"
    )
    told = f"FOLDER is empty (Spleeter itself would run random weights there); expected {wanted}."
    assert refusal(tmp_path) == told
    (tmp_path / ".probe").write_text("OK")
    assert refusal(tmp_path) == told
    (tmp_path / "readme.md").write_text("hello")
    assert refusal(tmp_path) == f"FOLDER holds no published checkpoint; looked for {wanted}."
    assert refusal(tmp_path / "no") == f"FOLDER is not a folder; expected one that holds {wanted}."
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "model"\n')
    assert refusal(tmp_path) == (
        "FOLDER holds no weights (Spleeter itself would run random ones): it has no *.index file; expected "
        "checkpoint, model.index and model.data-00000-of-00001. Fetch the model again."
    )


def test_a_pointer_that_leads_nowhere_is_told(tmp_path: Path) -> None:
    folder = tiny_folder(tmp_path)
    (folder / "checkpoint").write_text('model_checkpoint_path: "/x/model.ckpt-9"\n')
    told = "FOLDER/checkpoint names model.ckpt-9.index, which is not in the folder; it has model.index."
    assert refusal(folder) == told
    (folder / "checkpoint").write_text("hello\n")
    told = 'FOLDER/checkpoint names no checkpoint; expected a line like model_checkpoint_path: "model".'
    assert refusal(folder) == told
    (folder / "checkpoint").unlink()
    write_bundle(folder / "other", {})
    told = "FOLDER has no file 'checkpoint' that says which of model.index, other.index to read."
    assert refusal(folder) == told


def test_a_missing_or_damaged_data_file_is_told(tmp_path: Path) -> None:
    folder = tiny_folder(tmp_path)
    data = folder / "model.data-00000-of-00001"
    content = bytearray(data.read_bytes())
    content[1000] ^= 4
    data.write_bytes(content)
    with pytest.raises(ChecksumError, match=r"the checksum of tensor '.*' is wrong, the file is damaged; fetch it"):
        read_checkpoint(folder, "mine")
    data.unlink()
    told = "FOLDER/model.data-00000-of-00001 is missing: model.index says that the weights are in it."
    assert refusal(folder) == told


def test_a_tensor_that_does_not_fit_is_named(tmp_path: Path) -> None:
    tensors, config = published_spleeter(seeded_weights(TINY), TINY), spleeter_config(STEMS, TINY)
    kernel = tensors["conv2d_8/kernel"]
    for changed, told in (
        ({"conv2d_8/kernel": kernel[..., :2]}, "has shape (5, 5, 2, 2), expected (5, 5, 2, 3)."),
        ({"conv2d_8/kernel": kernel.astype(np.int32)}, "is int32, expected a floating-point type."),
        ({"conv2d_8/kernel": kernel * np.nan}, "holds NaN or infinity; the checkpoint is damaged."),
        ({"conv2d_8/kernels": kernel}, "does not belong to this network (1 do not)."),
    ):
        name = next(iter(changed))
        folder = write_spleeter(tmp_path / "m", tensors | changed, config)
        assert refusal(folder) == f"FOLDER/model.index: tensor {name!r} {told}"
    dead = "batch_normalization_17/moving_mean"  # not used, but part of the published network
    folder = write_spleeter(tmp_path / "m", {k: v for k, v in tensors.items() if k != dead}, config)
    assert refusal(folder) == f"FOLDER/model.index: tensor {dead!r} is missing (1 of 148 are)."


def test_other_networks_without_a_configuration_are_told(tmp_path: Path) -> None:
    for tensors, nets in ((published_spleeter(seeded_weights(g := UNetConfig(3, 2, FILTERS)), g), 3), ({}, 0)):
        folder = write_spleeter(tmp_path / "m", tensors, None)
        assert refusal(folder) == (
            f"FOLDER has no configuration, and model.index holds {nets} U-Nets; only those of 2, 4 and 5 stems are "
            "known without one. Put the JSON file it was trained with beside it, as config.json."
        )


def test_slices_are_refused(tmp_path: Path) -> None:
    folder = tiny_folder(tmp_path)
    write_bundle(folder / "model", {}, Bundle(entries={"conv2d/kernel": b"\x08\x01\x3a\x00"}))
    assert refusal(folder).startswith("FOLDER/model.index: tensor 'conv2d/kernel' is cut into slices")


# --- settings ---

SETTINGS: list[tuple[dict[str, object], str]] = [
    (
        {"model": {"type": "blstm.blstm", "params": {}}},
        "type is 'blstm.blstm'; supported: unet.unet, unet.softmax_unet.",
    ),
    ({"model": {"params": {}}}, "type is None; supported: unet.unet, unet.softmax_unet."),
    ({"model": "unet"}, "model is 'unet', expected an object with 'type' and 'params'."),
    (
        {"model": {"type": "unet.unet", "params": {"conv_activation": "Swish"}}},
        "conv_activation is 'Swish'; supported: LeakyReLU, ReLU, ELU.",
    ),
    (
        {"model": {"type": "unet.unet", "params": {"depth": 6}}},
        "model parameter 'depth' is not supported; supported: conv_activation, deconv_activation, conv_n_filters.",
    ),
    (
        {"model": {"type": "unet.unet", "params": {"conv_n_filters": [1, 2, 3]}}},
        "conv_n_filters is [1, 2, 3], expected 6 whole numbers above zero.",
    ),
    ({"n_channels": 1}, "n_channels is 1; supported: 2."),
    ({"mask_extension": "mirror"}, "mask_extension is 'mirror'; supported: zeros, average."),
    ({"mask_extension": ["zeros"]}, "mask_extension is ['zeros']; supported: zeros, average."),
    ({"separation_exponent": 0}, "separation_exponent is 0, expected a number above zero."),
    ({"separation_exponent": "2"}, "separation_exponent is '2', expected a number above zero."),
    ({"frame_step": 2048}, "frame_step is 2048, expected a quarter of frame_length (4096)."),
    ({"T": 100}, "T is 100 and F is 256, expected multiples of 64, and no more than 2049 bins."),
    ({"F": 2112}, "T is 64 and F is 2112, expected multiples of 64, and no more than 2049 bins."),
    ({"sample_rate": 44100.5}, "sample_rate is 44100.5, expected a whole number above zero."),
    ({"instrument_list": "vocals"}, "instrument_list is 'vocals', expected a list of names."),
    ({"instrument_list": ["a", "a"]}, "instrument_list ['a', 'a'] names an instrument twice."),
]


@pytest.mark.parametrize(("changes", "message"), SETTINGS)
def test_a_setting_that_cannot_be_met_is_named(tmp_path: Path, changes: dict, message: str) -> None:
    assert refusal(tiny_folder(tmp_path, **changes)) == f"FOLDER/config.json: {message}"


def test_a_configuration_must_be_whole_and_that_of_the_weights(tmp_path: Path) -> None:
    folder = tiny_folder(tmp_path, instrument_list=["a", "b", "c"])
    assert refusal(folder) == "FOLDER: the configuration names 3 stems, model.index holds 2 U-Nets."
    path = folder / "config.json"
    config = json.loads(path.read_text())
    for key in ("instrument_list", "sample_rate", "T", "separation_exponent", "model"):
        path.write_text(json.dumps({k: v for k, v in config.items() if k != key}))
        told = f"FOLDER/config.json is not a complete Spleeter configuration: {key!r} is missing."
        assert refusal(folder) == told
    for text, told in {
        "[]": "FOLDER/config.json is not a Spleeter configuration: expected an object with settings.",
        "{": "FOLDER/config.json is not JSON: Expecting property name enclosed in double quotes: "
        "line 1 column 2 (char 1).",
    }.items():
        path.write_text(text)
        assert refusal(folder) == told
