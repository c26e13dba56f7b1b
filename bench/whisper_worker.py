"""Our Whisper, in its own environment, as a worker (see worker.py): python whisper_worker.py MODEL PRECISION BEAMS"""

import os
import sys

import numpy as np
from worker import serve

import unbraid


def main() -> None:
    """Load the model and serve."""
    model, precision, beams = sys.argv[1], sys.argv[2], int(sys.argv[3])
    transcriber = unbraid.Transcriber(
        model,
        device="cpu",
        precision=precision,
        threads=len(os.sched_getaffinity(0)),
        beams=beams,
        whisper=unbraid.WhisperOptions(language="en"),
    )
    serve(lambda audio: np.array([transcriber(audio[None], 16000).text]))


if __name__ == "__main__":
    main()
