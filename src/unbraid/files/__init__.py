"""Files on disk: written at once or not at all, read within limits, found in folders."""
