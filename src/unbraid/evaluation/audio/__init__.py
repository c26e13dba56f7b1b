"""Scores of models that make sound of sound, frame for frame: spectrograms without noise, and vocoders."""
