"""Spleeter as a whole command, in its own environment: python spleeter_command.py FOLDER FILE OUT [--mwf]

The same steps as `spleeter separate`: read, separate, write 16-bit wav. Files go through soundfile, because
Spleeter's own reader and writer start an ffmpeg program that not every machine has; that costs it nothing.
"""

import json
import sys
import tempfile
from pathlib import Path

import soundfile
from spleeter.separator import Separator


def main() -> None:
    """Separate one 44.1 kHz file."""
    folder, file, out = map(Path, sys.argv[1:4])
    config = json.loads((folder / "config.json").read_text()) | {"model_dir": str(folder.resolve())}
    with tempfile.NamedTemporaryFile("w", suffix=".json") as descriptor:
        json.dump(config, descriptor)
        descriptor.flush()
        separator = Separator(descriptor.name, MWF="--mwf" in sys.argv, multiprocess=False)
    audio, sample_rate = soundfile.read(file, dtype="float32", always_2d=True)  # (T, C)
    assert sample_rate == 44100
    out.mkdir(parents=True, exist_ok=True)
    for stem, wave in separator.separate(audio).items():
        soundfile.write(out / f"{stem}.wav", wave, sample_rate, "PCM_16")


if __name__ == "__main__":
    main()
