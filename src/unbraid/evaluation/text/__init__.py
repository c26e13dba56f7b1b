"""Evaluating models that write text."""
