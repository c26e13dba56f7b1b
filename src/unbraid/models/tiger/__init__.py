"""TIGER: the complex spectrogram of speech or of a film's sound in, complex masks of voices or stems out."""
