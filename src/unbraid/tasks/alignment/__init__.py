"""Forced alignment: the times of a text that is known, in a recording of it."""
