"""Make Wav2Vec2 and HuBERT folders in the layout that transformers publishes, and what transformers makes of them.

    python make_wav2vec2.py                      # the goldens beside this script
    python make_wav2vec2.py --published FOLDER   # sizes and files of facebook/wav2vec2-base-960h, random weights

Weights are seeded noise and the input is synthetic. The logits come from `Wav2Vec2ForCTC` and `HubertForCTC`, loaded
from the folder just written. Needs `pip install torch transformers`.
"""

import argparse
import json
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor
from transformers.models.hubert import HubertConfig, HubertForCTC
from transformers.models.wav2vec2 import (
    Wav2Vec2Config,
    Wav2Vec2CTCTokenizer,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForCTC,
)

HERE = Path(__file__).parent
SMALL = {
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 40,
    "conv_dim": (8, 10, 12),
    "conv_stride": (5, 2, 3),
    "conv_kernel": (10, 3, 4),
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 4,
}
LARGE = {"do_stable_layer_norm": True, "feat_extract_norm": "layer", "conv_bias": True}  # what tells them from base
LETTERS = ("|", *"ETAONIHSRDLUMWCFGYPBVK'XJQZ")  # as published


@dataclass(frozen=True)
class Golden:
    """One small model, and how many samples it hears."""

    kind: str  # wav2vec2 or hubert
    settings: dict[str, Any]
    symbols: tuple[str, ...]  # in the order of the head's rows
    special: dict[str, str]  # what the special symbols are called
    samples: int
    seed: int
    sound: dict[str, Any] = field(default_factory=dict)
    weights: str = "model.safetensors"  # or pytorch_model.bin


USUAL = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
GOLDENS = {
    "wav2vec2": Golden("wav2vec2", {}, (*USUAL.values(), "|", *"ETA'"), USUAL, 3001, 1),
    # as old files are: torch.save, the old names of the weight norm; as fine-tuned ones: the special symbols at the end
    "hubert": Golden(
        "hubert",
        {**LARGE, "feat_proj_layer_norm": False, "num_conv_pos_embeddings": 7},
        ("o", "|", "x", "ß", "[UNK]", "[PAD]"),
        {"pad_token": "[PAD]", "unk_token": "[UNK]", "bos_token": "<s>", "eos_token": "</s>"},
        2003,
        2,
        {"sampling_rate": 8000, "do_normalize": False},
        "pytorch_model.bin",
    ),
}


def write_model(folder: Path, golden: Golden) -> None:
    """Write a folder in the published layout; no weight is left at a value that hides a mistake (0 or 1)."""
    torch.manual_seed(golden.seed)
    kinds = {"wav2vec2": (Wav2Vec2Config, Wav2Vec2ForCTC), "hubert": (HubertConfig, HubertForCTC)}
    config, network = kinds[golden.kind]
    blank = golden.symbols.index(golden.special["pad_token"])
    model = network(config(**golden.settings, vocab_size=len(golden.symbols), pad_token_id=blank))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.5 * parameter.std(correction=0).clamp(min=0.1) * torch.randn_like(parameter))
    folder.mkdir(parents=True, exist_ok=True)
    model.config.architectures = [network.__name__]
    model.config.save_pretrained(folder)
    if golden.weights == "model.safetensors":
        model.save_pretrained(folder)
    else:
        torch.save({old_name(name): tensor for name, tensor in model.state_dict().items()}, folder / golden.weights)
    write_texts(folder, golden)


def write_texts(folder: Path, golden: Golden) -> None:
    """The vocabulary and how sound must be given; of what transformers 5 saves, just what older files have."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "vocab.json"
        path.write_text(json.dumps({symbol: number for number, symbol in enumerate(golden.symbols)}))
        Wav2Vec2CTCTokenizer(str(path), **golden.special).save_vocabulary(str(folder))
    (folder / "tokenizer_config.json").write_text(json.dumps({**golden.special, "word_delimiter_token": "|"}, indent=2))
    Wav2Vec2FeatureExtractor(**golden.sound).save_pretrained(folder)


def old_name(name: str) -> str:
    """The name of a tensor before torch 2."""
    ends = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
    return next((name.replace(new, old) for new, old in ends.items() if new in name), name)


def waveform(samples: int, sample_rate: int, seed: int) -> Tensor:
    """A chirp, a pulse train of harmonics and a little noise, off zero: (T,)."""
    generator = torch.Generator().manual_seed(seed)
    time = torch.arange(samples, dtype=torch.float64) / sample_rate  # seconds
    chirp = torch.sin(2 * torch.pi * (300 * time + 1500 * time**2))
    voice = sum(torch.sin(2 * torch.pi * 120 * k * time) / k for k in range(1, 12))
    noise = torch.randn(samples, generator=generator, dtype=torch.float64)
    return (0.03 + 0.2 * chirp + 0.15 * voice + 0.02 * noise).float()


def transcribe(folder: Path, golden: Golden, audio: Tensor) -> Tensor:
    """The logits of transformers for the model in `folder`: (T,) -> (N, V)."""
    network = Wav2Vec2ForCTC if golden.kind == "wav2vec2" else HubertForCTC
    sound = Wav2Vec2FeatureExtractor.from_pretrained(folder)
    given = sound(audio.numpy(), sampling_rate=sound.sampling_rate, return_tensors="pt")["input_values"]
    with torch.no_grad():
        return network.from_pretrained(folder).eval()(given).logits[0].contiguous()


def write_golden(name: str, golden: Golden) -> None:
    """Write one golden folder beside this script."""
    folder = HERE / name
    write_model(folder, golden)
    audio = waveform(golden.samples, golden.sound.get("sampling_rate", 16000), golden.seed)
    logits = transcribe(folder, golden, audio)
    if not (logits.isfinite().all() and (logits.std(dim=0) > 1e-2).all()):
        raise SystemExit(f"{name}: a symbol is as likely everywhere, or a logit not finite: choose another seed.")
    save_file({"waveform": audio, "logits": logits}, folder / "io.safetensors")
    print(f"{name}: waveform {tuple(audio.shape)}, logits {tuple(logits.shape)}, std {logits.std(dim=0).tolist()}")


def main() -> None:
    """Read the command line and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--published", type=Path, metavar="FOLDER")
    folder = parser.parse_args().published
    if folder:
        write_model(folder, Golden("wav2vec2", {}, (*USUAL.values(), *LETTERS), USUAL, 0, seed=0))
        return
    for name, golden in GOLDENS.items():
        write_golden(name, Golden(**{**vars(golden), "settings": SMALL | golden.settings}))


if __name__ == "__main__":
    main()
