"""The networks as PyTorch modules, one file each."""
