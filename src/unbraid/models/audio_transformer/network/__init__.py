"""The torch modules of the audio Transformer."""
