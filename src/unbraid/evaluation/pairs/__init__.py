"""Pairs of text, spectrogram and waveform: what a model makes of the source, against the target."""
