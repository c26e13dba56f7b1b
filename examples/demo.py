"""Separate the two example recordings, print a table of the stems, and draw their spectrograms.

python examples/demo.py [FOLDER]        # needs unbraid and matplotlib; `make demo` brings both
"""

import subprocess
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from rich.console import Console
from rich.table import Table

from unbraid.audio import read
from unbraid.dsp.stft import stft

HERE = Path(__file__).parent
RECORDINGS = (("voices.flac", "speech-2"), ("song.flac", "music-4"))
FRAME, HOP = 1024, 256
HIGHEST_KHZ = 8  # of the picture: where voices and most of a song are


def main(folder: Path) -> None:
    """Separate, tabulate, draw."""
    rows = []
    for name, model in RECORDINGS:
        command = ["separate", str(HERE / name), "-m", model, "-o", str(folder), "--overwrite"]
        print("$ unbraid", " ".join(command), flush=True)
        subprocess.run([sys.executable, "-m", "unbraid", *command], check=True)
        rows.append((HERE / name, sorted((folder / Path(name).stem).glob("*.wav"))))
    table = Table("recording", "stem", "seconds", "level (dBFS)", "file")
    for mixture, stems in rows:
        for path in (mixture, *stems):
            audio, rate = read(path)
            level = 10 * np.log10(np.mean(audio**2) + 1e-12)
            stem = "(mixture)" if path == mixture else path.stem
            table.add_row(mixture.stem, stem, f"{audio.shape[1] / rate:.2f}", f"{level:.1f}", str(path))
    Console().print(table)
    picture = folder / "separation.png"
    draw(rows, picture)
    print(f"Picture: {picture}")


def draw(rows: list[tuple[Path, list[Path]]], picture: Path) -> None:
    """A column per recording: the spectrogram of the mixture, then of each stem, on one scale."""
    height = 1 + max(len(stems) for _, stems in rows)
    figure, axes = plt.subplots(height, len(rows), figsize=(11, 1.5 * height), squeeze=False, layout="constrained")
    for column, (mixture, stems) in enumerate(rows):
        top = None
        for row in range(height):
            axis = axes[row][column]
            if row > len(stems):
                axis.axis("off")
                continue
            path = (mixture, *stems)[row]
            decibels, seconds, kilohertz = spectrogram(path)
            top = decibels.max() if top is None else top
            axis.imshow(
                decibels.T, origin="lower", aspect="auto", extent=(0, seconds, 0, kilohertz), vmin=top - 80, vmax=top,
                cmap="magma",
            )  # fmt: skip
            axis.set_title(f"{mixture.name}: {path.stem if row else 'mixture'}", loc="left", fontsize=9)
            axis.set_ylim(0, min(kilohertz, HIGHEST_KHZ))
            axis.set_ylabel("kHz", fontsize=8)
            axis.tick_params(labelsize=7)
        axes[len(stems)][column].set_xlabel("seconds", fontsize=8)
    figure.savefig(picture, dpi=80)


def spectrogram(path: Path) -> tuple[np.ndarray, float, float]:
    """Level in dB (N, F) of the channels' mean, its length in seconds and its band in kHz."""
    audio, rate = read(path)
    mono = audio.mean(0)
    usable = (len(mono) - FRAME) // HOP * HOP + FRAME
    level = 20 * np.log10(np.abs(stft(mono[:usable], FRAME, HOP)) + 1e-6)
    return level, len(mono) / rate, rate / 2000


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("demo"))
