"""A small song of tones and noise, as stems, and a separator that gives them: four chords, 120 beats a minute."""

from collections.abc import Iterator

import numpy as np

from unbraid.dsp.arrays import FloatArray

RATE = 22050
BPM = 120.0
CHORDS = {"C:maj": (60, 64, 67), "F:maj": (60, 65, 69), "G:maj": (59, 62, 67), "A:min": (60, 64, 69)}
ROOTS = {"C:maj": 36, "F:maj": 41, "G:maj": 43, "A:min": 45}
STEMS = ("vocals", "drums", "bass", "other")


def tone(pitch: float, seconds: float, harmonics: int = 5) -> FloatArray:
    """A note (n,) that fades."""
    time = np.arange(round(seconds * RATE)) / RATE
    hertz = 440 * 2 ** ((pitch - 69) / 12)
    wave = sum(np.sin(2 * np.pi * k * hertz * time) / k for k in range(1, harmonics + 1))
    return np.asarray(0.1 * wave * np.minimum(1, 40 * time) * np.exp(-1.5 * time), np.float32)


def burst(seconds: float, low: bool, random: np.random.Generator) -> FloatArray:
    """A drum (n,): a kick, or noise."""
    time = np.arange(round(seconds * RATE)) / RATE
    body = np.sin(2 * np.pi * 60 * time) * 2 if low else random.standard_normal(len(time))
    return np.asarray(0.2 * body * np.exp(-30 * time), np.float32)


def stems_of(bars: int = 8, bpm: float = BPM, cents: float = 0.0, start: float = 0.25) -> dict[str, FloatArray]:
    """The stems (1, T): a chord a bar with bass on each beat, kick on one and three, snare on two and four, hats."""
    beat, random = 60 / bpm, np.random.default_rng(0)
    samples = round((start + 4 * bars * beat + 0.5) * RATE)
    stems = {stem: np.zeros((1, samples), np.float32) for stem in STEMS}

    def put(stem: str, time: float, sound: FloatArray) -> None:
        first = round((start + time) * RATE)
        room = stems[stem][0, first : first + len(sound)]
        room += sound[: len(room)]

    for bar, name in zip(range(bars), list(CHORDS) * bars, strict=False):
        for pitch in CHORDS[name]:
            put("other", 4 * bar * beat, tone(pitch + cents / 100, 4 * beat))
        for place in range(4):
            time = (4 * bar + place) * beat
            put("bass", time, tone(ROOTS[name] + cents / 100, beat))
            put("drums", time, burst(beat / 2, place % 2 == 0, random))
            for hat in (0, 0.5):
                put("drums", time + hat * beat, 0.2 * burst(beat / 4, False, random))
    return stems


def beats_of_song(bars: int = 8, bpm: float = BPM, start: float = 0.25) -> list[float]:
    """When the beats are."""
    return [start + 60 / bpm * number for number in range(4 * bars)]


class StemsInChannels:
    """A separator whose stems are the four channels of its input."""

    passes = 1

    def __init__(self, model: str = "music-4", **_: object) -> None:
        self.spec = type("Spec", (), {"name": model, "files": {}})()
        self.device, self.device_reason = "cpu", "a fake"

    def stems(self) -> tuple[str, ...]:
        """As those of music-4."""
        return STEMS

    def output_rate(self, sample_rate: int) -> int:
        """The input's."""
        return sample_rate

    def output_channels(self, channels: int) -> int:
        """One for each stem here."""
        return channels

    def separated(self, track, progress, diagnostics) -> Iterator[dict[str, FloatArray]]:
        """Each stem on all channels, so that they add up to no more than the channels."""
        for block in track.blocks():
            yield {stem: np.repeat(block[i : i + 1], len(block), 0) for i, stem in enumerate(STEMS)}

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        pass
