"""Songs as people have them, as files, through the engine itself with a small network of random weights.

Whatever is odd about a file, its stems have its rate, channels and length, hold numbers, and add up to it.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine_fakes import music_spec, noise, snr, write_model
from unbraid import audio
from unbraid.hub.spec import Spectral
from unbraid.tasks.separation import fronts, stream
from unbraid.tasks.separation.options import Options
from unbraid.tasks.separation.separator import Separator

RATE = 44100
SUM_DB = 60.0  # the contract
SPECTRAL = Spectral(frame_samples=512, hop_samples=128, frames=64, bins=128)
Signal = Callable[[], np.ndarray]


def song(channels: int = 2, samples: int = RATE) -> np.ndarray:
    """Tones and noise (C, T) at -12 dB."""
    t = np.arange(samples) / RATE
    tones = sum(np.sin(2 * np.pi * hz * t) / 3 for hz in (110, 1000, 9000))
    return (0.2 * tones + 0.5 * noise(channels, samples)).astype(np.float32)


def anti_phase() -> np.ndarray:
    mono = song(1)
    return np.concatenate((mono, -mono))


def one_silent_channel() -> np.ndarray:
    return song() * np.array([[1.0], [0.0]], np.float32)


def a_second_of_silence_first() -> np.ndarray:
    return np.concatenate((np.zeros((2, RATE), np.float32), song()), axis=1)


SONGS: dict[str, tuple[Signal, str]] = {
    "mono": (lambda: song(1), "PCM_16"),
    "one silent channel": (one_silent_channel, "PCM_16"),
    "anti-phase": (anti_phase, "PCM_16"),
    "8 bit": (song, "PCM_U8"),
    "float beyond full scale": (lambda: 20 * song(), "FLOAT"),
    "clipped": (lambda: np.clip(20 * song(), -1, 1 - 2**-15), "PCM_16"),
    "dc": (lambda: song() * 0.1 + np.float32(0.7), "PCM_24"),
    "nothing but dc": (lambda: np.full((2, RATE), 0.5, np.float32), "PCM_16"),
    "one sample": (lambda: song(2, 1), "PCM_16"),
    "one sample of mono": (lambda: np.full((1, 1), 0.5), "PCM_U8"),
    "shorter than a frame": (lambda: song(2, 300), "PCM_16"),
    "silence first": (a_second_of_silence_first, "PCM_16"),
    "six channels": (lambda: song(6), "PCM_16"),
}
RUNS = {"masks": Options(), "hard masks": Options(mask_exponent=8.0), "wiener": Options(wiener=2),
        "residual": Options(residual=True)}  # fmt: skip


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four U-Nets at 44.1 kHz."""
    folder = tmp_path_factory.mktemp("models") / "tiny-music"
    write_model(folder, music_spec(4, RATE, SPECTRAL))
    return folder


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("kind", SONGS)
def test_stems_fit_the_song_and_add_up(model: Path, tmp_path: Path, kind: str, run: str) -> None:
    make, subtype = SONGS[kind]
    path = tmp_path / "song.wav"
    soundfile.write(path, make().T, RATE, subtype=subtype)
    mixture, rate = audio.read(path)
    with Separator(model, options=RUNS[run], threads=1) as engine:
        blocks = list(engine.blocks(path))
        stems = {stem: np.concatenate([block[stem] for block in blocks], axis=1) for stem in engine.stems()}
        assert engine.output_rate(rate) == rate
    assert list(stems)[:4] == ["vocals", "drums", "bass", "other"]
    for stem in stems.values():
        assert stem.shape == mixture.shape
        assert stem.dtype == np.float32
        assert np.isfinite(stem).all()
        assert np.abs(stem).max() <= 8 * max(1.0, np.abs(mixture).max())
    assert snr(mixture, np.sum([stem.astype(np.float64) for stem in stems.values()], axis=0)) > SUM_DB
    silent = ~mixture.any(axis=1)
    assert not any(stem[silent].any() for stem in stems.values())


def test_the_wiener_filter_does_not_see_where_blocks_end(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two iterations over blocks of odd sizes are those over the whole file in one piece."""
    x = song(2, 2 * RATE)
    found = []
    for block_seconds, slice_frames in ((1e9, 10**9), (0.0731, 7)):
        monkeypatch.setattr(stream, "BLOCK_SECONDS", block_seconds)
        monkeypatch.setattr(fronts, "SLICE_FRAMES", slice_frames)
        with Separator(model, wiener=2, threads=1) as engine:
            found.append(engine(x, RATE))
    whole, pieces = found
    for stem in whole:
        assert snr(whole[stem], pieces[stem]) > 90
