"""Hybrid Transformer Demucs: the waveform of a song and its spectrogram in, those of its stems out."""
