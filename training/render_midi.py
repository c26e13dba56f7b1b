"""Render MIDI to stems with FluidSynth, and pack them with recorded songs and speech for `train_music.py`.

    python training/render_midi.py --data data --out packed --held-out TimGM6mb.sf2 --soundfonts FluidR3_GM.sf2

`data` holds `music/{train,dev,test}/SONG/STEM.ogg`, `midi/freedoom/*.mid` (songs), `midi/groove/**/*.mid` (drum
performances) and `speech8k/manifest.csv`. The result is `packed/SPLIT/KIND-NAME/STEM.npy`, int16 (T, 2) at
44.1 kHz: a memory map of it costs nothing to open, and a crop of it nothing to decode. Stems of one folder start
together, and their sum does not clip.

A General MIDI song is split by what plays a note: channel 10 is drums, programs 33–40 (counted from one) are bass,
the rest is other. Every training SoundFont renders every song; from the second on, programs are swapped inside their
family of eight and the drum kit changes, which is the cheapest way to more instruments. Dev and test songs are held
out, test with a SoundFont no training song has heard; as MIDI cannot sing, they get the voice of the split's song.
"""

import argparse
import csv
import multiprocessing
import subprocess
import tempfile
import zlib
from pathlib import Path

import mido
import numpy as np
import soundfile
import soxr

RATE = 44100
STEMS = ("drums", "bass", "other")
DRUM_CHANNEL = 9  # counted from zero
KITS = (0, 8, 16, 24, 25, 32, 40)  # General MIDI level 2 drum kits: standard, room, power, electronic, 808, jazz, brush
GROOVE_NOTES = {22: 42, 26: 46, 58: 43}  # an electronic kit's extra zones -> the General MIDI drum they stand for
Event = tuple[float, mido.Message]  # seconds from the start


def read_events(path: Path) -> list[Event]:
    """All channel messages of a file in order, tempo changes worked in."""
    now, events = 0.0, []
    for message in mido.MidiFile(path, clip=True):
        now += message.time
        if not message.is_meta and message.type != "sysex":
            events.append((now, message))
    return events


def cut(events: list[Event], start: float, seconds: float) -> list[Event]:
    """`seconds` from `start` on: settings made before it are kept, notes before it are not."""
    kept = [(max(0.0, t - start), m) for t, m in events if t >= start or m.type not in ("note_on", "note_off")]
    return [(t, m) for t, m in kept if t < seconds]


def swap_programs(events: list[Event], random: np.random.Generator) -> list[Event]:
    """Another instrument of the same family for every program, and another drum kit."""
    swap = [8 * (program // 8) + int(random.integers(8)) for program in range(128)]
    kit = int(random.choice(KITS))
    swapped: list[Event] = [(0.0, mido.Message("program_change", channel=DRUM_CHANNEL, program=kit))]
    for t, message in events:
        if message.type == "program_change":
            message = message.copy(program=kit if message.channel == DRUM_CHANNEL else swap[message.program])
        swapped.append((t, message))
    return swapped


def split_stems(events: list[Event]) -> dict[str, list[Event]]:
    """Stem -> events: a note goes to one stem, everything else to all of them."""
    stems: dict[str, list[Event]] = {name: [] for name in STEMS}
    programs = [0] * 16
    for t, message in events:
        if message.type == "program_change":
            programs[message.channel] = message.program
        if message.type == "note_on" and message.velocity > 0:
            drums, bass = message.channel == DRUM_CHANNEL, 32 <= programs[message.channel] < 40
            stems["drums" if drums else "bass" if bass else "other"].append((t, message))
        else:
            for stem in stems.values():
                stem.append((t, message))
    return stems


def render(events: list[Event], soundfont: Path, seconds: float) -> np.ndarray:
    """Sound (T, 2) of the events, float32, not longer than `seconds`."""
    midi = mido.MidiFile(ticks_per_beat=500)  # at the default 120 beats a minute a tick is a millisecond
    track = midi.add_track()
    ticks = 0
    for t, message in events:
        track.append(message.copy(time=max(0, round(1000 * t) - ticks)))
        ticks = max(ticks, round(1000 * t))
    for channel in range(16):  # FluidSynth renders until the last voice is silent: a note without end never ends
        rest = max(0, round(1000 * seconds) - ticks) if channel == 0 else 0
        track.append(mido.Message("control_change", channel=channel, control=120, value=0, time=rest))  # all sound off
    with tempfile.TemporaryDirectory() as folder:
        midi.save(f"{folder}/song.mid")
        command = ["fluidsynth", "-niq", "-g", "0.3", "-o", "synth.dynamic-sample-loading=1", "-r", str(RATE)]
        command += ["-T", "wav", "-O", "float", "-F", f"{folder}/song.wav", str(soundfont), f"{folder}/song.mid"]
        subprocess.run(command, check=True, timeout=300, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        audio, _ = soundfile.read(f"{folder}/song.wav", dtype="float32", always_2d=True)
    return np.asarray(audio[: round(seconds * RATE)])


def pack(stems: dict[str, np.ndarray], folder: Path) -> None:
    """Write stems (T, 2) as int16 under one common gain that brings the loudest of them, or their sum, to -1 dBFS."""
    length = max(len(stem) for stem in stems.values())
    stems = {name: np.pad(stem, ((0, length - len(stem)), (0, 0))) for name, stem in stems.items()}
    stems = {name: stem for name, stem in stems.items() if np.abs(stem).max() > 1e-4}
    if not stems:
        return
    mixture = np.sum(list(stems.values()), axis=0)
    gain = 10 ** (-1 / 20) / max(np.abs(stem).max() for stem in (*stems.values(), mixture))
    folder.mkdir(parents=True, exist_ok=True)
    for name, stem in stems.items():
        np.save(folder / f"{name}.npy", np.round(stem * gain * 32767).astype(np.int16))


def pack_song(path: Path, soundfont: Path, swap: bool, seconds: float, voice: Path | None, folder: Path) -> None:
    """One rendered song; with `voice`, sung over by a piece of that recording at 0.7 times the RMS of the rest."""
    random = np.random.default_rng(zlib.crc32(folder.name.encode()))
    events = read_events(path)
    length = events[-1][0]
    events = cut(events, random.uniform(0, max(0.0, length - seconds)), seconds)
    stems = {name: render(part, soundfont, seconds) for name, part in
             split_stems(swap_programs(events, random) if swap else events).items()}  # fmt: skip
    if voice is not None:
        audio, _ = soundfile.read(voice, dtype="float32")
        windows = [audio[i : i + round(seconds * RATE)] for i in range(0, len(audio), RATE)]
        windows = [w for w in windows if len(w) == round(seconds * RATE)]
        windows = sorted(windows, key=lambda w: float(np.mean(w**2)))[len(windows) // 2 :]  # the ones with most singing
        window = windows[random.integers(len(windows))]
        rest = np.sqrt(sum(np.mean(stem**2) for stem in stems.values()))
        stems["vocals"] = window * (0.7 * rest / np.sqrt(np.mean(window**2)))
    pack(stems, folder)


def pack_grooves(paths: list[Path], soundfont: Path, folder: Path) -> None:
    """Drum performances one after the other, each on a random kit, as one folder with a drums stem."""
    random = np.random.default_rng(zlib.crc32(folder.name.encode()))
    events: list[Event] = []
    end = 0.0
    for path in paths:
        kit = int(random.choice(KITS))
        events.append((end, mido.Message("program_change", channel=DRUM_CHANNEL, program=kit)))
        performance = [(t, m) for t, m in read_events(path) if t < 20]
        for t, message in performance:
            if message.type == "note_on":
                message = message.copy(channel=DRUM_CHANNEL, note=GROOVE_NOTES.get(message.note, message.note))
                events.append((end + t, message))
        end += performance[-1][0] + 0.5
    pack({"drums": render(events, soundfont, end)}, folder)


def pack_recordings(data: Path, out: Path) -> None:
    """The recorded songs, whole; a piano counts as other."""
    for song in sorted((data / "music").glob("*/*")):
        stems = {path.stem: soundfile.read(path, dtype="float32")[0] for path in sorted(song.glob("*.ogg"))}
        if "piano" in stems:
            piano = stems.pop("piano")
            length = min(len(piano), len(stems["other"]))
            stems["other"] = stems["other"][:length] + piano[:length]
        pack(stems, out / song.parent.name / f"recorded-{song.name}")


def pack_speech(data: Path, out: Path, minutes: float) -> None:
    """One utterance each of many training speakers, joined: voices for the vocals net, though only up to 4 kHz."""
    with open(data / "speech8k" / "manifest.csv", newline="") as file:
        rows = {row["speaker"]: row for row in csv.DictReader(file) if row["split"] == "train"}
    pieces, total = [], 0.0
    for row in rows.values():
        audio, rate = soundfile.read(data / "speech8k" / row["path"], dtype="float32")
        audio = soxr.resample(audio, rate, RATE) / (10 * np.sqrt(np.mean(audio**2)) + 1e-3)
        pieces.append(np.stack((audio, audio), axis=1))
        total += len(audio) / RATE / 60
        if total > minutes:
            break
    pack({"vocals": np.concatenate(pieces)}, out / "train" / "speech-voices")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--soundfonts", type=Path, nargs="+", required=True, help="for training and dev")
    parser.add_argument("--held-out", type=Path, required=True, help="SoundFont of the rendered test songs")
    parser.add_argument("--seconds", type=float, default=30, help="length of the excerpt of a song")
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    voices = {split: next((args.data / "music" / split).glob("*/vocals.ogg")) for split in ("dev", "test")}
    jobs = [(pack_recordings, (args.data, args.out)), (pack_speech, (args.data, args.out, 20.0))]
    grooves = [p for p in sorted((args.data / "midi" / "groove").glob("**/*.mid")) if mido.MidiFile(p).length > 10]
    for i, soundfont in enumerate(args.soundfonts):
        for j in range(8):
            jobs.append((pack_grooves, (grooves[j :: 8 * 4], soundfont, args.out / "train" / f"groove-{i}-{j}")))
    songs = sorted((args.data / "midi" / "freedoom").glob("*.mid"))
    for path in songs[11::28]:
        job = (path, args.soundfonts[0], False, 30.0, voices["dev"], args.out / "dev" / f"midi-{path.stem}")
        jobs.append((pack_song, job))
    for path in songs[5::19]:
        job = (path, args.held_out, False, 45.0, voices["test"], args.out / "test" / f"midi-{path.stem}")
        jobs.append((pack_song, job))
    songs = [path for n, path in enumerate(songs) if n % 28 != 11 and n % 19 != 5]
    for i, soundfont in enumerate(args.soundfonts):
        for path in songs:
            name = args.out / "train" / f"midi-{path.stem}-{i}"
            jobs.append((pack_song, (path, soundfont, i > 0, args.seconds, None, name)))
    with multiprocessing.Pool(args.workers) as pool:
        for result in [pool.apply_async(function, arguments) for function, arguments in jobs]:
            result.get()


if __name__ == "__main__":
    main()
