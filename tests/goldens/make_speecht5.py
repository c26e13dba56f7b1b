"""Make folders of SpeechT5 in the layout that transformers publishes, and what transformers makes of them.

    python make_speecht5.py                      # the goldens beside this script

Weights are seeded noise and the input is synthetic. Needs `pip install torch transformers`.
"""

from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import (
    SpeechT5Config,
    SpeechT5FeatureExtractor,
    SpeechT5ForTextToSpeech,
    SpeechT5HifiGan,
    SpeechT5HifiGanConfig,
)

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


def character_model(symbols: str) -> bytes:
    """A SentencePiece model of characters; the names of special pieces and their types are SentencePiece's own."""

    def field(number: int, value: bytes) -> bytes:
        return bytes([number << 3 | 2, len(value)]) + value

    special = [("<s>", 3), ("<pad>", 3), ("</s>", 3), ("<unk>", 2)]
    pieces = [*special, *((symbol, 1) for symbol in symbols)]
    packed = (field(1, field(1, text.encode()) + bytes([3 << 3, kind])) for text, kind in pieces)
    return b"".join(packed) + field(2, bytes([3 << 3, 4]))


def make_tts(folder: Path) -> None:
    """A small voice with the dropout of its pre-net switched off, and all that it computes for a text."""
    torch.manual_seed(7)
    symbols = "▁GMdgimnor."
    config = SpeechT5Config(
        vocab_size=len(symbols) + 6,
        hidden_size=12,
        encoder_layers=2,
        encoder_attention_heads=3,
        encoder_ffn_dim=20,
        decoder_layers=2,
        decoder_attention_heads=3,
        decoder_ffn_dim=20,
        num_mel_bins=6,
        speech_decoder_prenet_units=8,
        speaker_embedding_dim=5,
        speech_decoder_postnet_layers=3,
        speech_decoder_postnet_units=7,
        speech_decoder_postnet_kernel=3,
        encoder_max_relative_position=4,
        architectures=["SpeechT5ForTextToSpeech"],
    )
    model = SpeechT5ForTextToSpeech(config).eval()
    for parameter in model.parameters():
        parameter.data.normal_(0, 0.4)
    for layer in model.speech_decoder_postnet.layers:
        layer.batch_norm.running_mean.normal_()
        layer.batch_norm.running_var.uniform_(0.5, 2)
    model.speecht5.decoder.prenet.encode_positions.alpha.data.fill_(0.7)
    model.speecht5.encoder.prenet.encode_positions.alpha.data.fill_(1.3)
    model.speech_decoder_postnet.prob_out.bias.data.fill_(-3)
    model.save_pretrained(folder)
    (folder / "spm_char.model").write_bytes(character_model(symbols))
    model.speecht5.decoder.prenet._consistent_dropout = lambda x, p: x
    numbers = torch.tensor([[*(symbols.index(symbol) + 4 for symbol in "▁Good▁morning."), 2]])
    speaker = torch.randn(1, config.speaker_embedding_dim)
    with torch.no_grad():
        log_mel = model.generate_speech(numbers, speaker)
        memory = model.speecht5.encoder(numbers).last_hidden_state
    save_file({"speaker": speaker[0], "log_mel": log_mel, "memory": memory[0]}, folder / "io.safetensors")
    print(len(log_mel), "frames")


if __name__ == "__main__":
    make_hifigan(HERE / "speecht5_hifigan")
    make_tts(HERE / "speecht5_tts")
    make_log_mel(HERE / "speecht5_log_mel.safetensors")
