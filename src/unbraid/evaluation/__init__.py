"""Score models on datasets, and report the scores."""
