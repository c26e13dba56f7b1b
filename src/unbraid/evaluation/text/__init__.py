"""Evaluating models of text: pronunciation, transcription, synthesis."""
