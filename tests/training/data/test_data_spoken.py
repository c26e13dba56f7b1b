"""Recordings as frames to be written: silence is cut, steps are whole, batches are padded, and order is a seed's."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unbraid.corpora.mixtures import Clip
from unbraid.dsp.mel import mel_levels
from unbraid.errors import UsageError
from unbraid.hub.spec import Mel
from unbraid.training.data.length_buckets import Bunched
from unbraid.training.data.spoken import (
    LEAD_SECONDS,
    TAIL_SECONDS,
    Form,
    Script,
    SpokenTexts,
    frames_of,
    spoken_batch,
    without_silence,
)

RATE = 8000
FORM = Form(RATE, Mel(64, 40, 5), 3)


def sound(before: float, seconds: float, after: float) -> np.ndarray:
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * RATE)) / RATE)
    return np.concatenate((np.zeros(round(before * RATE)), tone, np.zeros(round(after * RATE)))).astype(np.float32)


@given(st.floats(0, 1), st.floats(0.02, 0.5), st.floats(0, 1))
@settings(deadline=None)  # the first call is slower, and a busy machine is
def test_silence_around_is_cut_to_a_moment(before: float, seconds: float, after: float) -> None:
    """To the moment in which it is measured, 10 ms on either side."""
    found = len(without_silence(sound(before, seconds, after), RATE)) / RATE
    wanted = min(before, LEAD_SECONDS) + seconds + min(after, TAIL_SECONDS)
    assert abs(found - wanted) <= 0.0205


def test_silence_alone_and_nothing() -> None:
    assert len(without_silence(np.zeros(RATE, np.float32), RATE)) == 80
    assert len(without_silence(np.zeros(0, np.float32), RATE)) == 0


def test_frames_are_levels_in_steps_with_silence_at_the_end() -> None:
    audio = sound(0, 0.3, 0.01)[:2430]  # 61 frames: 20 steps and one frame
    frames = frames_of(audio, FORM)
    assert frames.shape == (21, 3 * 5)
    levels = frames.reshape(-1, 5).numpy()
    np.testing.assert_array_equal(levels[:61], mel_levels(audio, FORM.mel, RATE))
    assert (levels[61:] == -1).all()


@pytest.fixture
def scripts(tmp_path: Path) -> list[Script]:
    found = []
    for n in range(6):
        soundfile.write(tmp_path / f"{n}.wav", sound(0.1, 0.1 * (n + 1), 0.1), RATE)
        found.append(Script(Clip(tmp_path / f"{n}.wav"), tuple(range(4, 6 + n))))
    return found


def test_a_batch_is_padded(scripts: list[Script]) -> None:
    texts = SpokenTexts(scripts, FORM)
    batch = spoken_batch([texts[3], texts[0]])
    assert batch.source.tolist() == [[4, 5, 6, 7, 8, 2], [4, 5, 2, 0, 0, 0]]
    assert batch.lengths.tolist() == [6, 3]
    assert batch.steps.tolist() == [len(texts[3].frames), len(texts[0].frames)]
    assert (batch.frames[1, len(texts[0].frames) :] == -1).all()
    assert torch.equal(batch.frames[1, : len(texts[0].frames)], texts[0].frames)


def test_each_comes_once_a_round_among_its_like(scripts: list[Script]) -> None:
    texts = SpokenTexts(scripts, FORM)
    shuffled = Bunched(texts, texts.samples, bunch=2, seed=0)
    assert shuffled.round_items == 6
    first = [len(shuffled[n].source) - 3 for n in range(6)]
    assert sorted(first) == list(range(6))
    assert all(abs(first[n] - first[n + 1]) == 1 for n in (0, 2, 4))
    assert [len(shuffled[n].source) - 3 for n in range(6)] == first
    orders = {tuple(len(shuffled[6 * turn + n].source) for n in range(6)) for turn in range(5)}
    assert len(orders) > 1


def test_what_was_heard_once_does_not_stay_in_memory(scripts: list[Script], monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a large corpus only so much is kept as there is room for: here nothing."""
    monkeypatch.setattr("unbraid.training.data.spoken._KEPT_BYTES", 0)
    texts = SpokenTexts(scripts, FORM)
    texts[5]
    tracemalloc.start()
    for n in range(5):
        texts[n]
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 15_000


def test_no_speech_is_refused() -> None:
    with pytest.raises(UsageError) as caught:
        SpokenTexts([], FORM)
    assert str(caught.value) == "There is no speech to learn from."
