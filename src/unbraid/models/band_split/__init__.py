"""The band-split Transformer: attention over time and over bands of a spectrogram."""
