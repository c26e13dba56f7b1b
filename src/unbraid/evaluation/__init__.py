"""Score speech models on the mixtures of a dataset, and show what the scores are made of; NumPy alone will do."""
