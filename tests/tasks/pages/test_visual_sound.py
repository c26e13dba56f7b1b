"""The sound of a page: whole after a signal that comes while it is encoded."""

import io
import os
import signal

import numpy as np
import pytest

from unbraid import audio
from unbraid.tasks.pages.sound import Sound


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")
def test_a_signal_while_a_sound_is_encoded_raises_and_breaks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    previous, encode = signal.signal(signal.SIGINT, signal.default_int_handler), Sound._encode

    def disturbed(sound: Sound, packed: np.ndarray, at: int) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        encode(sound, packed, at)

    sound = Sound(16000, 1, 1.0)
    try:
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(Sound, "_encode", disturbed)
            sound.add(np.zeros((1, 12 * 16000), np.float32))
    finally:
        signal.signal(signal.SIGINT, previous)
    samples, rate = audio.read(io.BytesIO(sound.finish()))
    assert samples.shape[1] / rate == pytest.approx(12.0, abs=0.1)
