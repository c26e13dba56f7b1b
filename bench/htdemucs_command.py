"""Demucs as a whole command, in its own environment: python htdemucs_command.py FOLDER FILE OUT

The same steps as `demucs`, without random shifts: read, separate, write 16-bit wav. Files go through soundfile, and the
network comes from a folder instead of the hub.
"""

import sys
from pathlib import Path

import soundfile
import torch
from demucs.apply import apply_model
from demucs.states import load_model


def main() -> None:
    """Separate one 44.1 kHz file."""
    folder, file, out = map(Path, sys.argv[1:4])
    (path,) = folder.glob("*.th")
    model = load_model(path)
    audio, sample_rate = soundfile.read(file, dtype="float32", always_2d=True)  # (T, C)
    assert sample_rate == model.samplerate
    wave = torch.from_numpy(audio.T.copy())
    reference = wave.mean(0)
    mean, level = reference.mean(), reference.std() + 1e-8
    stems = apply_model(model, ((wave - mean) / level)[None], shifts=0)[0] * level + mean
    out.mkdir(parents=True, exist_ok=True)
    for stem, found in zip(model.sources, stems, strict=True):
        soundfile.write(out / f"{stem}.wav", found.T.numpy(), sample_rate, "PCM_16")


if __name__ == "__main__":
    main()
