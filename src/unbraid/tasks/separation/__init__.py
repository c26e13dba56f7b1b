"""Separation of recordings into stems, in memory or in blocks."""
