"""Signal processing in NumPy: arrays in, arrays out."""
