"""Mel-Band RoFormer and BS-RoFormer: the complex spectrogram of a song in, complex masks of its stems out."""
