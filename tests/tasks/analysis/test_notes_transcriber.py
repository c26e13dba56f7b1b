"""Notes of audio: times are exact wherever a note begins, in blocks of any size, and silence has none."""

import numpy as np
import pytest

from note_fakes import HEARD_PITCH, HOP, RATE, Bursts, note_spec
from unbraid import Note, NoteTranscriber, UsageError
from unbraid.tasks.analysis import notes_transcriber

STARTS = (0.5, 2.03, 3.9, 7.777, 11.0)  # seconds, across the windows of two seconds
LENGTH = 0.4


def bursts(seconds: float = 12.0, rate: int = RATE, level: float = 0.2) -> np.ndarray:
    """Noise (1, T) where a note is."""
    audio = np.zeros((1, round(seconds * rate)), np.float32)
    for start in STARTS:
        span = slice(round(start * rate), round((start + LENGTH) * rate))
        audio[:, span] = level * np.random.default_rng(0).choice([-1, 1], audio[:, span].shape)
    return audio


def transcriber() -> NoteTranscriber:
    return NoteTranscriber.over(Bursts(), note_spec())


@pytest.mark.parametrize("rate", [RATE, 44100, 8000])
def test_notes_are_where_they_are(rate: int) -> None:
    found = transcriber()(bursts(rate=rate), rate)
    assert [note.pitch for note in found] == [HEARD_PITCH] * len(STARTS)
    for note, start in zip(found, STARTS, strict=True):
        assert abs(note.start - start) <= 1.5 * HOP / RATE
        assert abs(note.end - start - LENGTH) <= 1.5 * HOP / RATE
        assert note.amplitude == pytest.approx(0.8)
    assert found.seconds == pytest.approx(12.0) and found.model == "tiny-notes" and found.reason is None


@pytest.mark.parametrize("size", [777, 22050, 100_000])
def test_blocks_of_any_size_give_the_same_notes(size: int) -> None:
    audio = bursts()
    tracker = transcriber().tracker(RATE)
    for start in range(0, audio.shape[1], size):
        tracker.push(audio[:, start : start + size])
    assert tracker.finish() == transcriber()(audio, RATE)


def test_pieces_give_the_same_notes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long recordings are decoded piece by piece, cut where it is quiet."""
    whole = transcriber()(bursts(), RATE)
    monkeypatch.setattr(notes_transcriber, "PIECE_FRAMES", 300)
    monkeypatch.setattr(notes_transcriber, "CUT_FRAMES", 150)
    assert transcriber()(bursts(), RATE) == whole


def test_memory_does_not_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notes_transcriber, "PIECE_FRAMES", 300)
    monkeypatch.setattr(notes_transcriber, "CUT_FRAMES", 150)
    tracker = transcriber().tracker(RATE)
    most = 0
    for _ in range(20):
        tracker.push(bursts(5.0))
        most = max(most, sum(found.shape[1] for found in tracker._found))
    assert most < 2 * (300 + 5.0 * RATE / HOP)


def test_two_channels_of_opposite_sign_are_heard() -> None:
    audio = bursts()
    assert transcriber()(np.concatenate([audio, -audio]), RATE).notes == transcriber()(audio, RATE).notes


@pytest.mark.parametrize("samples", [1, 100, RATE, 3 * RATE])
def test_silence_has_no_notes_and_says_so(samples: int) -> None:
    found = transcriber()(np.zeros((2, samples)), RATE)
    assert (found.notes, found.reason) == ((), "it is silent")


def test_nothing_at_all_is_silent() -> None:
    tracker = transcriber().tracker(RATE)
    tracker.push(np.zeros((2, 0), np.float32))
    assert tracker.finish().reason == "it is silent"


def test_what_is_below_60_db_is_silent() -> None:
    """The fake would hear it if it were amplified; the network scales each window by its own extremes."""
    found = transcriber()(bursts(level=5e-4), RATE)
    assert (found.notes, found.reason) == ((), "it is silent")


def test_sound_without_notes_says_so() -> None:
    audio = 0.005 * np.ones((1, RATE)) * np.resize([1, -1], RATE)
    assert transcriber()(audio, RATE).reason == "no note is heard in it"


def test_a_trace_of_a_stem_is_not_heard_beside_its_recording() -> None:
    stem = bursts(level=0.02)
    alone = transcriber()(stem, RATE, stem="piano")
    loud = transcriber()(stem, RATE, stem="piano", recording=stem + 0.5 * np.resize([1, -1], stem.shape))
    assert len(alone) == len(STARTS) and not loud.notes


def test_a_bass_has_no_high_notes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(notes_transcriber.PITCHES, "bass", (23, HEARD_PITCH - 1))
    assert not transcriber()(bursts(), RATE, stem="bass").notes
    monkeypatch.setitem(notes_transcriber.PITCHES, "bass", (HEARD_PITCH, HEARD_PITCH))
    assert len(transcriber()(bursts(), RATE, stem="bass")) == len(STARTS)


@pytest.mark.parametrize("cut", [0.2, 0.203, 0.21])
def test_a_note_ends_with_the_recording(cut: float) -> None:
    audio = bursts()[:, : round((STARTS[1] + cut) * RATE)]
    found = transcriber()(audio, RATE)
    note = found.notes[1]
    assert note.end <= found.seconds == pytest.approx(STARTS[1] + cut, abs=1 / RATE)
    assert note.end == pytest.approx(found.seconds, abs=HOP / RATE)


def test_drums_are_not_written_down() -> None:
    with pytest.raises(UsageError, match=r"^Drums have no pitch"):
        transcriber().tracker(RATE, stem="drums")


def test_a_note_knows_its_pitch() -> None:
    note = Note(0.0, 1.0, 69, 0.5)
    assert (note.name, note.hz, note.velocity) == ("A4", 440.0, 64)
    assert Note(0, 1, 60, 0.0).velocity == 1 and Note(0, 1, 61, 1.0).name == "C#4"


def test_a_model_of_another_task_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^The task of music-4 is separation, not notes; choose another"):
        NoteTranscriber("music-4")


def test_a_stem_of_another_length_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^A stem and its recording must have as many samples; give both"):
        transcriber()(bursts(), RATE, recording=bursts(3.0))
