"""SpeechBrain's SepFormer, in its own environment.

    python speechbrain_worker.py FOLDER           # a worker (see worker.py)
    python speechbrain_worker.py FOLDER FILE OUT  # a whole command: one file to one wav per voice

It has no command of its own; the second form is the example of its documentation.
"""

import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile
import torch
from speechbrain.inference.separation import SepformerSeparation
from worker import serve


def main() -> None:
    """Load the model; serve, or separate one file."""
    folder, *rest = sys.argv[1:]
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    with tempfile.TemporaryDirectory() as links, torch.inference_mode():
        model = SepformerSeparation.from_hparams(source=folder, savedir=links)
        if not rest:
            serve(lambda audio: np.ascontiguousarray(model.separate_batch(torch.from_numpy(audio)[None])[0].T.numpy()))
            return
        file, out = map(Path, rest)
        sources = model.separate_file(str(file), savedir=links)[0]  # (T, S)
        out.mkdir(parents=True, exist_ok=True)
        for index in range(sources.shape[1]):
            soundfile.write(out / f"voice{index + 1}.wav", sources[:, index].numpy(), model.hparams.sample_rate)


if __name__ == "__main__":
    main()
