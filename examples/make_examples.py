"""Make the example recordings of this folder: two readers who talk at once, and a song.

    pip install mido numpy soundfile soxr        # and espeak-ng, fluidsynth, fluid-soundfont-gm from the system
    python examples/make_examples.py [LIBRISPEECH]

The readers are cut from LibriSpeech, whose folder is given, or their recordings here are mixed again. The
song is a short tune of our own, played by FluidSynth with the Fluid R3 SoundFont (MIT licence), with a synthetic voice
(espeak-ng) speaking over it. README.md of this folder names sources and licences.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import mido
import numpy as np
import soundfile
import soxr

HERE = Path(__file__).parent
READERS = (("1034-121119-0000", 0.0), ("4214-7146-0000", 1.0))  # a man and a woman; utterance, start in seconds
READERS_RATE = 8000
LEVEL = 0.05  # RMS of each reader
SOUNDFONT = "/usr/share/sounds/sf2/FluidR3_GM.sf2"
TEMPO_BPM = 100
CHORDS = ((57, 60, 64), (53, 57, 60), (48, 52, 55), (55, 59, 62))  # A minor, F, C, G
KICK, SNARE, HAT = 36, 38, 42


def speak(text: str, voice: str, pitch: int, speed: int, rate: int) -> np.ndarray:
    """Say a text with espeak-ng: float (T,) at unit RMS."""
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        subprocess.run(
            ["espeak-ng", "-v", voice, "-p", str(pitch), "-s", str(speed), "-w", file.name, text], check=True
        )
        audio, own_rate = soundfile.read(file.name)
    audio = soxr.resample(audio, own_rate, rate)
    return audio / np.sqrt(np.mean(audio**2))


def readers(librispeech: Path) -> None:
    """Cut the two readers, equally loud, to the length of the longer one: `voices_ref1.flac`, `voices_ref2.flac`."""
    spoken = []
    for name, start in READERS:
        audio, rate = soundfile.read(next(librispeech.rglob(f"{name}.flac")))
        audio = soxr.resample(audio, rate, READERS_RATE)
        spoken.append(np.pad(audio / np.sqrt(np.mean(audio**2)), (round(start * READERS_RATE), 0)))
    length = max(map(len, spoken))
    for number, audio in enumerate(spoken, 1):
        samples = LEVEL * np.pad(audio, (0, length - len(audio)))
        soundfile.write(HERE / f"voices_ref{number}.flac", samples, READERS_RATE, subtype="PCM_16")


def mix() -> None:
    """Write the sum of the two readers."""
    first, second = (soundfile.read(HERE / f"voices_ref{number}.flac", dtype="int16") for number in (1, 2))
    soundfile.write(HERE / "voices.flac", first[0] + second[0], first[1], subtype="PCM_16")


def tune(bars: int) -> mido.MidiFile:
    """Drums, bass, piano and strings over four chords."""
    midi = mido.MidiFile(ticks_per_beat=480)
    midi.tracks.append(mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(TEMPO_BPM))]))
    notes: list[tuple[int, int, int, int, int]] = []  # channel, start and length in ticks, pitch, velocity
    for bar in range(bars):
        start, chord = bar * 1920, CHORDS[bar % 4]
        for beat in range(4):
            notes.append((9, start + beat * 480, 100, KICK if beat % 2 == 0 else SNARE, 105))
            notes += [(9, start + beat * 480 + half, 60, HAT, 70) for half in (0, 240)]
            notes.append((0, start + beat * 480, 400, chord[0] - 24 + (7 if beat == 3 else 0), 100))
            notes += [(1, start + beat * 480 + 240, 200, pitch, 75) for pitch in chord]
        notes += [(2, start, 1900, pitch + 12, 55) for pitch in chord]
    for channel, program in ((0, 33), (1, 0), (2, 48), (9, 0)):
        events = [
            (s, mido.Message("note_on", channel=channel, note=p, velocity=v)) for c, s, _, p, v in notes if c == channel
        ]
        events += [
            (s + n, mido.Message("note_off", channel=channel, note=p)) for c, s, n, p, _ in notes if c == channel
        ]
        track = mido.MidiTrack([mido.Message("program_change", channel=channel, program=program)])
        now = 0
        for tick, message in sorted(events, key=lambda event: event[0]):
            track.append(message.copy(time=tick - now))
            now = tick
        midi.tracks.append(track)
    return midi


def song(rate: int = 44100, bars: int = 6) -> np.ndarray:
    """The tune with somebody speaking over it, (T, 2)."""
    with tempfile.TemporaryDirectory() as folder:
        score, sound = Path(folder) / "tune.mid", Path(folder) / "tune.wav"
        tune(bars).save(score)
        subprocess.run(["fluidsynth", "-niq", "-r", str(rate), "-F", str(sound), SOUNDFONT, str(score)], check=True)
        music, _ = soundfile.read(sound)
    samples = int(bars * 4 * 60 / TEMPO_BPM * rate)
    music = music[:samples] / np.sqrt(np.mean(music[:samples] ** 2))
    words = "Turn the lights down, hear the drums come in. Count to four, and let the song begin."
    voice = speak(words, "en-us+m7", 55, 120, rate)
    mixture = 0.08 * music
    start = int(2.4 * rate)
    voice = voice[: samples - start]
    mixture[start : start + len(voice)] += 0.09 * voice[:, None]
    return mixture


if __name__ == "__main__":
    if len(sys.argv) > 1:
        readers(Path(sys.argv[1]))
    mix()
    soundfile.write(HERE / "song.flac", song(), 44100, subtype="PCM_16")
