"""The melody of a voice: its pitch to a few cents, voiced where somebody sings, and nothing in silence or noise."""

import numpy as np
import pytest

from unbraid.dsp.pitch import note_name, pitch_hz, pitch_of
from unbraid.errors import RuntimeUnavailable
from unbraid.tasks.analysis.melody import Melody
from unbraid.tasks.analysis.melody_tracker import MelodyTracker, check_installed, melody_of
from unbraid.tasks.analysis.octaves import mended

RATE = 22050
LINE = (57, 60, 64, 62)  # A3, C4, E4, D4


def sung(pitches: tuple[int, ...] = LINE, rate: int = RATE, level: float = 0.2) -> np.ndarray:
    """A line of notes (1, T) of half a second with five harmonics, 0.1 s of silence behind each."""
    seconds = np.arange(round(0.5 * rate)) / rate
    fade = np.minimum(1, 50 * np.minimum(seconds, 0.5 - seconds))
    rest = np.zeros(round(0.1 * rate))
    tones = [sum(np.sin(2 * np.pi * k * pitch_hz(p) * seconds) / k for k in range(1, 6)) * fade for p in pitches]
    return level / 2 * np.concatenate([part for tone in tones for part in (tone, rest)])[None].astype(np.float32)


@pytest.fixture
def tracker_here() -> None:
    pytest.importorskip("swift_f0", reason="swift-f0 is not installed (pip install 'unbraid[analysis]')")


@pytest.mark.usefixtures("tracker_here")
@pytest.mark.parametrize("rate", [8000, RATE, 48000])
def test_the_pitch_is_right_to_some_cents(rate: int) -> None:
    melody = melody_of(sung(rate=rate), rate)
    middles = 0.25 + 0.6 * np.arange(len(LINE))
    near = np.abs(melody.times[:, None] - middles).argmin(0)
    np.testing.assert_allclose(pitch_of(melody.hz[near]), LINE, atol=0.2)
    assert melody.reason is None and melody.seconds == pytest.approx(2.4, abs=0.001)


@pytest.mark.usefixtures("tracker_here")
def test_the_line_of_notes_is_that_of_the_voice() -> None:
    notes = melody_of(sung(), RATE).notes
    assert [note.pitch for note in notes] == list(LINE)
    for note, start in zip(notes, 0.6 * np.arange(len(LINE)), strict=True):
        assert abs(note.start - start) < 0.06 and abs(note.end - start - 0.5) < 0.06


@pytest.mark.usefixtures("tracker_here")
def test_blocks_of_any_size_give_the_same_melody() -> None:
    audio, whole = sung(), melody_of(sung(), RATE)
    tracker = MelodyTracker(RATE)
    for start in range(0, audio.shape[1], 3001):
        tracker.push(audio[:, start : start + 3001])
    found = tracker.finish()
    assert len(found) == len(whole)
    np.testing.assert_allclose(found.hz, whole.hz, rtol=1e-3)


@pytest.mark.usefixtures("tracker_here")
@pytest.mark.parametrize("samples", [1, 50, RATE])
def test_silence_has_no_melody_and_says_so(samples: int) -> None:
    melody = melody_of(np.zeros((2, samples)), RATE)
    assert (len(melody), melody.reason, melody.notes.reason) == (0, "it is silent", "it is silent")
    assert melody.to_csv() == "time,hz,confidence\n"


@pytest.mark.usefixtures("tracker_here")
def test_nothing_at_all_is_silent() -> None:
    tracker = MelodyTracker(RATE)
    tracker.push(np.zeros((2, 0), np.float32), np.zeros((2, 0), np.float32))
    assert tracker.finish().reason == "it is silent"


@pytest.mark.usefixtures("tracker_here")
def test_noise_has_no_melody() -> None:
    noise = 0.1 * np.random.default_rng(0).normal(size=(1, 3 * RATE))
    assert melody_of(noise, RATE).reason == "no voice with a pitch is heard in it"


@pytest.mark.usefixtures("tracker_here")
def test_a_trace_of_a_voice_is_not_heard_beside_its_recording() -> None:
    voice = sung(level=0.01)
    assert melody_of(voice, RATE).voiced.any()
    recording = voice + 0.3 * np.random.default_rng(0).normal(size=voice.shape)
    assert melody_of(voice, RATE, recording=recording).reason == "no voice with a pitch is heard in it"


def test_a_tracker_that_is_not_installed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "swift_f0", None)
    with pytest.raises(RuntimeUnavailable) as caught:
        check_installed()
    told = "The melody needs swift-f0, which is not installed; get it with `pip install 'unbraid[analysis]'`."
    assert str(caught.value) == told


@pytest.mark.parametrize("shift", [12, -12])
def test_a_jump_by_an_octave_that_comes_back_is_mended(shift: int) -> None:
    pitch = 60 + 0.3 * np.sin(np.arange(80) / 5)
    wrong = pitch.copy()
    wrong[30:34] += shift
    np.testing.assert_allclose(mended(wrong, np.full(80, 0.8)), pitch)


def test_leaps_stay() -> None:
    """An octave that lasts is a leap, and a fifth is no error however short."""
    octave = np.repeat([55.0, 67.0, 55.0], 40)
    fifth = np.repeat([60.0, 67.0, 60.0], [20, 4, 20])
    for line in (octave, fifth):
        np.testing.assert_array_equal(mended(line, np.full(len(line), 0.8)), line)


@pytest.mark.parametrize("frames", [0, 1, 2])
def test_very_short_passages_stay(frames: int) -> None:
    np.testing.assert_array_equal(mended(np.full(frames, 60.0), np.ones(frames)), np.full(frames, 60.0))


def test_times_can_be_those_of_the_file() -> None:
    melody = Melody("m", np.array([0.0, 0.016]), np.array([220.0, 0.0]), np.array([0.9, 0.1]), seconds=1.0)
    later = melody.after(60.0)
    assert later.times.tolist() == [60.0, 60.016] and later.seconds == 61.0
    assert list(melody) == [(0.0, 220.0, 0.9), (0.016, 0.0, 0.1)]
    assert melody.voiced.tolist() == [True, False]


def test_pitches_have_names() -> None:
    assert [note_name(pitch) for pitch in (0, 21, 60, 69, 127)] == ["C-1", "A0", "C4", "A4", "G9"]
    assert pitch_hz(69) == 440.0 and pitch_of(np.array([220.0]))[0] == 57.0
