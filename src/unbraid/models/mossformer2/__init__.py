"""MossFormer2: gated attention within groups and over all frames, and memory by dilated convolutions."""
