"""A small song written by mido, a voice, and what FluidSynth needs."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from rendering_sounds import vowel

from unbraid import audio

SOUNDFONTS = ("/usr/share/sounds/sf2/TimGM6mb.sf2", "/usr/share/sounds/sf2/FluidR3_GM.sf2")
Song = Callable[..., Path]


@pytest.fixture
def midi_file(tmp_path: Path) -> Song:
    """Write a song: a strummed organ, a flute's melody, a bass and drums, in 4/4 at 120 beats a minute."""
    mido = pytest.importorskip("mido")

    def make(name: str = "song.mid", bars: int = 8, channels: tuple[int, ...] = (0, 1, 2, 9), shift: int = 0) -> Path:
        file = mido.MidiFile(ticks_per_beat=480)
        for channel in channels:
            track = file.add_track()
            program = {0: 16, 1: 73, 2: 33, 9: 0}[channel]
            track.append(mido.Message("program_change", channel=channel, program=program))
            pitches = {0: (60, 64, 67, 64), 1: (72, 76, 79, 74), 2: (36, 36, 43, 43), 9: (36, 38, 36, 38)}[channel]
            for beat in range(4 * bars):
                pitch = pitches[beat % 4] + (shift if channel != 9 else 0)
                track.append(mido.Message("note_on", channel=channel, note=pitch, velocity=90))
                track.append(mido.Message("note_off", channel=channel, note=pitch, time=480))
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        file.save(path)
        return path

    return make


@pytest.fixture
def soundfont() -> Path:
    """A SoundFont of this machine, and FluidSynth to play it."""
    found = [Path(path) for path in SOUNDFONTS if Path(path).is_file()]
    if not found or shutil.which("fluidsynth") is None:
        pytest.skip("no FluidSynth or SoundFont: apt install fluidsynth timgm6mb-soundfont")
    return found[0]


@pytest.fixture
def voices(tmp_path: Path) -> Path:
    """A folder with one voice of a train and one of a dev speaker."""
    folder = tmp_path / "voices"
    folder.mkdir()
    for name, pitch in (("a", 120.0), ("b", 210.0)):
        audio.write(
            folder / f"{name}.wav", vowel(pitch_hz=pitch)[None], 16000, audio.choose_format("wav", subtype="16")
        )
    (folder / "manifest.csv").write_text("path,speaker,split\na.wav,ann,train\nb.wav,bob,dev\n")
    return folder
