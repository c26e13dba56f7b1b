"""The encoder-decoder audio Transformer: waveform, spectrogram or text to any of them."""
