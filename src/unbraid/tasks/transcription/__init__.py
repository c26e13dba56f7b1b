"""Audio of any length to words with times."""
