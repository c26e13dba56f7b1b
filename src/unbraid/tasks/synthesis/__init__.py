"""Text to phonemes to speech."""
