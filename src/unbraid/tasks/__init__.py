"""The tasks: separation, enhancement, transcription, synthesis, phonemes, attention maps."""
