"""Hits of three drums come at their times with their pitches, in any blocks, and none of silence or of other stems."""

import numpy as np
import pytest

from unbraid.dsp.arrays import FloatArray
from unbraid.tasks.analysis.drums import DrumTracker
from unbraid.tasks.analysis.notes import Notes

RATE = 44100
BANDS_HZ = {36: (40, 120), 38: (200, 1700), 42: (9000, 18000)}
HITS = {36: (0.5, 1.5, 2.5, 3.5), 38: (1.0, 2.0, 3.0), 42: (0.75, 1.25, 1.75, 2.25, 2.75)}


def played(hits: dict[int, tuple[float, ...]] = HITS, seconds: float = 4.0) -> FloatArray:
    """Bursts of noise (1, T) in the band of each drum."""
    random, sound = np.random.default_rng(1), np.zeros(round(seconds * RATE))
    hz = np.fft.rfftfreq(RATE // 5, 1 / RATE)
    for pitch, times in hits.items():
        low, high = BANDS_HZ[pitch]
        for time in times:
            spectrum = np.fft.rfft(random.standard_normal(RATE // 5)) * ((hz >= low) & (hz < high))
            age = np.arange(RATE // 5) / RATE
            burst = np.fft.irfft(spectrum) * np.exp(-30 * age) * np.minimum(1, age / 0.005)
            first = round(time * RATE)
            sound[first : first + len(burst)] += 0.3 * burst / np.abs(burst).max()
    return np.asarray(sound[None], np.float32)


def tracked(stem: FloatArray, recording: FloatArray, block: int = RATE) -> Notes:
    tracker = DrumTracker(RATE)
    for start in range(0, stem.shape[1], block):
        tracker.push(stem[:, start : start + block], recording[:, start : start + block])
    return tracker.finish()


def test_each_drum_is_heard_at_its_times() -> None:
    found = tracked(played(), played())
    for pitch, times in HITS.items():
        told = [note.start for note in found if note.pitch == pitch]
        assert told == [pytest.approx(time, abs=0.03) for time in times], pitch
    assert (found.model, found.stem, found.reason) == ("onsets in bands", "drums", None)
    assert found.to_midi().count(bytes([0x99, 36])) == len(HITS[36])  # on the tenth channel


@pytest.mark.parametrize("block", [1000, 10**7])
def test_blocks_change_nothing(block: int) -> None:
    assert tracked(played(), played(), block).notes == tracked(played(), played()).notes


def test_the_level_changes_nothing() -> None:
    loud, soft = tracked(played(), played()), tracked(0.1 * played(), 0.1 * played())
    assert [(n.start, n.pitch) for n in loud] == [(n.start, n.pitch) for n in soft]


def test_nothing_of_silence_and_of_what_other_stems_leave() -> None:
    sound = played()
    silent, left = tracked(0 * sound, sound), tracked(0.05 * sound, sound)
    assert (len(silent), silent.reason) == (0, "it is silent")
    assert (len(left), left.reason) == (0, "no drum is heard in it")
    empty = tracked(sound[:, :0], sound[:, :0])
    assert (len(empty), empty.seconds) == (0, 0)
