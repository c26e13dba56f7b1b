"""Separate the example recordings, print a table of the stems, and draw their spectrograms.

The voices are drawn beside the recordings of each reader alone.

python examples/demo.py [FOLDER]        # needs unbraid and matplotlib; `make demo` brings both
"""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from rich.console import Console
from rich.table import Table

from unbraid.audio import read
from unbraid.dsp.metrics import best_permutation, si_sdr
from unbraid.dsp.stft import stft

HERE = Path(__file__).parent
RECORDINGS = (("voices.flac", "speech"), ("song.flac", "music-4"))
FRAME, HOP = 1024, 256
HIGHEST_KHZ = 8  # of the picture: where voices and most of a song are


@dataclass(frozen=True)
class Panel:
    """One spectrogram of the picture."""

    title: str
    path: Path


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
    (voices, estimates), (song, stems) = rows
    draw([*beside_references(voices, estimates), [Panel(_title(path), path) for path in (song, *stems)]], picture)
    print(f"Picture: {picture}")


def beside_references(mixture: Path, estimates: list[Path]) -> list[list[Panel]]:
    """Two columns: the mixture and the separated voices with their scores, and the voices as they were recorded."""
    references = sorted(HERE.glob(f"{mixture.stem}_ref*.flac"))
    mixed, *signals = (read(path)[0] for path in (mixture, *references, *estimates))
    spoken, separated = np.stack(signals[: len(references)]), np.stack(signals[len(references) :])
    order = best_permutation(spoken, separated)
    left, right = [Panel(_title(mixture), mixture)], [Panel("", mixture)]
    for voice, (reference, estimate) in enumerate(zip(references, order, strict=True)):
        gain = si_sdr(separated[estimate, 0], spoken[voice, 0]) - si_sdr(mixed[0], spoken[voice, 0])
        left.append(Panel(f"{_title(estimates[estimate])} (SI-SDR {gain:+.1f} dB)", estimates[estimate]))
        right.append(Panel(f"reader {voice + 1} alone", reference))
    return [left, right]


def _title(path: Path) -> str:
    return f"{path.name}: mixture" if path.parent == HERE else path.stem


def draw(columns: list[list[Panel]], picture: Path) -> None:
    """Draw the columns of spectrograms, each on one scale; a panel without a title stays empty."""
    height = max(map(len, columns))
    figure, axes = plt.subplots(height, len(columns), figsize=(13, 1.5 * height), squeeze=False, layout="constrained")
    for axis in axes.flat:
        axis.axis("off")
    for column, panels in enumerate(columns):
        shown = [(axis, panel) for axis, panel in zip(axes[:, column], panels, strict=False) if panel.title]
        top = spectrogram(panels[0].path)[0].max()
        for axis, panel in shown:
            decibels, seconds, kilohertz = spectrogram(panel.path)
            axis.imshow(
                decibels.T, origin="lower", aspect="auto", extent=(0, seconds, 0, kilohertz), vmin=top - 80, vmax=top,
                cmap="magma",
            )  # fmt: skip
            axis.axis("on")
            axis.set_title(panel.title, loc="left", fontsize=9)
            axis.set_ylim(0, min(kilohertz, HIGHEST_KHZ))
            axis.set_ylabel("kHz", fontsize=8)
            axis.tick_params(labelsize=7)
        shown[-1][0].set_xlabel("seconds", fontsize=8)
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
