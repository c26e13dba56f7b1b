"""faster-whisper as a worker (see worker.py): python faster_whisper_worker.py MODEL COMPUTE_TYPE BEAMS"""

import os
import sys

import numpy as np
from faster_whisper import WhisperModel
from worker import serve


def main() -> None:
    """Load the model and serve; segments are decoded as they are read."""
    model, compute_type, beams = sys.argv[1], sys.argv[2], int(sys.argv[3])
    threads = len(os.sched_getaffinity(0))
    whisper = WhisperModel(model, device="cpu", compute_type=compute_type, cpu_threads=threads)

    def transcribed(audio: np.ndarray) -> np.ndarray:
        segments, _ = whisper.transcribe(audio, beam_size=beams, language="en")
        return np.array(["".join(segment.text for segment in segments)])

    serve(transcribed)


if __name__ == "__main__":
    main()
