"""Whisper's decoding (Radford et al., arXiv 2212.04356, section 4.5): audio of any length to text with times."""
