"""Evaluation of speaker embeddings: whether two pieces of speech are of one person."""
