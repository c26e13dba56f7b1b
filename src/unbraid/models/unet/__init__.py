"""Spleeter's U-Nets: masks on magnitude spectrograms."""
