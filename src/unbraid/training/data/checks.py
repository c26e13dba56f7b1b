"""Range checks of a recipe's numbers, common to the dataclasses of random draws."""

import math

SLOWEST, FASTEST = 0.5, 2.0  # of speeds and tempos; beyond them, sounds become unrecognisable


def check_probabilities(values: object, *names: str) -> None:
    """Refuse a field that does not lie from 0 to 1 (ValueError)."""
    for name in names:
        if not 0 <= getattr(values, name) <= 1:
            raise ValueError(f"{name} must be from 0 to 1, got {getattr(values, name)}.")


def check_ranges(values: object, *names: str) -> None:
    """Refuse a field that is not a low end and a high end (ValueError)."""
    for name in names:
        low, high = getattr(values, name)
        if not -math.inf < low <= high < math.inf:
            raise ValueError(f"{name} must be a low end and a high end, got {low}, {high}.")


def check_within(values: object, least: float, most: float, *names: str) -> None:
    """Refuse a range that does not lie between two bounds (ValueError)."""
    for name in names:
        low, high = getattr(values, name)
        if low < least or high > most:
            raise ValueError(f"{name} must lie between {least:.1f} and {most:.1f}, got {low}, {high}.")
