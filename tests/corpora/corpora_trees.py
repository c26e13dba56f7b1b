"""Tiny corpora in each published layout, with the file names that their scripts write."""

from pathlib import Path

import numpy as np
import soundfile

WSJ0 = ("01aa010b_0.97482_209a010p_-0.97482", "02ba0203_1.5_01ab0101_-1.5")
WSJ0_3 = ("01aa010b_0.97482_209a010p_-0.97482_40na0101_0",)
LIBRI = ("1034-121119-0049_3214-167602-0015", "4446-2273-0025_1034-62556-0014")
LIBRI_3 = ("1034-121119-0049_3214-167602-0015_4446-2273-0025",)
SAMPLES = 400


def write(path: Path, audio: np.ndarray, rate: int = 8000) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, audio.T, rate, subtype="FLOAT")


def voices(name: str, count: int, samples: int = SAMPLES) -> np.ndarray:
    """Noise (count, T) that belongs to a name."""
    return np.random.default_rng(sum(name.encode())).normal(0, 0.1, (count, samples)).astype(np.float32)


def wsj0mix(root: Path, sources: int = 2, mode: str = "min", splits: tuple[str, ...] = ("tr", "cv", "tt")) -> Path:
    for split in splits:
        for name in WSJ0 if sources == 2 else WSJ0_3:
            base = root / f"{sources}speakers" / "wav8k" / mode / split
            s = voices(split + name, sources)
            write(base / "mix" / f"{name}.wav", s.sum(0))
            for j, row in enumerate(s, 1):
                write(base / f"s{j}" / f"{name}.wav", row)
    return root


def noisy(base: Path, name: str, sources: int, rate: int = 8000) -> None:
    """What LibriMix and WHAM! write of a mixture: clean, both, single."""
    *s, noise = voices(str(base) + name, sources + 1)
    parts = {f"s{j}": row for j, row in enumerate(s, 1)} | {"noise": noise}
    parts |= {"mix_clean": sum(s), "mix_both": sum(s) + noise, "mix_single": s[0] + noise}
    for folder, audio in parts.items():
        write(base / folder / f"{name}.wav", audio, rate)


def librimix(root: Path, sources: int = 2, mode: str = "min", rate: int = 8000) -> Path:
    top = root / f"Libri{sources}Mix"
    for split in ("train-100", "dev", "test"):
        for name in LIBRI if sources == 2 else LIBRI_3:
            noisy(top / f"wav{rate // 1000}k" / mode / split, name, sources, rate)
    return root


def wham(root: Path) -> Path:
    for split in ("tr", "cv", "tt"):
        for name in WSJ0:
            noisy(root / "wav8k" / "min" / split, name, 2)
    return root


def whamr(root: Path) -> Path:
    """Reverberation is a copy 5 samples later."""
    for split in ("tr", "cv", "tt"):
        for name in WSJ0:
            base = root / "wav8k" / "min" / split
            *s, noise = voices(split + name, 3)
            write(base / "noise" / f"{name}.wav", noise)
            for kind, sound in (("anechoic", s), ("reverb", [row + 0.5 * np.roll(row, 5) for row in s])):
                for j, row in enumerate(sound, 1):
                    write(base / f"s{j}_{kind}" / f"{name}.wav", row)
                write(base / f"mix_clean_{kind}" / f"{name}.wav", sum(sound))
                write(base / f"mix_both_{kind}" / f"{name}.wav", sum(sound) + noise)
                write(base / f"mix_single_{kind}" / f"{name}.wav", sound[0] + noise)
    return root


def manifest(root: Path, speakers: int = 4, seconds: float = 2.0, splits: tuple[str, ...] = ("train", "test")) -> Path:
    """Two recordings of each speaker, and columns that nobody asked for."""
    lines = ["path,speaker,split,text"]
    for split in splits:
        for who in range(speakers):
            for take in range(2):
                name = f"audio/{split}{who}_{take}.wav"
                write(root / name, voices(name, 1, round(seconds * 8000))[0])
                lines.append(f'{name},{split}{who},{split},"a, b"')
    (root / "manifest.csv").write_text("\n".join(lines) + "\n")
    return root
