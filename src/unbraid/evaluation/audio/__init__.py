"""Evaluating audio-to-audio models: denoisers of spectrograms, and vocoders."""
