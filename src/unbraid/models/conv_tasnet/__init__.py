"""Conv-TasNet: dilated convolutions over a learned encoding of the waveform."""
