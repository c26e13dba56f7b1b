"""Voice conversion: the same words, in the voice of somebody else."""
