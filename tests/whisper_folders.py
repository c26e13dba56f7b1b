"""A small Whisper in the published layout, with random weights: windows of 1 s, 260 tokens, 3 languages."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

D, HEADS, HIDDEN, LAYERS, BINS = 24, 3, 40, 2, 80
STEPS, WRITTEN = 50, 40  # of a window, of a text
JOINED = ["th", "Ġ" + "a", "the", "Ġ" + "the"]  # Ġ is a blank
END = 256 + len(JOINED)
SPECIAL = ["endoftext", "startoftranscript", "en", "de", "ja", "translate", "transcribe", "startoflm", "startofprev",
           "nospeech", "notimestamps"]  # fmt: skip
NUMBERS = {name: END + i for i, name in enumerate(SPECIAL)}
FIRST_TIME = END + len(SPECIAL)
VOCABULARY = FIRST_TIME + STEPS + 1


def alphabet() -> list[str]:
    """GPT-2's character for each byte."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) if byte in printable else chr(256 + others.index(byte)) for byte in range(256)]


def config(**changes: Any) -> dict[str, Any]:
    """config.json."""
    sides = {
        f"{side}_{key}": value
        for side in ("encoder", "decoder")
        for key, value in {"layers": LAYERS, "attention_heads": HEADS, "ffn_dim": HIDDEN, "layerdrop": 0.0}.items()
    }
    return {
        **sides, "model_type": "whisper", "architectures": ["WhisperForConditionalGeneration"], "d_model": D,
        "vocab_size": VOCABULARY, "num_mel_bins": BINS, "max_source_positions": STEPS, "max_target_positions": WRITTEN,
        "activation_function": "gelu", "scale_embedding": False, "bos_token_id": END, "eos_token_id": END,
        "pad_token_id": END, "decoder_start_token_id": END + 1, "suppress_tokens": [5, 6],
        "begin_suppress_tokens": [220, END],
    } | changes  # fmt: skip


def generation(**changes: Any) -> dict[str, Any]:
    """generation_config.json."""
    return {
        "alignment_heads": [[0, 1], [1, 2]], "is_multilingual": True, "suppress_tokens": [1, 2, 7],
        "begin_suppress_tokens": [220, END], "no_timestamps_token_id": NUMBERS["notimestamps"],
    } | changes  # fmt: skip


def sound(**changes: Any) -> dict[str, Any]:
    """preprocessor_config.json."""
    return {
        "feature_extractor_type": "WhisperFeatureExtractor", "feature_size": BINS, "n_fft": 400, "hop_length": 160,
        "sampling_rate": 16000, "chunk_length": 1,
    } | changes  # fmt: skip


def published() -> dict[str, np.ndarray]:
    """Random weights under their published names."""
    shapes: dict[str, tuple[int, ...]] = {
        "encoder.conv1.weight": (D, BINS, 3), "encoder.conv1.bias": (D,), "encoder.conv2.weight": (D, D, 3),
        "encoder.conv2.bias": (D,), "encoder.embed_positions.weight": (STEPS, D),
        "decoder.embed_positions.weight": (WRITTEN, D), "decoder.embed_tokens.weight": (VOCABULARY, D),
    }  # fmt: skip
    for side, attentions in {"encoder": ["self_attn"], "decoder": ["self_attn", "encoder_attn"]}.items():
        for layer in [f"{side}.layers.{i}" for i in range(LAYERS)]:
            for attention in attentions:
                for part in "qkv":
                    shapes[f"{layer}.{attention}.{part}_proj.weight"] = (D, D)
                    shapes |= {f"{layer}.{attention}.{part}_proj.bias": (D,)} if part != "k" else {}
                shapes |= {f"{layer}.{attention}.out_proj.weight": (D, D), f"{layer}.{attention}.out_proj.bias": (D,)}
            for norm in [*(f"{attention}_layer_norm" for attention in attentions), "final_layer_norm"]:
                shapes |= {f"{layer}.{norm}.weight": (D,), f"{layer}.{norm}.bias": (D,)}
            shapes |= {f"{layer}.fc1.weight": (HIDDEN, D), f"{layer}.fc1.bias": (HIDDEN,)}
            shapes |= {f"{layer}.fc2.weight": (D, HIDDEN), f"{layer}.fc2.bias": (D,)}
        shapes |= {f"{side}.layer_norm.weight": (D,), f"{side}.layer_norm.bias": (D,)}
    random = np.random.default_rng(5)
    return {
        f"model.{name}": (random.normal(size=shape) * (0.3 if len(shape) > 1 else 0.1)
                          + ("norm.weight" in name)).astype(np.float32)
        for name, shape in shapes.items()
    }  # fmt: skip


def tokenizer() -> dict[str, Any]:
    """tokenizer.json."""
    vocabulary = {token: number for number, token in enumerate([*alphabet(), *JOINED])}
    merges = ["t h", "Ġ a", "th e", "Ġ the"]
    added = [{"id": number, "content": f"<|{name}|>", "special": True} for name, number in NUMBERS.items()]
    return {"model": {"type": "BPE", "vocab": vocabulary, "merges": merges}, "added_tokens": added}


def write_whisper(folder: Path, tensors: dict[str, np.ndarray] | None = None, **files: dict[str, Any]) -> Path:
    """A published folder; `files` are other settings: config, generation_config, preprocessor_config, tokenizer."""
    folder.mkdir(parents=True, exist_ok=True)
    written = {"config": config(), "generation_config": generation(), "preprocessor_config": sound()}
    for name, values in ({**written, "tokenizer": tokenizer()} | files).items():
        (folder / f"{name}.json").write_text(json.dumps(values, ensure_ascii=False), encoding="utf-8")
    safetensors.numpy.save_file(tensors or published(), folder / "model.safetensors", {"format": "pt"})
    return folder
