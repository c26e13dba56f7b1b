"""Ours, in its own environment, as a worker (see worker.py): python unbraid_worker.py MODEL SAMPLE_RATE PRECISION

`raw` returns just what the network gives, as the peer's `separate_batch` does.
"""

import os
import sys

import numpy as np
from worker import serve

import unbraid


def main() -> None:
    """Load the model and serve."""
    model, sample_rate, precision = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    threads = len(os.sched_getaffinity(0))
    separator = unbraid.Separator(model, device="cpu", raw=True, precision=precision, threads=threads)
    serve(lambda audio: np.concatenate(list(separator(audio[None], sample_rate).values())))  # each stem: (1, T)


if __name__ == "__main__":
    main()
