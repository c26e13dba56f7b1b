"""Decoding step by step: greedy search, beams, sampling, CTC."""
