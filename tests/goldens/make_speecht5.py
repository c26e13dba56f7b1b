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
    SpeechT5ForSpeechToSpeech,
    SpeechT5ForSpeechToText,
    SpeechT5ForTextToSpeech,
    SpeechT5HifiGan,
    SpeechT5HifiGanConfig,
)

HERE = Path(__file__).parent
FRAMES = 40
SYMBOLS = "▁GMdgimnor."


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


def small_config(kind: str) -> SpeechT5Config:
    """The sizes of all networks but the vocoder."""
    return SpeechT5Config(
        vocab_size=len(SYMBOLS) + 6,
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
        conv_dim=[6, 8],
        conv_kernel=[10, 4],
        conv_stride=[5, 4],
        num_conv_pos_embeddings=4,
        num_conv_pos_embedding_groups=3,
        architectures=[kind],
    )


def make_random(model: torch.nn.Module, deviation: float) -> None:
    """Weights are noise; a decoder that speaks keeps on speaking."""
    for parameter in model.parameters():
        parameter.data.normal_(0, deviation)
    if not hasattr(model, "speech_decoder_postnet"):
        return
    for layer in model.speech_decoder_postnet.layers:
        layer.batch_norm.running_mean.normal_()
        layer.batch_norm.running_var.uniform_(0.5, 2)
    model.speecht5.decoder.prenet.encode_positions.alpha.data.fill_(0.7)
    model.speech_decoder_postnet.prob_out.bias.data.fill_(-3)


def without_dropout(model: torch.nn.Module) -> None:
    """Switch off the dropout of the pre-net, which is always on."""
    model.speecht5.decoder.prenet._consistent_dropout = lambda x, p: x


def make_vc(folder: Path) -> None:
    """A small network that converts voices, and what it makes of a waveform."""
    torch.manual_seed(8)
    model = SpeechT5ForSpeechToSpeech(small_config("SpeechT5ForSpeechToSpeech")).eval()
    make_random(model, 0.4)
    model.save_pretrained(folder)
    without_dropout(model)
    waveform, speaker = torch.randn(1, 330), torch.randn(1, model.config.speaker_embedding_dim)
    with torch.no_grad():
        log_mel = model.generate_speech(waveform, speaker)
        memory = model.speecht5.encoder(waveform).last_hidden_state
    found = {"waveform": waveform[0], "speaker": speaker[0], "log_mel": log_mel, "memory": memory[0]}
    save_file(found, folder / "io.safetensors")
    print(len(log_mel), "frames of", memory.shape[1], "steps")


def make_asr(folder: Path) -> None:
    """A small recogniser, its logits of a text that it is given, and the texts that it writes of a waveform."""
    torch.manual_seed(13)
    model = SpeechT5ForSpeechToText(small_config("SpeechT5ForSpeechToText")).eval()
    make_random(model, 0.5)
    model.speecht5.decoder.prenet.embed_tokens.weight.data.mul_(0.2)  # or it would write one symbol for ever
    model.speecht5.decoder.wrapped_decoder.layers[-1].final_layer_norm.bias.data.zero_()
    model.save_pretrained(folder)
    SpeechT5FeatureExtractor(do_normalize=True).save_pretrained(folder)
    (folder / "spm_char.model").write_bytes(character_model(SYMBOLS))
    waveform = torch.randn(1, 330) * 0.1
    waveform = (waveform - waveform.mean()) / torch.sqrt(waveform.var(correction=0) + 1e-7)
    text = torch.tensor([[2, *(SYMBOLS.index(symbol) + 4 for symbol in "▁Good▁morning.")]])
    quiet = {"suppress_tokens": [0, 1, 3, *range(len(SYMBOLS) + 4, len(SYMBOLS) + 6)], "max_new_tokens": 30}
    with torch.no_grad():
        memory = model.speecht5.encoder(waveform).last_hidden_state
        logits = model(input_values=waveform, decoder_input_ids=text).logits
        greedy = model.generate(waveform, num_beams=1, do_sample=False, **quiet)
        beams = model.generate(waveform, num_beams=4, length_penalty=0.0, do_sample=False, **quiet)
    found = {"waveform": waveform[0], "memory": memory[0], "logits": logits[0], "greedy": greedy[0], "beams": beams[0]}
    save_file({name: tensor.contiguous() for name, tensor in found.items()}, folder / "io.safetensors")
    print(greedy.tolist(), beams.tolist())


def make_tts(folder: Path) -> None:
    """A small voice with the dropout of its pre-net switched off, and all that it computes for a text."""
    torch.manual_seed(7)
    model = SpeechT5ForTextToSpeech(small_config("SpeechT5ForTextToSpeech")).eval()
    make_random(model, 0.4)
    model.speecht5.encoder.prenet.encode_positions.alpha.data.fill_(1.3)
    model.save_pretrained(folder)
    (folder / "spm_char.model").write_bytes(character_model(SYMBOLS))
    without_dropout(model)
    numbers = torch.tensor([[*(SYMBOLS.index(symbol) + 4 for symbol in "▁Good▁morning."), 2]])
    speaker = torch.randn(1, model.config.speaker_embedding_dim)
    with torch.no_grad():
        log_mel = model.generate_speech(numbers, speaker)
        memory = model.speecht5.encoder(numbers).last_hidden_state
    save_file({"speaker": speaker[0], "log_mel": log_mel, "memory": memory[0]}, folder / "io.safetensors")
    print(len(log_mel), "frames")


if __name__ == "__main__":
    make_hifigan(HERE / "speecht5_hifigan")
    make_tts(HERE / "speecht5_tts")
    make_vc(HERE / "speecht5_vc")
    make_asr(HERE / "speecht5_asr")
    make_log_mel(HERE / "speecht5_log_mel.safetensors")
