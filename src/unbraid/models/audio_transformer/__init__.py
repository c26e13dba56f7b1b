"""The encoder–decoder audio Transformer between any two of waveforms, spectrograms and text."""
