"""Tiny corpora of songs in each published layout. A part is a tone of its own, so that one can hear what was found."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import soundfile
import yaml

RATE = 44100
SECONDS = 0.5
TONES_HZ = {"vocals": 500.0, "drums": 1000.0, "bass": 2000.0, "piano": 4000.0, "other": 8000.0}
MUSDB = ("vocals", "drums", "bass", "other")
VALIDATION = "Leaf - Summerghost"
MEDLEY = {
    "Ann_One": {"S01": "male singer", "S02": "drum set", "S03": "electric bass", "S04": "electric piano"},
    "Ann_Two": {"S01": "vocalists", "S02": "female rapper", "S03": "violin", "S04": "acoustic guitar"},
    "Bob_Three": {"S01": "double bass", "S02": "Main System"},
    "Cid_Four": {"S01": "tabla", "S02": "piano"},
}
TRACK = {
    "S00": {"inst_class": "Piano", "is_drum": False, "audio_rendered": True},
    "S01": {"inst_class": "Bass", "is_drum": False, "audio_rendered": True},
    "S02": {"inst_class": "Drums", "is_drum": True, "audio_rendered": True},
    "S03": {"inst_class": "Strings (continued)", "is_drum": False, "audio_rendered": True},
    "S04": {"inst_class": "Guitar", "is_drum": False, "audio_rendered": True},
    "S05": {"inst_class": "Guitar", "is_drum": False, "audio_rendered": False},
}
TABLE = "mix_path,vocals_path,drums_path,bass_path,other_path,duration"


def tone(part: str, seconds: float = SECONDS, rate: int = RATE, channels: int = 2) -> np.ndarray:
    """(C, T): the right channel is half as loud."""
    t = np.arange(round(seconds * rate)) / rate
    sound = 0.1 * np.sin(2 * np.pi * TONES_HZ[part] * t)
    return np.stack([sound, sound / 2][:channels]).astype(np.float32)


def heard(audio: np.ndarray, rate: int = RATE) -> set[str]:
    """The parts whose tones sound in audio (2, T)."""
    level = np.abs(np.fft.rfft(audio[0] * np.hanning(audio.shape[1]))) / audio.shape[1]
    return {part for part, hz in TONES_HZ.items() if level[round(hz * audio.shape[1] / rate)] > 0.005}


def write(path: Path, audio: np.ndarray, rate: int = RATE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, audio.T, rate)
    return path


def write_song(folder: Path, parts: Sequence[str], mixture: bool = False, suffix: str = ".wav") -> Path:
    for part in parts:
        write(folder / f"{part}{suffix}", tone(part))
    if mixture:
        write(folder / f"mixture{suffix}", sum(map(tone, parts)))
    return folder


def write_tracks(path: Path, tracks: Sequence[np.ndarray], rate: int = RATE) -> Path:
    """Several stereo AAC tracks in one mp4 file, as Native Instruments' stem format has them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", format="mp4") as container:
        streams = [container.add_stream("aac", rate=rate, layout="stereo", bit_rate=256000) for _ in tracks]
        for stream, audio in zip(streams, tracks, strict=True):
            frame = av.AudioFrame.from_ndarray(audio, format="fltp", layout="stereo")
            frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    return path


def musdb18(root: Path) -> Path:
    for split, names in {"train": ("A - One", VALIDATION), "test": ("B - Two",)}.items():
        for name in names:
            order = ("drums", "bass", "other", "vocals")
            tracks = [sum(map(tone, order)), *map(tone, order)]
            write_tracks(root / split / f"{name}.stem.mp4", tracks)
    return root


def musdb18hq(root: Path) -> Path:
    for split, names in {"train": ("A - One", VALIDATION), "test": ("B - Two",)}.items():
        for name in names:
            write_song(root / split / name, MUSDB, mixture=True)
    return root


def medleydb(root: Path) -> Path:
    for name, stems in MEDLEY.items():
        folder, listed = root / "Audio" / name, {}
        for stem, instrument in stems.items():
            file = f"{name}_STEM_{stem[1:]}.wav"
            write(folder / f"{name}_STEMS" / file, tone("other"))
            listed[stem] = {"component": "", "filename": file, "instrument": instrument}
        write(folder / f"{name}_MIX.wav", len(stems) * tone("other"))
        content = {"artist": "Ann", "mix_filename": f"{name}_MIX.wav", "stems": listed}
        (folder / f"{name}_METADATA.yaml").write_text(yaml.safe_dump(content))
    return root


def slakh_track(folder: Path, suffix: str = ".flac", stems: dict = TRACK) -> Path:
    places = {"S00": "piano", "S01": "bass", "S02": "drums", "S03": "other", "S04": "other"}
    for stem, part in places.items():
        write(folder / "stems" / f"{stem}{suffix}", tone(part, channels=1))
    write(folder / f"mix{suffix}", sum(tone(part, channels=1) for part in places.values()))
    (folder / "metadata.yaml").write_text(yaml.safe_dump({"UUID": "0", "normalized": True, "stems": stems}))
    return folder


def slakh(root: Path) -> Path:
    for number, split in enumerate(("train", "validation", "test"), 1):
        slakh_track(root / split / f"Track{number:05d}")
    return root


def babyslakh(root: Path) -> Path:
    """No splits, wav files, and nothing is called rendered."""
    stems = {name: stem | {"audio_rendered": False} for name, stem in TRACK.items()}
    for number in range(1, 4):
        slakh_track(root / f"Track{number:05d}", ".wav", stems)
    return root


def stems(root: Path) -> Path:
    write_song(root / "train" / "One", ("vocals", "drums", "bass", "piano", "other"), suffix=".flac")
    write_song(root / "valid" / "Two", ("vocals", "other"), mixture=True, suffix=".ogg")
    write_song(root / "test" / "Three", ("drums", "bass"))
    return root


def spleeter(root: Path) -> Path:
    for split, name in {"train": "One", "validation": "Two"}.items():
        for part in MUSDB:
            write(root / "audio" / f"{name}-{part}.wav", tone(part))
        write(root / "audio" / f"{name}-mix.wav", sum(map(tone, MUSDB)))
        row = ",".join(f"audio/{name}-{part}.wav" for part in ("mix", *MUSDB))
        (root / f"musdb_{split}.csv").write_text(f"{TABLE}\n{row},{SECONDS}\n")
    return root
